# SPDX-License-Identifier: GPL-2.0-or-later
"""Rules: promtool has nothing to say, every alert fires and ends in a test, and can be acted upon."""

import collections
import re

import files
import pytest
from lab import prometheus

each_alert = pytest.mark.parametrize("rule", files.alerts(), ids=lambda rule: rule["alert"])
RUNBOOK = "file:///usr/share/doc/synward/dashboards.md#"


def seconds(duration):
    units = {"h": 3600, "m": 60, "s": 1}
    return sum(int(number) * units[unit] for number, unit in re.findall(r"(\d+)([hms])", str(duration)))


def test_promtool_accepts_the_rules():
    status, said = prometheus.promtool("check", "rules", "--lint=all", "--lint-fatal", files.RULES)
    assert status == 0, said


def test_promtool_accepts_the_configuration():
    status, said = prometheus.promtool("check", "config", files.DIRECTORY / "prometheus" / "prometheus.yml")
    assert status == 0 and "1 rule files found" in said, said


def test_unit_tests_pass():
    status, said = prometheus.promtool("test", "rules", files.RULE_TESTS)
    assert status == 0, said


@each_alert
def test_a_unit_test_sees_it_quiet_then_firing_then_quiet(rule):
    stories = [sorted((seconds(step["eval_time"]), bool(step["exp_alerts"])) for step in test["alert_rule_test"]
                      if step["alertname"] == rule["alert"]) for test in files.rule_tests() if "alert_rule_test" in test]
    assert [False, True, False] in [[fires for _, fires in story] for story in stories]


def test_every_recording_rule_has_a_unit_test():
    tested = {test["expr"] for story in files.rule_tests() for test in story.get("promql_expr_test", [])}
    assert tested == {rule["record"] for rule in files.recordings()}


@each_alert
def test_alert(rule):
    assert re.fullmatch(r"Synward([A-Z][a-z]+)+", rule["alert"])
    assert rule["for"], "without slack it would fire on a single scrape"
    assert rule["labels"]["severity"] in ("critical", "warning")
    assert set(rule["annotations"]) == {"summary", "description", "runbook_url"}
    assert rule["annotations"]["description"].endswith(".")


@each_alert
def test_the_runbook_has_a_section_of_it(rule):
    page = files.README.read_text(encoding="utf-8")
    assert rule["annotations"]["runbook_url"] == RUNBOOK + rule["alert"].lower()
    assert page.count(f"\n## {rule['alert']}\n") == 1


def test_the_runbook_has_no_section_of_an_alert_that_is_gone():
    page = files.README.read_text(encoding="utf-8")
    assert set(re.findall(r"^## (Synward\w+)$", page, re.M)) == {rule["alert"] for rule in files.alerts()}


def test_names_of_recording_rules():
    names = collections.Counter(rule["record"] for rule in files.recordings())
    for name, count in names.items():
        assert re.fullmatch(r"instance\w*:synward_\w+:\w+", name) and count == 1


def test_the_runbook_names_only_panels_and_series_that_exist(dashboard):
    page = files.README.read_text(encoding="utf-8")
    titles = {query.panel for query in dashboard.queries()} | {query.legend for query in dashboard.queries()}
    spoken = {" ".join(name.split()) for name in re.findall(r"(?<!\*)\*([A-Z][^*]+)\*(?!\*)", page)}
    assert spoken and spoken <= titles
