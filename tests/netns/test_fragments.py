# SPDX-License-Identifier: GPL-2.0-or-later
"""IP fragments: the kernel puts them together before the rules see them, from clients and from
servers, for protected and for other ports. Both links have a relay that cuts what is longer than a
narrower link would take, and makes atomic fragments of what is left of IPv6."""

import concurrent.futures
import contextlib
import itertools
import os
import struct
import threading
import time

import pytest

from lab import bulk, network, pairs, relay
from lab import lab as labs
from lab.capture import IP, Ether, IPv6, raw_socket
from lab.metrics import Difference
from scapy.packet import Raw

pytestmark = pytest.mark.synward

TRANSPARENT, TRANSLATED, PLAIN = 7000, 7001, 7002
BEHIND = 7003  # the backends' port of the translated service
LINK = 1400
SIZE = 1 << 20


def both(port):
    return [network.endpoint(family, port) for family in (4, 6)]


@pytest.fixture(name="narrow", scope="module")
def _narrow(defence):
    services = [{"name": "bulk", "listen": both(TRANSPARENT)},
                {"name": "nat", "listen": both(TRANSLATED), "backends": both(BEHIND)},
                {"name": "web", "listen": both(80)}]
    with labs.Lab(options=network.Options(relay=True, server_relay=True)) as lab, contextlib.ExitStack() as paths:
        paths.enter_context(relay.cutting_path(lab.net.relay, LINK, ("r0", "r1")))
        paths.enter_context(relay.cutting_path(lab.net.relay, LINK, ("r2", "r3")))
        lab.protect(defence(services=services))
        yield lab


@pytest.mark.parametrize("port", [TRANSPARENT, TRANSLATED, PLAIN])
@pytest.mark.parametrize("family", [4, 6])
def test_a_megabyte_each_way_in_fragments(narrow, family, port):
    before, data = narrow.defence.metrics(), os.urandom(SIZE)
    with pairs.Pairs(narrow, family, port, 1, backend_port=BEHIND if port == TRANSLATED else port) as opened:
        for streams in (zip(opened.clients, opened.servers), zip(opened.servers, opened.clients)):
            bulk.move(list(streams), data)
        pairs.reset(opened.clients)
    change = Difference(before, narrow.defence.metrics())
    assert change.dropped() == {}
    assert change.total("queue_dropped_total") == 0
    assert change.total("cookies_redeemed_total") == (port != PLAIN)


def rubbish(family):
    """Pieces of segments to the service: none will ever be whole."""
    link = Ether(src=network.MAC["c0"], dst=network.MAC["m0"])
    source, target = network.client_address(family), network.SERVICE[family]
    for number in itertools.count(1):
        piece = Raw(os.urandom(24))
        if family == 4:
            yield bytes(link / IP(src=source, dst=target, flags="MF", proto=6, id=number & 0xffff) / piece)
        else:
            header = Raw(struct.pack("!BxHI", 6, 1, number))
            yield bytes(link / IPv6(src=source, dst=target, nh=44) / header / piece)


@contextlib.contextmanager
def flooded(lab, family, rate):
    """Rubbish at that rate while the block lasts, at most half a minute; yields how many are sent."""
    frames, sent, over = list(itertools.islice(rubbish(family), 4096)), [0], threading.Event()

    def work():
        with raw_socket(lab.client, "c0") as send:
            begin = time.monotonic()
            while not over.is_set() and sent[0] < 30 * rate:
                while sent[0] < (time.monotonic() - begin) * rate:
                    send(frames[sent[0] % len(frames)])
                    sent[0] += 1
                over.wait(0.001)

    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        running = pool.submit(work)
        try:
            yield sent
        finally:
            over.set()
            running.result()


@pytest.mark.parametrize("family", [4, 6])
def test_rubbish_in_fragments_costs_no_connection(lab, synward, family):
    before, arrived = synward.metrics(), lab.packets("m0")[0]
    with flooded(lab, family, 20_000) as sent:
        begin = time.monotonic()
        result = lab.load(400, family=family, rate=200)
        rate = sent[0] / (time.monotonic() - begin)
    print(f"IPv{family}: {rate:.0f} fragments/s, {result}")
    assert result["ok"] == 400
    assert lab.packets("m0")[0] - arrived >= sent[0] > 20_000, "the flood did not arrive"
    change = Difference(before, synward.metrics())
    assert change.dropped() == {}
    assert change.total("queue_dropped_total") == 0
