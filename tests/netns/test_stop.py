# SPDX-License-Identifier: GPL-2.0-or-later
"""TERM: connections are ended on both sides, then nothing of synward remains and traffic passes."""

import socket

import pytest

from lab import network, synward, wait

pytestmark = pytest.mark.synward


def open_connection(lab, family):
    client = lab.client.socket(socket.AF_INET if family == 4 else socket.AF_INET6)
    client.settimeout(5)
    client.connect((network.SERVICE[family], 80))
    client.sendall(b"GET /page HTTP/1.1\r\nHost: lab\r\n\r\n")
    assert client.recv(65536).startswith(b"HTTP/1.1 200")
    return client


def server_connections(lab):
    return lab.server.run("ss", "-Htn", "state", "established", "sport = :80").stdout.split()


@pytest.mark.parametrize("family", [4, 6])
def test_term_resets_both_sides_and_leaves_nothing(fresh_lab, family):
    lab = fresh_lab
    with open_connection(lab, family) as client:
        assert server_connections(lab)
        lab.unprotect()  # asserts exit 0, no rule, no queue
        with pytest.raises(ConnectionResetError):
            while client.recv(65536):
                pass
        wait.until(lambda: not server_connections(lab), "the server's side to be reset", timeout=3)
    assert lab.load(20, family=family)["ok"] == 20, "on_exit: pass"


def test_killed_daemon_leaves_no_rule(fresh_lab):
    """The kernel removes the owner's table with its socket: the service is open again at once."""
    lab = fresh_lab
    process = lab.defence.process
    process.kill()
    process.wait()
    lab.forget()
    wait.until(lambda: not synward.leftovers(lab.middlebox), "rules and queues to go", timeout=3)
    assert lab.load(20)["ok"] == 20


def test_stop_during_a_flood(fresh_lab):
    with fresh_lab.flood(100_000, seconds=20):
        wait.until(lambda: fresh_lab.defence.metrics().total("syns_received_total") > 20_000, "the flood")
        fresh_lab.unprotect()
