# SPDX-License-Identifier: GPL-2.0-or-later
"""What dashboards/ ships, read for the tests and for the renderer; and what there is to show."""

import dataclasses
import json
import pathlib
import re

import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
DIRECTORY = ROOT / "dashboards"
DASHBOARD = DIRECTORY / "synward.json"
RULES = DIRECTORY / "prometheus" / "synward.rules.yml"
RULE_TESTS = DIRECTORY / "prometheus" / "synward.rules.test.yml"
README = DIRECTORY / "README.md"

SELECTOR = re.compile(r"([a-zA-Z_:][a-zA-Z0-9_:]*)\{([^{}]*)\}")


def substitute(expression, rate_interval="5m", **variables):
    """As Grafana fills in an expression whose variables say All, or what `variables` say."""
    expression = expression.replace("$__rate_interval", rate_interval).replace("$__interval", rate_interval)
    return re.sub(r"\$(\w+)", lambda match: variables.get(match.group(1), ".+"), expression)


@dataclasses.dataclass(frozen=True)
class Query:
    panel: str
    expression: str
    legend: str
    instant: bool

    def __str__(self):
        return f"{self.panel}: {self.legend or self.expression}"

    def labels(self):
        """The labels that the legend names."""
        return set(re.findall(r"\{\{\s*(\w+)\s*\}\}", self.legend))


class Dashboard:
    def __init__(self, path=DASHBOARD):
        self.text = path.read_text(encoding="utf-8")
        self.json = json.loads(self.text)

    def panels(self):
        """The panels that show something, rows left out."""
        return [panel for panel in self.json["panels"] if panel["type"] != "row"]

    def queries(self):
        return [Query(panel["title"], target["expr"], target["legendFormat"], target.get("instant", False))
                for panel in self.panels() for target in panel["targets"]]

    def annotations(self):
        return [entry["expr"] for entry in self.json["annotations"]["list"] if "expr" in entry]

    def variables(self):
        return {variable["name"]: variable for variable in self.json["templating"]["list"]}


def rules(path=RULES):
    return [rule for group in yaml.safe_load(path.read_text(encoding="utf-8"))["groups"] for rule in group["rules"]]


def rule_tests():
    return yaml.safe_load(RULE_TESTS.read_text(encoding="utf-8"))["tests"]


def alerts():
    return [rule for rule in rules() if "alert" in rule]


def recordings():
    return [rule for rule in rules() if "record" in rule]


def catalogue():
    """{name: type} of every metric of the daemon, from its own list."""
    text = (ROOT / "daemon" / "metrics" / "catalogue.cc").read_text(encoding="utf-8")
    return dict(re.findall(r'\{"((?:synward|process)_\w+)",\s*(counter|gauge|histogram),', text))
