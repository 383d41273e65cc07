# SPDX-License-Identifier: GPL-2.0-or-later
"""Healthy means protected: from the first `ok` of /healthz on, no SYN goes past the daemon."""

import pytest

from lab import lab as labs
from lab import netns, network, synward

pytestmark = pytest.mark.synward


def test_healthy_means_protected():
    with labs.Lab() as lab:
        for attempt in range(15):
            daemon = lab.protect(synward.Synward())
            assert lab.load(1)["ok"] == 1
            passed = daemon.metrics().total("syns_received_total", protected_service="web")
            assert passed >= 1, f"start {attempt}: a SYN went past the daemon"
            lab.unprotect()


def test_servers_without_number_are_asked_with_few_descriptors():
    """Nobody listens on the first 250: their refusals make room for the last one's turn, all before the start."""
    services = [{"name": "closed", "listen": [network.endpoint(4, 20_000 + i) for i in range(250)]},
                {"name": "web", "listen": [network.endpoint(4)]}]
    bounded = synward.Synward(wrapper=("prlimit", "--nofile=200"), services=services)
    with labs.Lab(bounded) as lab:
        offers = [line for line in lab.defence.log().splitlines() if f"clients of {network.endpoint(4)} are" in line]
        assert ", SACK, timestamps" in offers[0], offers
        assert lab.load(10)["ok"] == 10


def test_what_does_not_fit_into_memory_is_said_with_its_cure():
    """Spent cookies alone take 1 GiB here. Address space is what is bounded: nothing of it is ever touched."""
    bounded = synward.Synward(wrapper=("prlimit", f"--as={1 << 30}"), splice={"connections": 1 << 24})
    with labs.Lab() as lab:
        with pytest.raises(netns.CommandFailed, match="do not fit into memory: choose a smaller .*`splice.connections`"):
            lab.protect(bounded)
