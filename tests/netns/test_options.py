# SPDX-License-Identifier: GPL-2.0-or-later
"""What the two sides are told about each other, from captures on both sides."""

import itertools
import random

import pytest

from lab import network
from lab.capture import IP, TCP, Capture, Ether, IPv6, is_challenge, is_syn, option, raw_socket

OPTIONS = {
    "none": [],
    "mss": [("MSS", 1460)],
    "linux": [("MSS", 1460), ("SAckOK", b""), ("Timestamp", (12345, 0)), ("NOP", None), ("WScale", 7)],
    "windows": [("MSS", 1460), ("NOP", None), ("WScale", 8), ("NOP", None), ("NOP", None), ("SAckOK", b"")],
    "no_mss": [("SAckOK", b""), ("Timestamp", (12345, 0)), ("NOP", None), ("WScale", 7)],
    "timestamps_only": [("NOP", None), ("NOP", None), ("Timestamp", (12345, 0))],
    "small_mss": [("MSS", 536), ("WScale", 0), ("NOP", None)],
    "unknown": [("MSS", 1400), (200, b"abcdef")],
    "fast_open": [("MSS", 1460), ("NOP", None), ("NOP", None), (34, b"")],
}
# The daemon itself asks servers what they accept, by SYNs of the middlebox's own.
FROM_CLIENTS = f"tcp and (src net {network.CLIENTS4} or src net {network.CLIENTS6})"
_ports = itertools.count(20000)


def set_timestamps(lab, on):
    lab.client.sysctl(net__ipv4__tcp_timestamps=1 if on else 0)


@pytest.mark.known_to_fail_behind("synproxy")  # without timestamps it has nowhere to keep options
@pytest.mark.parametrize("family", [4, 6])
def test_a_client_without_timestamps_keeps_its_options(lab, family):
    set_timestamps(lab, False)
    try:
        with Capture(lab.middlebox, "m0", lab.directory) as near, \
                Capture(lab.server, "s0", lab.directory, FROM_CLIENTS) as far:
            assert lab.load(5, family=family)["ok"] == 5
            far.wait_for(lambda seen: sum(map(is_syn, seen)) >= 5, "the backend's SYNs")
            own = {packet[TCP].sport: packet for packet in near.packets() if is_syn(packet)}
            synack = [packet for packet in near.packets() if is_challenge(packet)]
            told = {packet[TCP].sport: packet for packet in far.packets() if is_syn(packet)}
    finally:
        set_timestamps(lab, True)
    assert own.keys() == told.keys() and len(own) == 5
    for port, packet in told.items():
        assert option(packet, "Timestamp") is None
        assert option(packet, "WScale") == option(own[port], "WScale") is not None
        assert option(packet, "SAckOK") == option(own[port], "SAckOK") is not None
        assert 536 < option(packet, "MSS") <= option(own[port], "MSS")
        assert packet[TCP].seq == own[port][TCP].seq
    for packet in synack:
        assert option(packet, "Timestamp") is None
        assert option(packet, "WScale") is not None and option(packet, "SAckOK") is not None


def syn(family, name):
    source = "198.18.7.7" if family == 4 else "2001:db8:f::7"
    layer = IP(src=source, dst=network.SERVICE[4]) if family == 4 else IPv6(src=source, dst=network.SERVICE[6])
    return (Ether(src=network.MAC["c0"], dst=network.MAC["m0"]) / layer
            / TCP(sport=next(_ports), dport=80, flags="S", seq=random.getrandbits(32), options=OPTIONS[name]))


def header_length(packet):
    return packet[TCP].dataofs * 4


@pytest.mark.parametrize("family", [4, 6])
def test_a_challenge_is_never_longer_than_its_syn(lab, synward, family):
    """O1: no amplification; four bytes more only if the SYN had no MSS option, as MSS is always told."""
    frames = {name: Ether(bytes(syn(family, name))) for name in OPTIONS}
    with Capture(lab.middlebox, "m0", lab.directory, "tcp src port 80") as capture:
        with raw_socket(lab.client, "c0") as send:
            for frame in frames.values():
                send(frame)
        packets = capture.wait_for(lambda seen: len({p[TCP].dport for p in seen}) == len(frames),
                                   "an answer to every SYN")
    answers = {packet[TCP].dport: packet for packet in reversed(packets)}  # the first, not its repetition
    for name, frame in frames.items():
        answer = answers[frame[TCP].sport]
        more = header_length(answer) - header_length(frame)
        assert more <= (0 if option(frame, "MSS") else 4), name
        assert is_challenge(answer) and answer[TCP].ack == (frame[TCP].seq + 1) % 2**32
        assert option(answer, "MSS"), name
        for offered in ("WScale", "SAckOK", "Timestamp"):
            assert option(frame, offered) is not None or option(answer, offered) is None, (name, offered)
        assert not {kind for kind, _ in answer[TCP].options} - {"MSS", "WScale", "SAckOK", "Timestamp", "NOP", "EOL"}
        again = answer.payload.copy()
        del again.payload.chksum
        if family == 4:
            del again.chksum
        assert bytes(again)[:40] == bytes(answer.payload)[:40], f"{name}: a checksum is wrong"
