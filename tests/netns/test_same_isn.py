# SPDX-License-Identifier: GPL-2.0-or-later
"""T3: a client that comes back with the same port and ISN within the epoch, as a device does that
boots with the same numbers, connects and is served, however its old connection ended."""

import contextlib
import socket
import struct

import pytest

from lab import lab as labs
from lab import network, pairs, repair

pytestmark = pytest.mark.synward

PORT = 7000
CLIENT_PORTS = iter(range(45678, 45700))  # a device of its own for each test
ISN = 0x12345678
LIVES = 3
RESET = struct.pack("ii", 1, 0)  # SO_LINGER: close() is a RST


def by_clients_reset(client, _server):
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)


def by_servers_reset(client, server):
    server.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    server.close()
    with pytest.raises(ConnectionResetError):
        client.recv(1)


def silently(client, _server):
    repair.vanish([client])


@pytest.fixture(name="served", scope="module")
def _served(defence):
    service = {"name": "own", "listen": [network.endpoint(family, PORT) for family in (4, 6)]}
    with labs.Lab(defence(services=[service])) as lab:
        yield lab


@pytest.mark.parametrize("family", [4, 6])
@pytest.mark.parametrize("end", [by_clients_reset, by_servers_reset, silently])
def test_the_same_port_and_isn_connect_again(served, family, end):
    kind, client_port = pairs.family_of(family), next(CLIENT_PORTS)
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(served.server.socket(kind))
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((network.SERVICE[family], PORT))
        listener.listen()
        listener.settimeout(pairs.PATIENCE)
        for _ in range(LIVES):
            client = stack.enter_context(served.client.socket(kind))
            client.settimeout(pairs.PATIENCE)
            client.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            client.bind(("", client_port))
            repair.choose_isn(client, ISN)
            client.connect((network.SERVICE[family], PORT))
            client.sendall(b"hello")
            server = stack.enter_context(listener.accept()[0])
            server.settimeout(pairs.PATIENCE)
            assert server.recv(5) == b"hello"
            server.sendall(b"world")
            assert client.recv(5) == b"world"
            assert repair.next_to_send(client) == ISN + 1 + len(b"hello")
            end(client, server)
            client.close()
    assert served.defence.metrics().total("cookies_rejected_total", reason="replayed") == 0
