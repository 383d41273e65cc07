# SPDX-License-Identifier: GPL-2.0-or-later
"""Packets that do not fit into a queue's message, 65532 bytes and more: a sender whose card takes them
(BIG TCP) makes them. What comes of them is complete, in both directions. One that no kernel can cut is
counted."""

import contextlib
import os
import platform
import socket
import struct

import pytest

from lab import bulk, network, pairs, wait
from lab import lab as labs
from lab.capture import IP, TCP, Ether, IPv6, raw_socket
from lab.metrics import Difference

pytestmark = pytest.mark.synward

PROTECTED = 7000
LARGE = 100_000
SIZE = 64 << 20
SEGMENTS = SIZE // 1448
IPV4_SINCE = (6, 3)  # Linux's first with large packets of IPv4

_RTM_NEWLINK, _NLM_F_REQUEST, _NLM_F_ACK = 16, 1, 4
_IFLA_GSO_MAX_SIZE, _IFLA_GSO_IPV4_MAX_SIZE = 41, 63


def let_send(ns, card, size):
    """As `ip link set CARD gso_max_size SIZE gso_ipv4_max_size SIZE`, whose last two words are newer than
    Debian 12."""
    with ns.entered(), socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as netlink:
        change = struct.pack("=BxHiII", socket.AF_UNSPEC, 0, socket.if_nametoindex(card), 0, 0)
        for attribute in (_IFLA_GSO_MAX_SIZE, _IFLA_GSO_IPV4_MAX_SIZE):
            change += struct.pack("=HHI", 8, attribute, size)
        netlink.send(struct.pack("=IHHII", 16 + len(change), _RTM_NEWLINK, _NLM_F_REQUEST | _NLM_F_ACK, 1, 0) + change)
        error = struct.unpack_from("=i", netlink.recv(4096), 16)[0]
    assert error == 0, os.strerror(-error)


@pytest.fixture(name="big", scope="module")
def _big(defence):
    service = {"name": "bulk", "listen": [network.endpoint(family, PROTECTED) for family in (4, 6)]}
    with labs.Lab(defence(services=[service])) as lab:
        for ns, card in ((lab.client, "c0"), (lab.server, "s0")):
            let_send(ns, card, LARGE)
        yield lab


@pytest.mark.parametrize("family", [4, 6])
@pytest.mark.parametrize("card, side", [("m0", "client"), ("m1", "backend")])
def test_all_of_a_transfer_in_large_packets_arrives(big, family, card, side):
    if family == 4 and tuple(map(int, platform.release().split(".")[:2])) < IPV4_SINCE:
        pytest.skip("this kernel makes no large packets of IPv4")
    sender = big.client if side == "client" else big.server
    before, sent_again = big.defence.metrics(), sender.tcp_statistics()["RetransSegs"]
    with pairs.Pairs(big, family, PROTECTED, 1) as opened, \
            big.middlebox.nft_ingress(card, "meta length > 65531 counter name seen") as large:
        streams = zip(opened.ends(side), opened.servers if side == "client" else opened.clients)
        took = bulk.move(list(streams), os.urandom(SIZE))
        seen = large()
        pairs.reset(opened.clients)
    sent_again = sender.tcp_statistics()["RetransSegs"] - sent_again
    print(f"IPv{family} from the {side}: {seen} large packets, {sent_again} segments sent again, "
          f"{SIZE / took / (1 << 20):.0f} MiB/s")
    assert seen > 100, "the sender made no large packets"
    assert sent_again < SEGMENTS / 50, "segments came in another order, or not at all"
    change = Difference(before, big.defence.metrics())
    assert change.dropped() == {}
    assert change.total("queue_dropped_total") == 0


@contextlib.contextmanager
def long_frames(lab):
    """Links that carry the longest packets there are, without any help of segmentation."""
    link = ((lab.client, "c0"), (lab.middlebox, "m0"))
    for ns, card in link:
        ns.ip("link", "set", card, "mtu", 65535)
    try:
        with raw_socket(lab.client, "c0") as send:
            yield send
    finally:
        for ns, card in link:
            ns.ip("link", "set", card, "mtu", 1500)


@pytest.mark.parametrize("size, reason", [(65531, "unknown_segment"), (65532, "truncated_by_queue"),
                                          (65535, "truncated_by_queue")])
@pytest.mark.parametrize("family", [4, 6])
def test_a_packet_that_cannot_be_cut_is_counted(big, family, size, reason):
    ip = (IP if family == 4 else IPv6)(src=network.client_address(family), dst=network.SERVICE[family])
    segment = TCP(sport=40000, dport=PROTECTED, flags="A", seq=1, ack=1)
    before = big.defence.metrics()
    with long_frames(big) as send:
        send(Ether(src=network.MAC["c0"], dst=network.MAC["m0"]) / ip / segment / bytes(size - len(ip / segment)))
        wait.until(lambda: Difference(before, big.defence.metrics()).dropped(), "the packet to be dropped")
    assert Difference(before, big.defence.metrics()).dropped() == {reason: 1}
