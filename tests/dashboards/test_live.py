# SPDX-License-Identifier: GPL-2.0-or-later
"""A real Prometheus scrapes the real daemon under a real flood: every panel has data, every rule can
be evaluated, and the alerts fire and end. A minute of the rules lasts two seconds here."""

import collections
import math
import re

import files
import pytest
import scene
from lab import wait

FASTER = 30
EVERY = "500ms"  # 15 s of the rules, and what a scrape may take: the daemon is down if all of two seconds' fail
RATE_INTERVAL = "4s"
PATIENCE = 120
BACKENDS_FAIL = {"SynwardBackendFailing", "SynwardClientsUnserved"}
ATTACK = {"SynwardFlood", "SynwardBacklogFull", "SynwardReloadFailed"}
DASHBOARD = files.Dashboard()

each_query = pytest.mark.parametrize("query", DASHBOARD.queries(), ids=str)


def faster(text):
    """Rules, or an expression, whose clock runs faster."""
    milliseconds = {"h": 3_600_000, "m": 60_000}

    def scaled(match):
        return f"{match.group(1)}{int(match.group(2)) * milliseconds[match.group(3)] // FASTER}ms"
    return re.sub(r"(\[|for: |offset )(\d+)([hm])\b", scaled, text)


class Story:
    """What happened, told once; the tests ask about it."""

    def __init__(self, running):
        self.scene, self.prometheus = running, running.prometheus
        self.quiet_before = self._calm()
        self.metrics = self._attack()
        self._until(lambda firing: not firing, "all alerts to end")
        self.stopped_firing = self._stopped()

    def _until(self, condition, what):
        wait.until(lambda: condition({labels["alertname"] for labels in self.prometheus.firing()}), what, PATIENCE,
                   every=0.2)

    def _calm(self):
        with self.scene.clients("web"):
            wait.until(lambda: self.prometheus.value(
                "instance_protected_service:synward_cookies_redeemed:rate2m") > 50, "clients to be seen", PATIENCE)
            return self.prometheus.firing()

    def _attack(self):
        with self.scene.clients("web", "api", "dead"):
            self._until(BACKENDS_FAIL.issubset, "the alerts about backends")
            with self.scene.syn_flood(), self.scene.broken_configuration():
                self._until(ATTACK.issubset, "the alerts about the flood")
            with self.scene.ack_flood():
                self._until({"SynwardAckFlood"}.issubset, "the alert about the flood of ACKs")
            return self.scene.daemon.metrics()

    def _stopped(self):
        self.scene.lab.unprotect()
        self._until({"SynwardDown"}.issubset, "the alert about a daemon that is gone")
        self.scene.daemon = self.scene.start_daemon()
        self._until(lambda firing: "SynwardDown" not in firing, "the alert about a daemon that is back to end")
        return True

    def ask(self, query, **variables):
        return self.prometheus.since_start(files.substitute(query.expression, RATE_INTERVAL, **variables), step=0.5)


@pytest.fixture(name="story", scope="module")
def _story(tmp_path_factory):
    rules = tmp_path_factory.mktemp("rules") / "synward.rules.yml"
    rules.write_text(faster(files.RULES.read_text(encoding="utf-8")))
    with scene.Scene(EVERY, [rules]) as running:
        yield Story(running)


def test_no_alert_fires_in_calm(story):
    assert story.quiet_before == []
    assert story.stopped_firing


def test_the_catalogue_is_what_the_daemon_exports(story):
    exported = dict(re.findall(r"^# TYPE ((?:synward|process)_\w+) (\w+)$", story.metrics.text, re.M))
    assert exported == files.catalogue()


def test_prometheus_has_evaluated_every_rule(story):
    rules = [rule for group in story.prometheus.api("rules")["groups"] for rule in group["rules"]]
    assert len(rules) == len(files.rules())
    assert {rule["name"]: rule.get("lastError") for rule in rules if rule["health"] != "ok"} == {}


@pytest.mark.parametrize("rule", files.recordings(), ids=lambda rule: rule["record"])
def test_a_recording_rule_has_recorded(story, rule):
    if rule["record"].endswith(":avg1h"):  # leaves out the last ten minutes, ten seconds here
        assert "offset" in rule["expr"]
    recorded = story.prometheus.since_start(rule["record"], step=0.5)
    assert finite(recorded)
    assert {"job", "instance"} <= set(recorded[0][0])


@pytest.mark.parametrize("rule", files.alerts(), ids=lambda rule: rule["alert"])
def test_an_alert_can_be_evaluated_and_its_texts_find_their_labels(story, rule):
    named = set(re.findall(r"\$labels\.(\w+)", str(rule["annotations"])))
    compared = re.split(r"\s(?:==|[<>])\s", rule["expr"])[0]
    series = story.prometheus.since_start(faster(compared), step=0.5)
    assert series or rule["alert"] == "SynwardAbsent", "nothing is compared: it can never fire"
    for labels, _ in series:
        assert named <= set(labels)
    story.prometheus.instant(faster(rule["expr"]))


