// SPDX-License-Identifier: GPL-2.0-or-later
//
// draw.mjs DASHBOARD RECORDED PNG: a picture of the dashboard with what record.py recorded.
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { chromium } from "playwright-core";

const [dashboardFile, recordedFile, picture] = process.argv.slice(2);
const width = 1500;
const here = dirname(fileURLToPath(import.meta.url));
const input = {
  dashboard: JSON.parse(await readFile(dashboardFile, "utf8")),
  recorded: JSON.parse(await readFile(recordedFile, "utf8")),
  width,
};

// Writes app.js and app.css.
async function bundle(directory) {
  await build({
    entryPoints: [join(here, "app.jsx")], bundle: true, outdir: directory, format: "iife", jsx: "automatic",
    platform: "browser", define: { "process.env.NODE_ENV": '"production"', global: "globalThis" }, minify: true,
    logLevel: "error", loader: { ".svg": "dataurl", ".ttf": "dataurl", ".woff2": "dataurl" },
    nodePaths: [join(process.cwd(), "node_modules")],
    plugins: [{
      name: "input",
      setup(builder) {
        builder.onResolve({ filter: /^synward-input$/ }, () => ({ path: "input", namespace: "input" }));
        const given = { contents: JSON.stringify(input), loader: "json" };
        builder.onLoad({ filter: /.*/, namespace: "input" }, () => given);
      },
    }],
  });
}

// A panel without a value is a mistake in the picture, not a matter of taste.
function missing(page) {
  return page.$$eval("[data-panel]", (panels) => panels
    .filter((panel) => panel.querySelector("section") && !panel.querySelector("canvas, [title], svg"))
    .concat(panels.filter((panel) => /No data/.test(panel.textContent)))
    .map((panel) => panel.dataset.panel));
}

async function settled(page) {
  await page.waitForFunction(() => document.querySelectorAll("#dashboard canvas").length > 20);
  await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
}

const directory = await mkdtemp(join(tmpdir(), "synward-draw-"));
let browser;
try {
  await bundle(directory);
  // A persistent context is what a fresh user-data-dir is called here.
  browser = await chromium.launchPersistentContext(join(directory, "profile"), {
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", headless: true,
    viewport: { width, height: 1000 },
    args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
      "--disable-component-update", "--disable-sync"],
  });
  const page = await browser.newPage();
  const failed = new Promise((_, reject) => page.on("pageerror", reject));
  failed.catch(() => {});  // it may come before settled() is waited for; unhandled, it would skip the cleaning up
  // The page has an origin, for Grafana keeps things in localStorage, but no network: every request is
  // answered here or refused.
  const address = "http://dashboard.invalid/";
  const body = '<!doctype html><meta charset="utf-8"><div id="root"></div>';
  await page.route("**/*", (route) => (
    route.request().url() === address ? route.fulfill({ contentType: "text/html", body }) : route.abort()));
  await page.goto(address);
  await page.addStyleTag({ path: join(directory, "app.css") });
  await page.addScriptTag({ path: join(directory, "app.js") });
  const drawn = page.locator("#dashboard");
  await Promise.race([failed, settled(page)]);
  const empty = await missing(page);
  if (empty.length > 0) throw new Error(`no data in: ${empty.join(", ")}`);
  await drawn.screenshot({ path: picture });
} finally {
  await browser?.close();
  await rm(directory, { recursive: true, force: true });
}
