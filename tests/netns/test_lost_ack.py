# SPDX-License-Identifier: GPL-2.0-or-later
"""The case that cookies alone break: the client's final ACK is lost and the server speaks first."""

import socket
import time

import pytest

from lab import network, wait


@pytest.fixture(name="ssh", scope="module")
def _ssh(lab):
    return lab.sshd()


# The first pure ACK to port 22 is lost on its way, and no other.
LOSE_ONE = ("tcp dport 22 tcp flags & (fin | syn | rst | ack) == ack "
            "limit rate 1/day burst 1 packets counter name seen drop")


@pytest.mark.known_to_fail_behind("synproxy")
@pytest.mark.parametrize("family", [4, 6])
def test_the_banner_comes_through_the_retransmitted_synack(lab, ssh, family):
    metered = lab.defence.name == "synward"
    before = lab.defence.metrics() if metered else None
    with lab.middlebox.nft_ingress("m0", LOSE_ONE) as lost:
        with lab.client.socket(socket.AF_INET if family == 4 else socket.AF_INET6) as client:
            client.settimeout(30)
            start = time.monotonic()
            client.connect((network.SERVICE[family], 22))
            banner = client.recv(256)
            took = time.monotonic() - start
        assert lost() == 1
    assert banner.startswith(b"SSH-2.0-OpenSSH")
    assert 0.5 < took < 8, "the SYN-ACK is sent again after one second"
    if metered:
        retransmits = lab.defence.metrics().total("synack_retransmits_total", protected_service="ssh")
        assert retransmits - before.total("synack_retransmits_total", protected_service="ssh") == 1


def test_the_banner_comes_without_loss(lab, ssh):
    with lab.client.socket() as client:
        client.settimeout(30)
        client.connect((network.SERVICE[4], 22))
        assert client.recv(256).startswith(b"SSH-2.0-OpenSSH")
    wait.until(lambda: not lab.client.run("ss", "-Htn", "state", "established").stdout.strip(), "the end")
