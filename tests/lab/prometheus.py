# SPDX-License-Identifier: GPL-2.0-or-later
"""A real Prometheus in one of the lab's namespaces, with its own directory, and what can be asked of it."""

import json
import time
import urllib.error
import urllib.parse
import urllib.request

from . import netns, wait

LISTEN = "127.0.0.1:9090"


class Refused(RuntimeError):
    """Prometheus' own words about a query that it does not take."""


class Prometheus:
    """Scrapes targets, {job: address}, and evaluates rule files, from the `with` line to its end."""

    def __init__(self, namespace, directory, targets, every="1s", rules=()):
        self._namespace = namespace
        self._directory = directory / "prometheus"
        self._directory.mkdir()
        self._log = self._directory / "log"
        config = self._directory / "prometheus.yml"
        config.write_text(json.dumps({
            "global": {"scrape_interval": every, "scrape_timeout": every, "evaluation_interval": every},
            "rule_files": [str(path) for path in rules],
            "scrape_configs": [{"job_name": job, "static_configs": [{"targets": [target]}]}
                               for job, target in targets.items()]}))
        self._command = ["prometheus", "--config.file", config, "--storage.tsdb.path", self._directory / "data",
                         "--web.listen-address", LISTEN, "--log.level", "warn"]
        self._process = None

    def __enter__(self):
        self.started = time.time()
        with open(self._log, "w", encoding="utf-8") as log:
            self._process = self._namespace.popen(*self._command, stdout=log, stderr=log)
        try:
            wait.until(self._ready, "prometheus to be ready", timeout=30)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *exception):
        netns.stop(self._process, timeout=30)

    def _ready(self):
        if self._process.poll() is not None:
            raise netns.CommandFailed(f"prometheus ended with {self._process.returncode}\n{self._log.read_text()}")
        try:
            return self._get("/-/ready")
        except OSError:
            return None

    def _get(self, path):
        with self._namespace.entered(), urllib.request.urlopen(f"http://{LISTEN}{path}", timeout=30) as answer:
            return answer.read()

    def api(self, what, **parameters):
        try:
            answer = self._get(f"/api/v1/{what}?{urllib.parse.urlencode(parameters)}")
        except urllib.error.HTTPError as error:
            raise Refused(json.loads(error.read()).get("error", str(error))) from None
        return json.loads(answer)["data"]

    def instant(self, expression, at=None):
        """[(labels, value)] now, or at a time."""
        return [(series["metric"], float(series["value"][1]))
                for series in self.api("query", query=expression, time=at or time.time())["result"]]

    def value(self, expression):
        """The sum over the series now; 0 if there is none."""
        return sum(value for _, value in self.instant(expression))

    def since_start(self, expression, step=1, until=None):
        """[(labels, [(time, value)])] from the start to now, or to a time."""
        data = self.api("query_range", query=expression, start=self.started, end=until or time.time(), step=step)
        assert data["resultType"] == "matrix"
        return [(series["metric"], [(at, float(value)) for at, value in series["values"]])
                for series in data["result"]]

    def firing(self):
        """The labels of every alert that fires now."""
        return [labels for labels, _ in self.instant('ALERTS{alertstate="firing"}')]


def promtool(*words, **options):
    """Runs promtool to its end: exit status and all that it said."""
    done = netns.run(["promtool", *words], check=False, **options)
    return done.returncode, done.stdout + done.stderr
