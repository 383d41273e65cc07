# SPDX-License-Identifier: GPL-2.0-or-later
"""A thousand connections open at the same time, each of them usable."""

import pytest

from lab import wait

CONNECTIONS = 1000
HELD = 10  # seconds: long enough to be looked at


@pytest.mark.known_to_fail_behind("synproxy")  # it loses some
@pytest.mark.parametrize("family", [4, 6])
def test_a_thousand_connections_at_once(lab, family):
    with lab.holding(CONNECTIONS, family=family, hold_seconds=HELD) as result:
        if lab.defence.name == "synward":
            for side in ("client", "backend"):
                wait.until(lambda s=side: established(lab, s) == CONNECTIONS, f"{CONNECTIONS} established, {side}")
        done = result()
    assert done["held"] == CONNECTIONS
    assert done["failed"] == {}
    assert done["ok"] == CONNECTIONS


def established(lab, side):
    return lab.defence.metrics().total("connections", protected_service="web", side=side, state="established")
