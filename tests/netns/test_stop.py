# SPDX-License-Identifier: GPL-2.0-or-later
"""TERM: connections are ended on both sides, then nothing of synward remains and traffic passes."""

import signal
import socket
import time

import pytest

from lab import network, synward, threads, wait

pytestmark = pytest.mark.synward

STOPPED_WITHIN = 2  # seconds
TRIES = 3


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
        wait.until(lambda: not server_connections(lab), "the server's side to be reset")
    assert lab.load(20, family=family)["ok"] == 20, "on_exit: pass"


def test_killed_daemon_leaves_no_rule(fresh_lab):
    """The kernel removes the owner's table with its socket: the service is open again at once."""
    lab = fresh_lab
    process = lab.defence.process
    process.kill()
    process.wait()
    lab.forget()
    wait.until(lambda: not synward.leftovers(lab.middlebox), "rules and queues to go")
    assert lab.load(20)["ok"] == 20


def seconds_to_stop_under_load(lab):
    """In a flood, with connections on both sides to be reset."""
    daemon = lab.defence
    with lab.flood(50_000):
        with lab.holding(1000, hold_seconds=120), lab.holding(1000, family=6, hold_seconds=120):
            wait.until(lambda: daemon.metrics().total("connections", side="client", state="established") >= 2000,
                       "the connections", timeout=60)
            wait.until(lambda: daemon.metrics().total("syns_received_total") > 20_000, "the flood")
            begun = time.monotonic()
            daemon.process.send_signal(signal.SIGTERM)
            assert daemon.process.wait(20) == 0, daemon.log()
            took = time.monotonic() - begun
            assert not synward.leftovers(lab.middlebox)
            wait.until(lambda: not server_connections(lab), "the servers' sides to be reset")
    lab.forget()
    assert lab.load(20)["ok"] == 20, "straight to the server"
    return took


def test_stop_under_load(fresh_lab, defence):
    """The contract is two seconds; another try where something else kept the machine from it."""
    took = [seconds_to_stop_under_load(fresh_lab)]
    while min(took) >= STOPPED_WITHIN and len(took) < TRIES:
        fresh_lab.protect(defence())
        took.append(seconds_to_stop_under_load(fresh_lab))
    assert min(took) < STOPPED_WITHIN, f"it took {took} s"


def test_stop_does_not_wait_for_a_worker_that_hangs(fresh_lab):
    """Exit 1 with a sentence, and the servers can be reached: no rule, no queue."""
    lab, daemon = fresh_lab, fresh_lab.defence
    with threads.halted(threads.named(daemon.process.pid, "worker-0")) as worker:
        begun = time.monotonic()
        daemon.process.send_signal(signal.SIGTERM)
        wait.until(worker.ended, "the process to end")
        assert daemon.process.wait(5) == 1
        assert time.monotonic() - begun < 8, "longer than half of TimeoutStopSec= and a little"
    lab.forget()
    assert "worker 0 hangs: its connections were not reset, the rules go all the same" in daemon.log()
    assert not synward.leftovers(lab.middlebox)
    assert lab.load(20)["ok"] == 20, "on_exit: pass"
