# SPDX-License-Identifier: GPL-2.0-or-later
"""What Grafana's own dashboard linter asks for, and a few things more."""

import json
import re

import files
import pytest

UNITS = {"none", "short", "percentunit", "pps", "cps", "Bps", "bytes", "s", "dateTimeFromNow"}
TYPES = {"timeseries", "stat"}
DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}
DASHBOARD = files.Dashboard()
PANELS = DASHBOARD.panels()
ROWS = ["Overview", "Backlog", "Handshakes", "Connections by state", "Backends", "Drops by reason", "Queue health",
        "Process"]

each_panel = pytest.mark.parametrize("panel", PANELS, ids=lambda panel: panel["title"])
each_query = pytest.mark.parametrize("query", DASHBOARD.queries(), ids=str)


def test_the_file_is_written_in_one_way():
    """So that a change of one panel is a change of its lines alone."""
    assert DASHBOARD.text == json.dumps(DASHBOARD.json, indent=2) + "\n"


def test_properties():
    dashboard = DASHBOARD.json
    assert dashboard["uid"] == "synward" and dashboard["id"] is None
    assert dashboard["schemaVersion"] in (41, 42)
    assert dashboard["editable"] is False
    assert dashboard["timezone"] == "browser"
    assert dashboard["graphTooltip"] == 1
    assert "__inputs" not in dashboard, "file provisioning does not fill them in"
    assert dashboard["title"] and dashboard["description"] and dashboard["tags"]


def test_rows_in_their_order():
    assert [panel["title"] for panel in DASHBOARD.json["panels"] if panel["type"] == "row"] == ROWS


def test_datasource_variable():
    chosen = [v for v in DASHBOARD.json["templating"]["list"] if v["type"] == "datasource"]
    assert len(chosen) == 1
    assert (chosen[0]["name"], chosen[0]["label"], chosen[0]["query"]) == ("datasource", "Data source", "prometheus")


@pytest.mark.parametrize("name, label", [("job", "Job"), ("instance", "Instance"), ("protected_service", "Service")])
def test_template_variable(name, label):
    variable = DASHBOARD.variables()[name]
    assert variable["type"] == "query" and variable["label"] == label
    assert variable["datasource"] == DATASOURCE
    assert variable["multi"] and variable["includeAll"] and variable["allValue"] == ".+"
    assert variable["refresh"] == 2, "values are read again when the time range changes"
    asked = re.fullmatch(r"label_values\((\w+)(?:\{.*\})?, (\w+)\)", variable["query"]["query"])
    assert asked and asked.group(1) in files.catalogue() and asked.group(2) == name


def test_annotations_come_from_the_chosen_source():
    own = [entry for entry in DASHBOARD.json["annotations"]["list"] if not entry.get("builtIn")]
    assert own and all(entry["datasource"] == DATASOURCE for entry in own)
    assert all('job=~"$job", instance=~"$instance"' in entry["expr"] for entry in own)


def test_ids_are_unique_and_titles_too():
    everything = DASHBOARD.json["panels"]
    assert len({panel["id"] for panel in everything}) == len(everything)
    assert len({panel["title"] for panel in PANELS}) == len(PANELS)


def test_panels_do_not_overlap():
    taken = {}
    for panel in DASHBOARD.json["panels"]:
        at = panel["gridPos"]
        assert 0 <= at["x"] and at["x"] + at["w"] <= 24
        for cell in ((x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])):
            assert cell not in taken, f"{panel['title']} lies on {taken[cell]}"
            taken[cell] = panel["title"]


@each_panel
def test_panel(panel):
    assert panel["type"] in TYPES
    assert panel["datasource"] == DATASOURCE
    assert panel["title"].strip() and panel["description"].endswith(".")
    assert panel["fieldConfig"]["defaults"]["unit"] in UNITS
    assert panel["targets"]
    assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"])
    assert all(target["datasource"] == DATASOURCE for target in panel["targets"])


@each_panel
def test_a_stat_has_thresholds_and_a_graph_a_table(panel):
    if panel["type"] == "stat":
        steps = panel["fieldConfig"]["defaults"]["thresholds"]["steps"]
        assert steps[0]["value"] is None and steps == sorted(steps, key=lambda step: step["value"] or 0)
        assert panel["fieldConfig"]["defaults"]["color"]["mode"] == "thresholds"
    else:
        legend = panel["options"]["legend"]
        assert legend["displayMode"] == "table" and legend["calcs"]
        assert all(target["legendFormat"] for target in panel["targets"]), "a series without a name"


@each_panel
def test_an_override_names_a_series(panel):
    """A legend that is renamed must take its colour with it."""
    values = set(all_label_values())
    for override in panel["fieldConfig"]["overrides"]:
        name = override["matcher"]["options"]
        assert override["matcher"]["id"] == "byName"
        assert any(matches(target["legendFormat"], name, values) for target in panel["targets"]), name


def all_label_values():
    """Every fixed label value of the catalogue, and the TCP states."""
    for name in ("daemon/metrics/catalogue.cc", "proxy/tcp/state.h", "proxy/tcp/state.cc"):
        path = files.ROOT / name
        if path.exists():
            yield from re.findall(r'"(\w+)"', path.read_text(encoding="utf-8"))


def matches(legend, name, values):
    pattern = re.sub(r"\\\{\\\{\w+\\\}\\\}", r"(\\w+)", re.escape(legend))
    found = re.fullmatch(pattern, name)
    return bool(found) and set(found.groups()) <= values


@each_query
def test_every_selector_follows_the_variables(query):
    known = files.catalogue()
    selectors = files.SELECTOR.findall(query.expression)
    assert selectors
    for name, matchers in selectors:
        assert 'job=~"$job"' in matchers and 'instance=~"$instance"' in matchers
        family = re.sub(r"_(bucket|count|sum)$", "", name)
        by_service = name in known and name.startswith("synward_") and not name.startswith(
            ("synward_queue_", "synward_config_", "synward_build_"))
        if by_service or known.get(family) == "histogram":
            assert "$protected_service" in matchers, f"{name} does not follow the service"


@each_query
def test_counters_stand_in_a_rate_and_rates_have_the_right_window(query):
    for match in re.finditer(r"(\w+_total)\b", query.expression):
        assert re.search(r"\b(rate|increase)\($", query.expression[:match.start()]), f"{match.group(1)} is a counter"
    assert set(re.findall(r"\[([^\]]*)\]", query.expression)) <= {"$__rate_interval"}
