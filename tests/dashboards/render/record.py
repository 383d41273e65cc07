#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""record.py FILE: five minutes of a real daemon - calm, a flood, calm, the next flood - as a real
Prometheus saw them through every expression of the dashboard."""

import json
import pathlib
import sys
import time

sys.path[:0] = [str(pathlib.Path(__file__).resolve().parents[depth]) for depth in (1, 2)]
import files  # noqa: E402  pylint: disable=wrong-import-position
import scene  # noqa: E402  pylint: disable=wrong-import-position
from lab import lab as labs  # noqa: E402  pylint: disable=wrong-import-position

CALM, FLOOD, ACKS, LAST_FLOOD = 75, 60, 30, 45  # seconds
EVERY, RATE_INTERVAL, STEP = "1s", "6s", 2


def play(running):
    """All that the picture shows happens here, in real time; clients come all the while."""
    with running.clients("web", "api", "staying"):
        time.sleep(CALM)
        with running.syn_flood():
            time.sleep(FLOOD)
            with running.ack_flood():
                time.sleep(ACKS)
        time.sleep(CALM)
        with running.syn_flood():
            time.sleep(LAST_FLOOD)
            return time.time()  # the picture ends in the midst of a flood


def answer(prometheus, target, until):
    expression = files.substitute(target["expr"], RATE_INTERVAL)
    if target.get("instant"):
        found = [(labels, [(until, value)]) for labels, value in prometheus.instant(expression, until)]
    else:
        found = prometheus.since_start(expression, STEP, until)
    return {"refId": target["refId"], "legendFormat": target["legendFormat"],
            "series": [{"labels": labels, "values": [[at, str(value)] for at, value in values]}
                       for labels, values in found]}


def main():
    labs.end_on_signals()
    dashboard = files.Dashboard()
    with scene.Scene(EVERY) as running:
        until = play(running)
        recorded = {"from": running.prometheus.started + 5, "to": until,
                    "panels": {panel["id"]: [answer(running.prometheus, target, until) for target in panel["targets"]]
                               for panel in dashboard.panels()}}
    pathlib.Path(sys.argv[1]).write_text(json.dumps(recorded), encoding="utf-8")


if __name__ == "__main__":
    main()
