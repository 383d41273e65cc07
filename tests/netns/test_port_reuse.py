# SPDX-License-Identifier: GPL-2.0-or-later
"""One address that uses few ports again and again, as a proxy in front does: its cookies meet old
ones of the same port, and none of its connections may be taken for one of those.

SYNWARD_REUSE=connections,ports for the long run (2000000,500)."""

import os

import pytest

CONNECTIONS, PORTS = (int(number) for number in os.environ.get("SYNWARD_REUSE", "40000,10").split(","))


@pytest.mark.parametrize("family", [4, 6])
def test_none_of_many_connections_over_few_ports_is_dead(lab, family):
    done = lab.load(CONNECTIONS, family=family, ports=PORTS, concurrency=max(PORTS // 4, 4), timeout=5)
    print(done)
    assert done["failed"] == {}
    assert done["ok"] == CONNECTIONS
    if lab.defence.name == "synward":
        assert lab.defence.metrics().total("cookies_rejected_total", reason="replayed") == 0
