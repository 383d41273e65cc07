# SPDX-License-Identifier: GPL-2.0-or-later
"""SYNs with a victim's address: what it is sent, per second and in all, in calm."""

import time

import pytest

from lab import lab as labs
from lab import network, synward, traffic, wait
from lab.metrics import Difference

pytestmark = pytest.mark.synward

LIMIT = 1000  # limits.synacks_per_prefix: the default
SYNS, RATE = 40_000, 20_000
VICTIM = {4: "198.18.7.7/32", 6: "2001:db8:f::7/128"}
RETRIES = 4
LIFE = 0.2 * (2 ** (RETRIES + 1) - 1)  # of a half-open entry, here


@pytest.fixture(name="lab", scope="module")
def _lab():
    services = [{"name": "web", "listen": [network.endpoint(4), network.endpoint(6)]}]
    half_open = {"synack_timeout": "200ms", "synack_retries": RETRIES}
    with labs.Lab(synward.Synward(services=services, half_open=half_open)) as made:
        yield made


class Sent:
    """SYN-ACKs so far, and when: looked at again and again."""

    def __init__(self, daemon):
        self._daemon = daemon
        self._first = daemon.metrics().total("synacks_sent_total")
        self.samples = []

    def look(self):
        asked = time.monotonic()
        sent = self._daemon.metrics().total("synacks_sent_total") - self._first
        self.samples.append((asked, time.monotonic(), sent))
        return sent

    def per_second(self):
        """(seconds, SYN-ACKs) of all stretches of about a second: no shorter than they were."""
        for i, (begun, _, before) in enumerate(self.samples):
            rest = ((end - begun, after - before) for _, end, after in self.samples[i + 1:])
            yield next((stretch for stretch in rest if stretch[0] >= 1), (1, 0))


@pytest.mark.parametrize("family", [4, 6])
def test_a_victim_is_sent_no_more_than_the_limit(lab, family):
    daemon = lab.defence
    before = daemon.metrics()
    sent = Sent(daemon)
    victims_before = lab.tcp_arrived()[0]
    flood = traffic.Flood(lab.client, network.endpoint(family), RATE, seconds=60, sources=VICTIM[family], count=SYNS)
    while flood.running():
        sent.look()
        time.sleep(0.1)
    assert flood.wait()["sent"] == SYNS

    def over():
        sent.look()
        return daemon.metrics().total("half_open_connections") == 0
    wait.until(over, "the last entry to expire", timeout=LIFE + 30, every=0.1)
    at_victim = lab.tcp_arrived()[0] - victims_before
    worst = max(per_second for _, per_second in sent.per_second())
    change = Difference(before, daemon.metrics())
    print(f"IPv{family}: {SYNS} SYNs in {SYNS / RATE:.0f} s: {sent.look():.0f} SYN-ACKs, "
          f"{change.total('synack_retransmits_total'):.0f} of them again, {worst:.0f} in the worst second")
    # A card that is too busy may lose some on their way.
    assert 0.98 * sent.look() <= at_victim <= sent.look(), "all answers are counted"
    for seconds, synacks in sent.per_second():
        assert synacks <= LIMIT * (seconds + 0.25) + 1
    assert change.dropped()["synack_limit"] > SYNS / 2
    # H2 allows each entry five; within the rate, over the flood and the life of what it left.
    assert at_victim <= LIMIT * (SYNS / RATE + LIFE + 1)


def test_clients_of_one_network_connect_faster_than_its_limit(lab):
    """Whoever answers does not count: 3000 connections as fast as they go, of one /24."""
    before = lab.defence.metrics()
    result = lab.load(3000, concurrency=50)
    assert result["failed"] == {}
    assert Difference(before, lab.defence.metrics()).dropped().get("synack_limit", 0) == 0