# What is an operator's to name; the rest is the daemon's.
FREE = {"job", "instance", "protected_service", "backend", "queue"}


def exported(story, name):
    """The labels of the daemon's series of that name."""
    return [labels for labels, _ in story.metrics.select(name)] if name != "up" else [{}]


@pytest.mark.parametrize("name, matchers", sorted({
    selector for text in [query.expression for query in DASHBOARD.queries()] + [rule["expr"] for rule in files.rules()]
    for selector in files.SELECTOR.findall(text) if not selector[0].startswith("instance")}))
def test_a_matcher_has_something_to_match(story, name, matchers):
    """Also where it leaves something out: a value that is never there leaves out nothing."""
    for label, values in re.findall(r'(\w+)(?:=~?|!=|!~)"([^"]*)"', matchers):
        if label not in FREE:
            assert set(values.split("|")) <= {labels[label] for labels in exported(story, name)}


@pytest.mark.parametrize("name, labels", sorted({
    (entry["series"].partition("{")[0], entry["series"].partition("{")[2])
    for test in files.rule_tests() for entry in test["input_series"]}))
def test_the_rules_are_tested_with_series_that_the_daemon_has(story, name, labels):
    told = dict(re.findall(r'(\w+)="([^"]*)"', labels))
    fixed = {label: value for label, value in told.items() if label not in FREE}
    assert any(set(have) == set(told) - {"job", "instance"} and fixed.items() <= have.items()
               for have in exported(story, name))


def finite(series):
    return [value for _, values in series for _, value in values if math.isfinite(value)]


@each_query
def test_a_panel_has_data(story, query):
    series = story.ask(query)
    values = finite(series)
    assert values, "no data"
    for labels, _ in series:
        assert query.labels() <= set(labels), "the legend names a label that the series lacks"
    shown = collections.Counter(tuple(labels.get(name) for name in sorted(query.labels())) for labels, _ in series)
    assert max(shown.values()) == 1, f"several series have one name: {shown}"
    if query.expression.startswith("-"):
        assert max(values) <= 0
    else:
        assert min(values) >= 0


@each_query
def test_a_panel_follows_the_service(story, query):
    """With one service chosen, no other is shown; with one that does not exist, nothing of any."""
    for labels, _ in story.ask(query, protected_service="web"):
        assert labels.get("protected_service", "web") in ("web", "none")
    if "$protected_service" in query.expression and "|none" not in query.expression:
        assert not finite(story.ask(query, protected_service="absent"))


@pytest.mark.parametrize("panel", [panel for panel in DASHBOARD.panels()
                                   if panel["fieldConfig"]["defaults"].get("max") == 1],
                         ids=lambda panel: panel["title"])
def test_a_share_is_between_0_and_1(story, panel):
    for query in DASHBOARD.queries():
        if query.panel == panel["title"]:
            assert max(finite(story.ask(query))) <= 1


@pytest.mark.parametrize("title, label, names", [
    ("SYNs by service", "protected_service", {"web", "api", "dead"}),
    ("Drops by reason", "reason", {"unknown_segment"}),
    ("Acknowledgements refused", "reason", {"mac"}),
    ("Backend failures", "reason", {"refused"}),
    ("Clients by TCP state", "state", {"syn_sent"}),
    ("Packets waiting", "role", {"syn", "flow"}),
])
def test_what_happened_is_seen(story, title, label, names):
    seen = {labels[label] for query in DASHBOARD.queries() if query.panel == title and label in query.labels()
            for labels, values in story.ask(query) if any(value > 0 for _, value in values) or title.endswith("ing")}
    assert names <= seen


@pytest.mark.parametrize("title, at_least", [
    ("SYNs", 3000), ("Clients that got through", 50), ("Backlog filled", 0.8), ("Challenges without an entry", 1000),
    ("Packets dropped by synward", 500), ("Daemons", 1), ("Configuration", 1)])
def test_a_stat_tells_how_much(story, title, at_least):
    [query] = [query for query in DASHBOARD.queries() if query.panel == title]
    assert max(finite(story.ask(query))) >= at_least


@pytest.mark.parametrize("title, at_most", [
    ("SYNs that were genuine", 0.1),  # in the flood
    ("Clients with a server", 0.98),  # those of the service without one have none
])
def test_a_share_tells_how_little(story, title, at_most):
    [query] = [query for query in DASHBOARD.queries() if query.panel == title]
    assert min(finite(story.ask(query))) < at_most
