# SPDX-License-Identifier: GPL-2.0-or-later
"""A challenge takes its SYN's place, however long that was: it is forwarded, and not sent by the slower
raw socket."""

import re

import pytest

from lab import lab as labs
from lab import network
from lab.capture import IP, TCP, Capture, Ether, IPv6, is_challenge, raw_socket

from scapy.layers.inet import IPOption_NOP  # pylint: disable=wrong-import-order
from scapy.layers.inet6 import IPv6ExtHdrDestOpt, PadN  # pylint: disable=wrong-import-order

pytestmark = pytest.mark.synward

OPTIONS = [("MSS", 1400), ("SAckOK", b""), ("Timestamp", (7, 0)), ("NOP", None), ("WScale", 7)]
SYNS = {"no_options": ([], b""), "one_byte": (OPTIONS, b"x"), "odd_bytes": ([("MSS", 1400)], b"xyz"),
        "full": (OPTIONS, b"x" * 1400)}


@pytest.fixture(name="counted", scope="module")
def _counted(defence):
    """A middlebox that counts what it says itself. No challenge is repeated, for that would be said so."""
    with labs.Lab(defence(half_open={"synack_retries": 0})) as lab:
        lab.middlebox.nft("""
            table inet observer {
              counter said { }
              chain output {
                type filter hook output priority filter;
                oifname "m0" tcp sport 80 counter name said
              }
            }""")
        yield lab
        lab.middlebox.nft("delete table inet observer\n")


def said(lab):
    listed = lab.middlebox.run("nft", "list", "counter", "inet", "observer", "said").stdout
    return int(re.search(r"packets (\d+)", listed)[1])


def spoofed(family, **fields):
    source = {4: "198.18.9.9", 6: "2001:db8:f::9"}[family]
    return (IP if family == 4 else IPv6)(src=source, dst=network.SERVICE[family], **fields)


def challenge_to(lab, ip, port, options, data=b""):
    with Capture(lab.middlebox, "m0", lab.directory, f"tcp src port 80 and dst port {port}") as capture:
        with raw_socket(lab.client, "c0") as send:
            syn = TCP(sport=port, dport=80, flags="S", seq=1000, options=options)
            send(Ether(src=network.MAC["c0"], dst=network.MAC["m0"]) / ip / syn / data)
        challenge, = capture.wait_for(lambda seen: any(map(is_challenge, seen)), "the challenge")
    return challenge


@pytest.mark.parametrize("family", [4, 6])
@pytest.mark.parametrize("kind", SYNS)
def test_a_syn_is_answered_in_place_at_any_length(counted, family, kind):
    options, data = SYNS[kind]
    before = said(counted)
    challenge = challenge_to(counted, spoofed(family), 5000 + list(SYNS).index(kind), options, data)
    assert challenge[TCP].ack == 1001
    assert not bytes(challenge[TCP].payload).strip(b"\0"), "it carries data"
    assert said(counted) == before


@pytest.mark.parametrize("family", [4, 6])
def test_a_syn_with_ip_options_is_answered_without_them(counted, family):
    """The kernel takes no answer in its place that has others."""
    if family == 4:
        ip = spoofed(4, options=[IPOption_NOP()] * 4)
    else:
        ip = spoofed(6) / IPv6ExtHdrDestOpt(options=[PadN(optdata=bytes(4))])
    before = said(counted)
    challenge = challenge_to(counted, ip, 5010, OPTIONS)
    assert challenge[TCP].ack == 1001
    assert challenge[IP].ihl == 5 if family == 4 else challenge[IPv6].nh == 6
    assert said(counted) == before + 1
