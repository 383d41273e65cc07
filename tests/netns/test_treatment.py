# SPDX-License-Identifier: GPL-2.0-or-later
"""DSCP and flow labels: routers treat what synward says like what the end says for which it does."""

import socket

import pytest

from lab import network, pairs
from lab.capture import IP, TCP, Capture, IPv6, is_challenge, is_syn

pytestmark = pytest.mark.synward
EXPEDITED = 0xb8
REQUEST = b"GET /page HTTP/1.0\r\n\r\n"


def traffic_class(packet):
    return packet[IP].tos if IP in packet else packet[IPv6].tc


def labels(packets):
    return {packet[IPv6].fl for packet in packets}


def fetch(lab, family):
    with lab.client.socket(pairs.family_of(family)) as client:
        level, option = (socket.IPPROTO_IP, socket.IP_TOS) if family == 4 else (
            socket.IPPROTO_IPV6, socket.IPV6_TCLASS)
        client.setsockopt(level, option, EXPEDITED)
        client.settimeout(pairs.PATIENCE)
        client.connect((network.SERVICE[family], 80))
        client.send(REQUEST)
        while client.recv(65536):
            pass
        return client.getsockname()[1]


@pytest.mark.parametrize("family", [4, 6])
def test_a_connection_has_one_dscp_and_one_flow_label_each_way(lab, family):
    with Capture(lab.middlebox, "m0", lab.directory) as near, Capture(lab.server, "s0", lab.directory) as far:
        port = fetch(lab, family)

        def of_client(seen):
            return [packet for packet in seen if packet[TCP].sport == port]

        arrived = of_client(far.wait_for(
            lambda seen: any(packet[TCP].flags & 1 for packet in of_client(seen)), "the client's FIN"))
        seen = near.packets()
    sent = of_client(seen)
    heard = [packet for packet in seen if packet[TCP].dport == port]
    assert any(map(is_syn, arrived)) and any(map(is_challenge, heard))
    assert {traffic_class(packet) & ~3 for packet in arrived} == {EXPEDITED}
    assert all(traffic_class(packet) == EXPEDITED for packet in heard if is_challenge(packet))
    if family == 6:
        assert len(labels(sent)) == 1 and labels(arrived) == labels(sent) != {0}
        assert len(labels(heard)) == 1 and labels(heard) != {0}
