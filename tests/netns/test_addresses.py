# SPDX-License-Identifier: GPL-2.0-or-later
"""This machine's own addresses and links change while the daemon runs: a VIP moves here (VRRP), a
link gets another MTU. None of it asks for a reload."""

import contextlib
import itertools
import signal

import pytest

from lab import lab as labs
from lab import network, threads, wait
from lab.capture import IP, TCP, Ether, IPv6, raw_socket

pytestmark = pytest.mark.synward

FAMILIES = pytest.mark.parametrize("family", [4, 6])
VIP = {4: "203.0.113.77", 6: "2001:db8:1::77"}
_ports = itertools.count(41000)


@contextlib.contextmanager
def address(lab, family, interface="m0"):
    given = (f"{VIP[family]}/{32 if family == 4 else 128}", "dev", interface)
    lab.middlebox.ip("addr", "add", *given, *(("nodad",) if family == 6 else ()))
    try:
        yield
    finally:
        lab.middlebox.ip("addr", "del", *given)


def send_segment(lab, family, source, **fields):
    """From the client's side to the service."""
    kind = IP if family == 4 else IPv6
    frame = (Ether(src=network.MAC["c0"], dst=network.MAC["m0"]) / kind(src=source, dst=network.SERVICE[family])
             / TCP(sport=next(_ports), dport=80, seq=1000, **fields))
    with raw_socket(lab.client, "c0") as send:
        send(bytes(frame))


def spoof(lab, family):
    """A SYN with the VIP as its source."""
    send_segment(lab, family, VIP[family], flags="S", options=[("MSS", 1460)])


def refused(daemon):
    return daemon.metrics().total("dropped_packets_total", protected_service="web", reason="martian_source")


def is_refused(lab, family):
    """Judged: refused, or answered. Until then the daemon may not have seen it."""
    before, received = refused(lab.defence), lab.defence.metrics().total("syns_received_total")
    spoof(lab, family)
    wait.until(lambda: refused(lab.defence) > before
               or lab.defence.metrics().total("syns_received_total") > received, "the SYN to be judged")
    return refused(lab.defence) > before


def fetches(namespace, family, host, *options):
    host = host if family == 4 else f"[{host}]"
    done = namespace.run("curl", "-sS", "--max-time", "10", *options, f"http://{host}/page", check=False)
    return done.returncode == 0 and done.stdout


@FAMILIES
def test_an_address_that_comes_later_is_this_machines_own(fresh_lab, family):
    lab = fresh_lab
    assert not is_refused(lab, family)
    with address(lab, family):
        wait.until(lambda: is_refused(lab, family), "the address to be known")
        # Its own connection with a protected server.
        assert fetches(lab.middlebox, family, network.SERVICE[family], "--interface", VIP[family])
        assert lab.load(10, family=family)["ok"] == 10
    wait.until(lambda: not is_refused(lab, family), "the address to be forgotten")


@FAMILIES
def test_what_waits_in_the_queues_outlasts_new_rules(fresh_lab, family):
    """Where a base chain goes, the kernel drops all of it, and nobody counts it."""
    lab, daemon, waiting = fresh_lab, fresh_lab.defence, 20
    unknown = daemon.metrics().total("dropped_packets_total", reason="unknown_segment")
    with contextlib.ExitStack() as stack:
        for worker in range(2):
            stack.enter_context(threads.halted(threads.named(daemon.process.pid, f"worker-{worker}")))
        for _ in range(waiting):
            send_segment(lab, family, network.client_address(family), flags="A", ack=1)
        wait.until(lambda: daemon.metrics().total("queue_depth", role="flow") == waiting, "them to wait")
        with address(lab, family):
            listing = ("nft", "list", "set", "ip" if family == 4 else "ip6", "synward", "own_addresses")
            wait.until(lambda: VIP[family] in lab.middlebox.run(*listing).stdout, "the rules to know the address")
        wait.until(lambda: VIP[family] not in lab.middlebox.run(*listing).stdout, "the rules to forget it")
        assert daemon.metrics().total("queue_depth", role="flow") == waiting
    wait.until(lambda: daemon.metrics().total("dropped_packets_total", reason="unknown_segment") == unknown + waiting,
               "all of them to be judged")


@FAMILIES
def test_a_vip_comes_where_the_kernel_does_not_accept_it_as_source(defence, family):
    """Challenges in place would be dropped: they go by raw socket from then on, and it is told once."""
    service = {"name": "vip", "listen": [f"{VIP[4]}:80", f"[{VIP[6]}]:80"],
               "backends": [network.endpoint(4), network.endpoint(6)]}
    with labs.Lab() as lab:
        lab.middlebox.set_sysctls({"net.ipv4.conf.m1.accept_local": 1})
        daemon = lab.protect(defence(services=[service]))
        assert "by raw socket" not in daemon.log()
        for _ in range(2):
            with address(lab, family):
                if family == 4:
                    told = f"by raw socket, which is slower: {VIP[4]} is an address of this machine, and m0 drops"
                    wait.until(lambda: told in daemon.log(), "the obstacle to be told")
                    assert daemon.log().count(told) == 1
                assert fetches(lab.client, family, VIP[family])
        if family == 6:
            assert "by raw socket" not in daemon.log()


def test_another_mtu_of_the_servers_link_changes_the_offer(fresh_lab):
    lab = fresh_lab
    for family, mss in ((4, 1260), (6, 1240)):
        assert f"clients of {network.endpoint(family)} are offered MSS {mss}" not in lab.defence.log()
    lab.middlebox.ip("link", "set", "m1", "mtu", "1300")
    for family, mss in ((4, 1260), (6, 1240)):
        wait.until(lambda f=family, m=mss: f"clients of {network.endpoint(f)} are offered MSS {m}"
                   in lab.defence.log(), "the smaller offer")
        assert lab.load(20, family=family)["ok"] == 20


def test_more_changes_than_the_socket_holds_are_not_lost(fresh_lab):
    """The kernel says that some were (ENOBUFS), and all is read anew."""
    lab, family = fresh_lab, 4
    commands = "".join(f"addr {what} 203.0.113.{host}/32 dev lo\n"
                       for _ in range(5) for what in ("add", "del") for host in range(100, 250))
    with contextlib.ExitStack() as given:
        lab.defence.process.send_signal(signal.SIGSTOP)
        try:
            lab.middlebox.run("ip", "-batch", "-", input=commands)
            given.enter_context(address(lab, family))
        finally:
            lab.defence.process.send_signal(signal.SIGCONT)
        wait.until(lambda: is_refused(lab, family), "the address to be known")
