// SPDX-License-Identifier: GPL-2.0-or-later
//
// validate.mjs DASHBOARD: the file against the types that Grafana generates from its own schema. An
// unknown key, a wrong type or a word that is none of its choices is a mistake; a key left out is
// not, because Grafana fills in its defaults.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import Ajv from "ajv";
import { createGenerator } from "ts-json-schema-generator";

const types = join("node_modules", "@grafana", "grafana-foundation-sdk", "dist");
const ajv = new Ajv({ strict: false, allErrors: true, allowUnionTypes: true });
const validators = new Map();
let mistakes = 0;

// Every object is closed, and no key is required but those that `required` names.
function tighten(node, required) {
  if (Array.isArray(node)) return node.forEach((part) => tighten(part, required));
  if (node === null || typeof node !== "object") return;
  if (node.type === "object" && node.properties) {
    node.additionalProperties ??= false;
    node.required = (node.required ?? []).filter((key) => required.includes(key));
  }
  Object.values(node).forEach((part) => tighten(part, required));
}

function validator(folder, type, { open = [], required = [] } = {}) {
  const key = `${folder}/${type}`;
  if (!validators.has(key)) {
    const schema = createGenerator({
      path: join(types, folder, "types.gen.d.ts"), type, skipTypeCheck: true, expose: "all",
    }).createSchema(type);
    tighten(schema, required);
    for (const name of open) schema.definitions[name] = {};
    validators.set(key, ajv.compile(schema));
  }
  return validators.get(key);
}

function check(place, value, folder, type, options) {
  const valid = validator(folder, type, options);
  if (valid(value)) return;
  for (const error of valid.errors) {
    mistakes += 1;
    console.error(`${place}${error.instancePath}: ${error.message} ${JSON.stringify(error.params)}`);
  }
}

const dashboard = JSON.parse(readFileSync(process.argv[2], "utf8"));
// Panels, their options and their queries have types of their own: they are checked one by one.
const { panels, ...rest } = dashboard;
check("dashboard", rest, "dashboard", "Dashboard", { open: ["VariableModel"], required: ["title", "schemaVersion"] });
for (const panel of panels) {
  const place = `panel ${panel.id} (${panel.title})`;
  if (panel.type === "row") {
    check(place, panel, "dashboard", "RowPanel", { required: ["type", "id", "title"] });
    continue;
  }
  const { targets, options, fieldConfig, ...shell } = panel;
  const { custom, ...defaults } = fieldConfig.defaults;
  check(place, { ...shell, fieldConfig: { ...fieldConfig, defaults } }, "dashboard", "Panel", { required: ["type"] });
  check(`${place} options`, options, panel.type, "Options");
  if (custom !== undefined) check(`${place} custom`, custom, panel.type, "FieldConfig");
  for (const target of targets) {
    check(`${place} query ${target.refId}`, target, "prometheus", "Dataquery", { required: ["expr", "refId"] });
  }
}
for (const variable of dashboard.templating.list) {
  check(`variable ${variable.name}`, variable, "dashboard", "VariableModel", { required: ["type", "name"] });
}
if (mistakes > 0) process.exit(1);
console.log(`${process.argv[2]}: ${panels.length} panels, nothing that Grafana's schema does not know`);
