# SPDX-License-Identifier: GPL-2.0-or-later
"""Every expression is PromQL, speaks of metrics that exist, and no metric is forgotten."""

import re

import files
import yaml
from lab import prometheus

# Metrics of the daemon that no panel needs, and why.
NOT_SHOWN = {}
# Names that come from Prometheus, not from the daemon.
OF_PROMETHEUS = {"up", "scrape_duration_seconds"}
METRIC = re.compile(r"\b((?:synward|process|scrape|exposer)_\w+|up)\b(?!\s*\()")


def used(expressions):
    names = set()
    for expression in expressions:
        bare = re.sub(r'"[^"]*"', '""', re.sub(r"\b(instance\w*):\w+(?::\w+)?", "", expression))
        for name in METRIC.findall(bare):
            family = re.sub(r"_(bucket|count|sum)$", "", name)
            names.add(family if family in files.catalogue() else name)
    return names


def panel_expressions(dashboard):
    return [query.expression for query in dashboard.queries()]


def rule_expressions():
    return [rule["expr"] for rule in files.rules()]


def test_the_catalogue_was_read():
    assert len(files.catalogue()) > 35 and files.catalogue()["synward_handshake_seconds"] == "histogram"


def test_every_metric_stands_in_a_panel(dashboard):
    assert set(files.catalogue()) - used(panel_expressions(dashboard)) == set(NOT_SHOWN)


def test_every_metric_that_is_shown_exists(dashboard):
    expressions = panel_expressions(dashboard) + dashboard.annotations() + rule_expressions()
    assert used(expressions) - set(files.catalogue()) <= OF_PROMETHEUS


def test_a_rule_uses_only_records_that_exist():
    made = {rule["record"] for rule in files.recordings()}
    spoken = {name for expression in rule_expressions() for name in re.findall(r"\binstance\w*:\w+:\w+", expression)}
    assert spoken and spoken <= made


def test_expressions_are_promql(dashboard, tmp_path):
    """Types included: rate() of an instant vector is refused here, not in Grafana."""
    expressions = panel_expressions(dashboard) + dashboard.annotations()
    file = tmp_path / "panels.yml"
    rules = [{"record": f"panel:{number}", "expr": files.substitute(expression)}
             for number, expression in enumerate(expressions)]
    file.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}))
    status, said = prometheus.promtool("check", "rules", file)
    assert status == 0, said
    assert f"{len(expressions)} rules found" in said
