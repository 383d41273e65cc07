# SPDX-License-Identifier: GPL-2.0-or-later
"""One address that uses few ports again and again, as a proxy in front does: its cookies meet old
ones of the same port, and none of its connections may be taken for one of those.

SYNWARD_REUSE=connections,ports for the long run (2000000,500)."""

import os

import pytest

from lab import lab as labs
from lab import synward

LONG = "SYNWARD_REUSE" in os.environ
CONNECTIONS, PORTS = (int(number) for number in os.environ.get("SYNWARD_REUSE", "40000,10").split(","))
BESIDE_PORTS = 500


@pytest.mark.parametrize("family", [4, 6])
def test_none_of_many_connections_over_few_ports_is_dead(lab, family):
    done = lab.load(CONNECTIONS, family=family, ports=PORTS, concurrency=max(PORTS // 4, 4), timeout=5)
    print(done)
    assert done["failed"] == {}
    assert done["ok"] == CONNECTIONS
    if lab.defence.name == "synward":
        assert lab.defence.metrics().total("cookies_rejected_total", reason="replayed") == 0


def beside_a_flood(made, family):
    with made.flood(20_000, family=family, seconds=600):
        done = made.load(CONNECTIONS, family=family, ports=BESIDE_PORTS, concurrency=100, timeout=20)
    print(f"IPv{family}, {made.defence.name}: {CONNECTIONS / done['seconds']:.0f} connections/s over {BESIDE_PORTS} "
          f"ports, dead: {done['failed']}, over 200 ms: {done['above_200_ms']}, segments repeated: "
          f"{done['retransmits']}, milliseconds: {done['total_ms']}")
    return done


@pytest.mark.synward
@pytest.mark.parametrize("family", [4, 6])
def test_beside_a_flood_as_through_plain_forwarding(family):
    """In the long run, which needs a machine of its own, none may be slow where none is without synward."""
    with labs.Lab() as made:
        plain = beside_a_flood(made, family)
        made.protect(synward.Synward())
        protected = beside_a_flood(made, family)
        print(made.defence.metrics().nonzero("dropped_packets_total"))
        assert made.defence.metrics().total("cookies_rejected_total", reason="replayed") == 0
    assert plain["failed"] == protected["failed"] == {}
    if LONG:
        assert protected["above_200_ms"] <= plain["above_200_ms"]
