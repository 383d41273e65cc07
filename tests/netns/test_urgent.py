# SPDX-License-Identifier: GPL-2.0-or-later
"""Urgent data of a real kernel's, sent before the backend has answered (S4) and after."""

import select
import socket

import pytest

from lab import lab as labs
from lab import network, pairs

pytestmark = pytest.mark.synward
PORT = 7000


@pytest.fixture(name="urgent", scope="module")
def _urgent(defence):
    services = [{"name": "web", "listen": [network.endpoint(family, PORT) for family in (4, 6)]}]
    with labs.Lab(defence(services=services)) as lab:
        yield lab


def read_until(connection, length):
    read = b""
    while len(read) < length:
        part = connection.recv(length - len(read))
        assert part, read
        read += part
    return read


def expect(receiver, ordinary, urgent):
    """Linux takes the urgent byte out of the stream, and forgets it once the stream is read beyond it."""
    receiver.settimeout(pairs.PATIENCE)
    assert select.select([], [], [receiver], pairs.PATIENCE)[2], "nothing urgent came"
    assert receiver.recv(8, socket.MSG_OOB) == urgent
    assert read_until(receiver, len(ordinary)) == ordinary


@pytest.mark.parametrize("family", [4, 6])
def test_urgent_data_arrive_as_such(urgent, family):
    with urgent.server.socket(pairs.family_of(family)) as listening, \
            urgent.client.socket(pairs.family_of(family)) as client:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((network.SERVICE[family], PORT))
        listening.listen()
        listening.settimeout(pairs.PATIENCE)
        client.settimeout(pairs.PATIENCE)
        # All of it is there before the backend has heard of the connection.
        with urgent.server.nft_ingress("s0", f"tcp dport {PORT} tcp flags & syn == syn counter name seen drop"):
            client.connect((network.SERVICE[family], PORT))
            client.send(b"ab")
            client.send(b"c", socket.MSG_OOB)
            client.send(b"d")
        server, _ = listening.accept()
        with server:
            expect(server, b"abd", b"c")
            client.send(b"ef" + b"g", socket.MSG_OOB)
            expect(server, b"ef", b"g")
            server.send(b"hi", socket.MSG_OOB)
            expect(client, b"h", b"i")
