# SPDX-License-Identifier: GPL-2.0-or-later
"""What a service manager is told: READY, STATUS, RELOADING, STOPPING and the watchdog's pings."""

import contextlib
import json
import signal
import statistics
import subprocess
import time

import pytest

from lab import lab as labs
from lab import netns, network, notify, synward, threads, wait

pytestmark = pytest.mark.synward

ONE_SERVICE = [{"name": "web", "listen": [network.endpoint(4), network.endpoint(6)]}]
STUCK_SECONDS = 3  # daemon/watch.cc


@pytest.fixture(name="plain")
def _plain():
    with labs.Lab() as lab:
        yield lab


@pytest.fixture(name="started")
def _started(plain):
    """(lab, manager, daemon), with WatchdogSec=1."""
    manager = notify.Manager(plain.directory, watchdog_us=1_000_000)
    try:
        daemon = plain.protect(synward.Synward(wrapper=manager.environment, services=ONE_SERVICE))
        yield plain, manager, daemon
        plain.unprotect()
    finally:
        plain.forget()
        manager.close()


def reload(daemon, **changes):
    config = json.loads(daemon.config_file.read_text())
    daemon.config_file.write_text(json.dumps({**config, **changes}))
    daemon.process.send_signal(signal.SIGHUP)


@contextlib.contextmanager
def table_of_another_process(ns):
    owner = ns.popen("nft", "-i", stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    try:
        owner.stdin.write("add table ip synward { flags owner; }\n")
        owner.stdin.flush()
        wait.until(lambda: "synward" in ns.run("nft", "list", "tables").stdout, "the table")
        yield
    finally:
        owner.stdin.close()
        netns.stop(owner)


def test_ready_comes_after_the_rules(plain):
    """Where the rules cannot be installed, all else was done already; READY must not have been sent."""
    manager = notify.Manager(plain.directory)
    try:
        with table_of_another_process(plain.middlebox):
            with pytest.raises(netns.CommandFailed, match="another process owns the nftables table `synward`"):
                plain.protect(synward.Synward(wrapper=manager.environment))
        assert manager.messages() == []
        plain.protect(synward.Synward(wrapper=manager.environment))
        wait.until(lambda: "READY=1" in manager.messages(), "READY")
        assert [text for text in manager.without_pings() if not text.startswith("STATUS=")] == ["READY=1"]
        plain.unprotect()
    finally:
        manager.close()


def test_status_follows_what_happens(started):
    lab, manager, _ = started
    assert manager.statuses()[0] == "protecting 1 service: 0 half-open, 0 SYN/s, 0 connections"
    with lab.holding(3, hold_seconds=60):
        wait.until(lambda: manager.statuses()[-1].endswith(", 3 connections"), "the connections")
    with lab.flood(5_000):
        wait.until(lambda: "half-open, 0 SYN/s" not in manager.statuses()[-1], "the rate")
        wait.until(lambda: 3_000 < int(manager.statuses()[-1].split(", ")[1].split()[0]) < 7_000,
                   "the rate of the flood", timeout=20)


def test_reload_and_stop_in_their_order(started):
    lab, manager, daemon = started
    wait.until(lambda: "READY=1" in manager.messages(), "READY")
    seen = len(manager.without_pings())
    reload(daemon, services=ONE_SERVICE + [{"name": "ssh", "listen": [network.endpoint(4, 22)]}])
    wait.until(lambda: len(manager.without_pings()) >= seen + 3, "the reload")
    assert manager.without_pings()[seen:] == [
        "RELOADING=1", "STATUS=protecting 2 services: 0 half-open, 0 SYN/s, 0 connections", "READY=1"]

    seen = len(manager.without_pings())
    reload(daemon, queue_start=30000)
    wait.until(lambda: len(manager.without_pings()) >= seen + 3, "the refusal")
    begun, status, ended = manager.without_pings()[seen:]
    assert (begun, ended) == ("RELOADING=1", "READY=1")
    assert status.endswith("0 connections; the last reload was refused, everything is as before it")

    seen = len(manager.without_pings())
    lab.unprotect()  # asserts exit 0, no rule, no queue
    wait.until(lambda: len(manager.without_pings()) >= seen + 2, "STOPPING")
    assert manager.without_pings()[seen:] == ["STOPPING=1", "STATUS=stopping"]


def test_pings_come_twice_in_the_interval(started):
    _, manager, _ = started
    wait.until(lambda: len(manager.ping_gaps()) >= 12, "the watchdog's pings")
    assert statistics.median(manager.ping_gaps()) < 0.5


def test_pings_go_on_while_a_silent_server_is_asked(started):
    """A reload gives it a second; systemd, with WatchdogSec=1, no more."""
    _, manager, daemon = started
    wait.until(lambda: len(manager.ping_gaps()) >= 2, "the watchdog's pings")
    seen = manager.messages().count("READY=1")
    silent = [f"{network.server_address(4, 30)}:80"]
    reload(daemon, services=ONE_SERVICE + [{"name": "silent", "listen": [network.endpoint(4, 81)], "backends": silent}])
    wait.until(lambda: manager.messages().count("READY=1") > seen, "the reload")
    pings = len(manager.ping_gaps())
    wait.until(lambda: len(manager.ping_gaps()) > pings, "a ping after it")
    assert "reloaded: protecting 2 service(s)" in daemon.log()
    assert max(manager.ping_gaps()) < 1


def test_pings_go_on_while_a_worker_takes_its_time(started):
    """As long as a reload waits for it: that it hangs is found out afterwards."""
    _, manager, daemon = started
    wait.until(lambda: len(manager.ping_gaps()) >= 2, "the watchdog's pings")
    with threads.halted(threads.named(daemon.process.pid, "worker-1")):
        reload(daemon)
        wait.until(lambda: "RELOADING=1" in manager.messages(), "the reload")
        since = manager.messages().index("RELOADING=1")
        wait.until(lambda: manager.messages()[since:].count("WATCHDOG=1") > 8, "pings")
    wait.until(lambda: "reloaded: protecting 1 service(s)" in daemon.log(), "the worker to take it")
    assert max(manager.ping_gaps()) < 1


def test_an_interval_that_cannot_be_served_is_refused(plain):
    manager = notify.Manager(plain.directory, watchdog_us=999_000)
    try:
        with pytest.raises(netns.CommandFailed, match=r"WatchdogSec= is 999 ms: .*; set at least 1s"):
            plain.protect(synward.Synward(wrapper=manager.environment))
        assert manager.messages() == []
    finally:
        manager.close()


def test_an_interface_that_is_gone_is_no_reason_to_be_killed(plain):
    """A restart would not bring it back, and would fail without it; the other interfaces work on."""
    plain.middlebox.ip("link", "add", "extra", "type", "veth", "peer", "name", "other-end")
    manager = notify.Manager(plain.directory, watchdog_us=1_000_000)
    try:
        daemon = plain.protect(synward.Synward(wrapper=manager.environment, services=ONE_SERVICE,
                                               interfaces={"client": ["m0", "extra"], "server": ["m1"]}))
        plain.middlebox.ip("link", "del", "extra")
        wait.until(lambda: daemon.health() == (503, "interface extra is gone\n"), "the interface to be missed")
        pings = len(manager.ping_gaps())
        wait.until(lambda: len(manager.ping_gaps()) > pings + 8, "pings all the same")
        assert daemon.health()[0] == 503
        assert plain.load(10)["ok"] == 10
        plain.unprotect()
    finally:
        plain.forget()
        manager.close()


@pytest.mark.parametrize("worker", [0, 1])
def test_a_worker_that_hangs_is_told(started, worker):
    """No ping while one of two workers stands still, and the reason; both recover with it."""
    _, manager, daemon = started
    reason = f"worker {worker} makes no progress"
    wait.until(lambda: len(manager.ping_gaps()) >= 2, "the watchdog's pings")
    with threads.halted(threads.named(daemon.process.pid, f"worker-{worker}")):
        wait.until(lambda: daemon.health()[0] == 503, "/healthz to be 503", timeout=STUCK_SECONDS + 7)
        told_at = time.monotonic()
        assert daemon.health() == (503, reason + "\n")
        wait.until(lambda: manager.statuses()[-1] == f"not healthy: {reason}", "the status")
        wait.until(lambda: time.monotonic() > told_at + 4 or daemon.health()[0] != 503, "what must not come")
        assert daemon.health()[0] == 503
    wait.until(lambda: daemon.health()[0] == 200, "/healthz to be ok again")
    wait.until(lambda: manager.statuses()[-1].startswith("protecting"), "the status to be good again")
    wait.until(lambda: manager.messages()[-1] == "WATCHDOG=1", "a ping again")

    messages = manager.messages()
    bad = messages.index(f"STATUS=not healthy: {reason}")
    good = next(i for i in range(bad, len(messages)) if messages[i].startswith("STATUS=protecting"))
    assert messages[bad + 1:good] == []
    assert max(manager.ping_gaps()) > 3
