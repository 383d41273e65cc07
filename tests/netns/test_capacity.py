# SPDX-License-Identifier: GPL-2.0-or-later
"""Clients that acknowledge the server's FIN and say no more fill the table: who gives way to whom."""

import concurrent.futures
import contextlib
import socket

import pytest

from lab import lab as labs
from lab import network, synward, wait

pytestmark = pytest.mark.synward

CONNECTIONS, BOUND = 256, 252
SILENT = 300
HALF_CLOSED_IDLE = 8  # seconds: all of them are there long before
FAMILIES = {4: socket.AF_INET, 6: socket.AF_INET6}
REQUEST = b"GET /page HTTP/1.1\r\nHost: lab\r\nConnection: close\r\n\r\n"


@pytest.fixture(name="lab")
def _lab():
    splice = {"engine": "userspace", "adopt": "0s", "connections": CONNECTIONS,
              "half_closed_idle": f"{HALF_CLOSED_IDLE}s"}
    with labs.Lab(synward.Synward(workers=1, splice=splice)) as made:
        yield made


def falls_silent(lab, family):
    """A client in CLOSE_WAIT, or None if it got no connection."""
    client = lab.client.socket(FAMILIES[family])
    client.settimeout(5)
    try:
        client.connect((network.SERVICE[family], 80))
        client.sendall(REQUEST)
        while client.recv(65536):
            pass
        return client
    except OSError:
        client.close()
        return None


@contextlib.contextmanager
def silent_clients(lab, family):
    """As many as get a connection, of so many that try; all of one network."""
    with contextlib.ExitStack() as stack:
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            clients = list(pool.map(lambda _: falls_silent(lab, family), range(BOUND)))
        assert None not in clients, "the table is not full yet"
        for client in clients:
            stack.enter_context(client)
        for _ in range(SILENT - BOUND):  # they are not answered, and do not wait for that
            late = stack.enter_context(lab.client.socket(FAMILIES[family]))
            late.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                late.connect((network.SERVICE[family], 80))
        yield clients


def connections(daemon, **labels):
    return daemon.metrics().total("connections", protected_service="web", side="client", **labels)


@pytest.mark.parametrize("family", [4, 6])
def test_silent_clients_do_not_lock_others_out(lab, family):
    """Another network gets in at once, up to its share; their own, as soon as they have been silent for too long."""
    daemon = lab.defence
    with silent_clients(lab, family) as clients:
        assert connections(daemon, state="close_wait") > BOUND - 60, "they are there"
        other = 10 - family
        assert lab.load(20, family=other, concurrency=10)["failed"] == {}
        gave_way = daemon.metrics().total("connections_gave_way_total", protected_service="web", cause="share")
        assert gave_way > 0
        assert daemon.metrics().total("connections_closed_total", protected_service="web",
                                      reason="displaced") == gave_way
        wait.until(lambda: daemon.metrics().total("connections_closed_total", protected_service="web", reason="idle")
                   >= BOUND - gave_way, "the silent ones to be ended", timeout=HALF_CLOSED_IDLE + 20)
        assert lab.load(100, family=family, concurrency=10)["failed"] == {}
        for client in clients:
            with pytest.raises((ConnectionResetError, BrokenPipeError)):
                client.sendall(b"x")
                client.recv(1)


def test_one_client_of_one_service_leaves_the_others_open(lab):
    """Of one network, all of it with one service: the other service has a share."""
    lab.sshd()
    with silent_clients(lab, 4):
        with lab.client.socket(FAMILIES[4]) as client:
            client.settimeout(5)
            client.connect((network.SERVICE[4], 22))
            assert client.recv(64).startswith(b"SSH-")
        assert lab.defence.metrics().total("connections_gave_way_total", protected_service="web", cause="share") > 0
