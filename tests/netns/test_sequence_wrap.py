# SPDX-License-Identifier: GPL-2.0-or-later
"""Sequence numbers wrap through 2^32 in the middle of a transfer: the client's, the backend's, and
what the client sees of the backend's, which is the challenge's ISN and so wraps elsewhere."""

import pytest

from lab import bulk, network, pairs, repair
from lab import lab as labs

pytestmark = pytest.mark.synward

PORT = 7000
CIRCLE = 1 << 32
MEBIBYTES = 80
NEAR = 64 << 20  # before the wrap: one connection of 64 starts there by chance
FAMILIES = pytest.mark.parametrize("family", [4, 6])


@pytest.fixture(name="bulky", scope="module")
def _bulky(defence):
    service = {"name": "bulk", "listen": [network.endpoint(family, PORT) for family in (4, 6)]}
    with labs.Lab(defence(services=[service])) as lab:
        yield lab


def isn_of_client(isn):
    return lambda sock, side: repair.choose_isn(sock, isn) if side == "client" else None


def near_the_wrap(number):
    return number >= CIRCLE - NEAR


def find_pair(opened, number_of):
    return next((pair for pair in zip(opened.clients, opened.servers) if near_the_wrap(number_of(*pair))), None)


def check_wrapping_transfer(pair, numbers):
    """Both ways at once; every number that was near the wrap is beyond it afterwards."""
    before = [number() for number in numbers]
    assert all(map(near_the_wrap, before))
    client, server = pair
    bulk.move_mebibytes([(client, server), (server, client)], MEBIBYTES)
    assert [number() for number in numbers] == [(at + (MEBIBYTES << 20)) % CIRCLE for at in before]


@FAMILIES
@pytest.mark.parametrize("whose", ["challenge", "backend"])
def test_numbers_of_both_sides_wrap(bulky, family, whose):
    """The client's ISN is chosen; the other side's cannot be: of many connections one is near."""
    look = {"challenge": lambda client, server: repair.next_to_receive(client),
            "backend": lambda client, server: repair.next_to_send(server)}[whose]
    for _ in range(20):  # in vain in one run of 10^27
        with pairs.Pairs(bulky, family, PORT, 200, prepare=isn_of_client(CIRCLE - NEAR // 2)) as opened:
            if pair := find_pair(opened, look):
                return check_wrapping_transfer(pair, [lambda: repair.next_to_send(pair[0]), lambda: look(*pair)])
    pytest.fail("no connection began near the wrap")


@FAMILIES
@pytest.mark.parametrize("isn", [CIRCLE - 1, CIRCLE - 2, CIRCLE // 2, CIRCLE // 2 - 1])
def test_the_wrap_is_within_the_handshake(bulky, family, isn):
    with pairs.Pairs(bulky, family, PORT, 5, prepare=isn_of_client(isn)) as opened:
        assert {repair.next_to_receive(server) for server in opened.servers} == {(isn + 1) % CIRCLE}
        pairs.exchange(opened.clients, opened.servers, b"request" * 1000)
        pairs.exchange(opened.servers, opened.clients, b"response" * 1000)
        pairs.shut(opened.clients)
        assert pairs.last_words(opened.servers) == {b"": 5}


def test_more_than_the_whole_circle_each_way_at_once(bulky):
    """Every number of either side occurs, so every wrap does."""
    with pairs.Pairs(bulky, 4, PORT, 1) as opened:
        client, server = opened.clients[0], opened.servers[0]
        took = bulk.move_mebibytes([(client, server), (server, client)], (CIRCLE >> 20) + 4)
    print(f"4100 MiB each way at once in {took:.1f} s")
