# SPDX-License-Identifier: GPL-2.0-or-later
"""A path that loses, repeats and reorders: what arrives is what was sent, and neither side waits for
its retransmission timer more often than it does on the same path through plain forwarding."""

import os
import statistics

import pytest

from lab import bulk, network, pairs, relay
from lab import lab as labs
from lab.metrics import Difference

pytestmark = pytest.mark.synward

PROTECTED, PLAIN = 7000, 7001  # of two ports of one server, one is a service of synward's
CONNECTIONS = 4
SIZE = 4 << 20  # each connection, each way
# By turns, each with a seed of its own; medians are compared. More where one ran into a moment when
# something else took the machine: its timers expire without any loss.
ROUNDS, ROUNDS_MAX = 3, 9
# What may become of a segment that came twice, or too early, while the backend has not answered.
WHILE_CONNECTING = {"early_data_duplicate", "early_data_out_of_order"}


@pytest.fixture(name="lossy", scope="module")
def _lossy(defence):
    service = {"name": "bulk", "listen": [network.endpoint(family, PROTECTED) for family in (4, 6)]}
    with labs.Lab(defence(services=[service]), network.Options(relay=True)) as lab:
        yield lab


def timeouts(lab):
    """Of retransmission timers, at the client and at the server."""
    return [ns.tcp_statistics()["TCPTimeouts"] for ns in (lab.client, lab.server)]


def transfer(lab, family, port, seed):
    """Moves the data both ways at once; how many timers expired meanwhile, on either side."""
    data, before = os.urandom(SIZE), timeouts(lab)
    with relay.path(lab.net.relay, seed) as did, pairs.Pairs(lab, family, port, CONNECTIONS) as opened:
        took = bulk.move([*zip(opened.clients, opened.servers), *zip(opened.servers, opened.clients)], data)
        expired = [after - earlier for earlier, after in zip(before, timeouts(lab))]
        pairs.reset(opened.clients)
    print(f"{'plain' if port == PLAIN else 'synward'}: {took:.2f} s, timeouts {expired}, {did}")
    assert did["overrun"] == 0, "the relay lost frames that it should not have"
    for what, share in (("lost", relay.LOST), ("repeated", relay.REPEATED), ("overtaken", relay.OVERTAKEN)):
        assert share / 2 < did[what] / did["frames"] < share * 2
    return expired


def medians(rounds):
    return [statistics.median(side) for side in zip(*rounds)]


def no_worse(expired):
    return all(with_synward <= 2 * without + 5
               for with_synward, without in zip(medians(expired[PROTECTED]), medians(expired[PLAIN])))


@pytest.mark.parametrize("family", [4, 6])
def test_as_good_as_plain_forwarding(lossy, family):
    before = lossy.defence.metrics()
    expired = {PLAIN: [], PROTECTED: []}
    for seed in range(ROUNDS_MAX):
        for port, rounds in expired.items():
            rounds.append(transfer(lossy, family, port, seed))
        if seed + 1 >= ROUNDS and no_worse(expired):
            break
    print(f"IPv{family}: timeouts at client and server, medians of {seed + 1}: "
          f"{medians(expired[PROTECTED])}; plain forwarding {medians(expired[PLAIN])}")
    assert no_worse(expired)
    change = Difference(before, lossy.defence.metrics())
    spliced = change.total("connections_spliced_total", protected_service="bulk")
    assert spliced == len(expired[PROTECTED]) * CONNECTIONS
    assert set(change.dropped()) <= WHILE_CONNECTING, "an honest segment was taken for a forged one"
