# SPDX-License-Identifier: GPL-2.0-or-later
"""A server's kernel that accepts less than it was learned to, while the daemon runs (W2): clients are
lost for a round trip, not until the epoch ends, and none sends marks that nobody echoes."""

import contextlib

import pytest

from lab import lab as labs
from lab import network, pairs
from lab.capture import IP, TCP, Capture, IPv6, is_challenge, option

pytestmark = pytest.mark.synward
TRIES = 25
REQUEST = b"GET /page HTTP/1.0\r\n\r\n"
ECE = 0x40


@pytest.fixture(name="learned")
def _learned(defence):
    """The daemon has learned a server that accepts everything, and the client wants it all."""
    with labs.Lab() as lab:
        lab.client.sysctl(net__ipv4__tcp_ecn=1)
        lab.server.sysctl(net__ipv4__tcp_ecn=1)
        lab.protect(defence())
        yield lab


def served(lab, family):
    """How many of the tries are served, one after the other."""
    count = 0
    for _ in range(TRIES):
        with lab.client.socket(pairs.family_of(family)) as client, contextlib.suppress(ConnectionResetError):
            client.settimeout(pairs.PATIENCE)
            client.connect((network.SERVICE[family], 80))
            client.send(REQUEST)
            answer = b""
            while part := client.recv(65536):
                answer += part
            count += answer.startswith(b"HTTP/1.1 200")
    return count


def traffic_class(packet):
    return packet[IP].tos if IP in packet else packet[IPv6].tc


@pytest.mark.parametrize("family", [4, 6])
def test_timestamps(learned, family):
    assert served(learned, family) == TRIES
    learned.server.sysctl(net__ipv4__tcp_timestamps=0)
    with Capture(learned.middlebox, "m0", learned.directory, "tcp src port 80") as capture:
        assert served(learned, family) >= TRIES - 1
        challenges = capture.wait_for(lambda seen: sum(map(is_challenge, seen)) >= TRIES, "the challenges")
    promised = [option(packet, "Timestamp") is not None for packet in challenges if is_challenge(packet)]
    assert promised == [True] + [False] * (len(promised) - 1)


@pytest.mark.parametrize("family", [4, 6])
def test_ecn(learned, family):
    assert served(learned, family) == TRIES
    learned.server.sysctl(net__ipv4__tcp_ecn=0)
    with Capture(learned.middlebox, "m0", learned.directory, "tcp src port 80") as near, \
            Capture(learned.server, "s0", learned.directory, "tcp dst port 80") as far:
        assert served(learned, family) == TRIES
        challenges = near.wait_for(lambda seen: sum(map(is_challenge, seen)) >= TRIES, "the challenges")
        arrived = far.wait_for(lambda seen: sum(bytes(p[TCP].payload).startswith(b"GET") for p in seen) >= TRIES,
                               "the requests")
    promised = [bool(packet[TCP].flags & ECE) for packet in challenges if is_challenge(packet)]
    assert promised == [True] + [False] * (len(promised) - 1)
    assert not any(traffic_class(packet) & 3 for packet in arrived)
