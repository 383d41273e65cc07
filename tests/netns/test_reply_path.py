# SPDX-License-Identifier: GPL-2.0-or-later
"""Where challenges cannot go back in place, they go by raw socket, and the log says which line
would cure it."""

import contextlib
import re
import socket
import time

import pytest

from lab import lab as labs
from lab import network, pairs, synward, wait
from lab.capture import IP, TCP, Ether, IPv6, raw_socket

TURNS = 1.5  # seconds, some turns of what watches over answers


@pytest.fixture(name="fresh")
def _fresh():
    with labs.Lab() as lab:
        yield lab


def test_strict_reverse_path_filter_is_seen_at_start(fresh):
    fresh.middlebox.set_sysctls({"net.ipv4.conf.m0.rp_filter": 1})
    daemon = fresh.protect(synward.Synward())
    assert "rp_filter" in daemon.log()
    assert fresh.load(20)["ok"] == 20


def test_redirects_are_seen_at_start(fresh):
    fresh.middlebox.set_sysctls({"net.ipv4.conf.m0.send_redirects": 1})
    daemon = fresh.protect(synward.Synward())
    assert "send_redirects" in daemon.log()
    assert fresh.load(20)["ok"] == 20


@contextlib.contextmanager
def said_apart(lab):
    """Counts the challenges that the middlebox sends by raw socket."""
    lab.middlebox.nft("""
        table inet observer {
          counter said { }
          chain output {
            type filter hook output priority filter;
            oifname "m0" tcp sport 80 tcp flags & (syn | ack) == syn | ack counter name said
          }
        }""")
    try:
        yield lambda: int(re.search(r"packets (\d+)", lab.middlebox.run(
            "nft", "list", "counter", "inet", "observer", "said").stdout)[1])
    finally:
        lab.middlebox.nft("delete table inet observer\n")


def meanwhile(work):
    """Has `work` done over and over for some turns of the watch."""
    until = time.monotonic() + TURNS
    while time.monotonic() < until:
        work()


@pytest.mark.parametrize("route", ("none", "unreachable"))
@pytest.mark.parametrize("family", (4, 6))
def test_sources_to_which_no_route_leads_change_nothing_for_others(fresh, family, route):
    spoofed = network.SPOOFED4 if family == 4 else network.SPOOFED6
    fresh.middlebox.ip(f"-{family}", "route", "del", spoofed)
    if route == "unreachable":
        fresh.middlebox.ip(f"-{family}", "route", "add", "unreachable", spoofed)
    daemon = fresh.protect(synward.Synward(half_open={"synack_retries": 0}))
    source, kind = ("198.18.9.9", IP) if family == 4 else ("2001:db8:f::9", IPv6)
    frame = Ether(src=network.MAC["c0"], dst=network.MAC["m0"]) / kind(src=source, dst=network.SERVICE[family])
    syns = [bytes(frame / TCP(sport=port, dport=80, flags="S", seq=1, options=[("MSS", 1400)]))
            for port in range(5000, 5050)]
    with raw_socket(fresh.client, "c0") as send, said_apart(fresh) as said:
        def work():
            for syn in syns:
                send(syn)
            assert fresh.load(5, family=family)["ok"] == 5
        meanwhile(work)
        assert fresh.load(20, family=family)["ok"] == 20
        assert said() == 0, "challenges to clients went by raw socket"
    assert "by raw socket" not in daemon.log()


@pytest.mark.parametrize("family", (4, 6))
def test_segments_whose_life_ends_at_the_middlebox_accuse_no_firewall(fresh, family):
    """Any client can send such; what it says must not take the machine out of a load balancer."""
    daemon = fresh.protect(synward.Synward())
    hops = (socket.IPPROTO_IP, socket.IP_TTL) if family == 4 else (socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS)
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(fresh.client.socket(pairs.family_of(family))) for _ in range(20)]
        for client in clients:
            client.connect((network.SERVICE[family], 80))
        for client in clients:
            client.setsockopt(*hops, 1)

        def work():
            for client in clients:
                client.send(b"x")
            assert daemon.health() == (200, "ok\n")
        meanwhile(work)
    assert "clients connect and hang" not in daemon.log()


def test_a_reverse_path_filter_that_comes_later_is_seen(fresh):
    daemon = fresh.protect(synward.Synward())
    assert fresh.load(20)["ok"] == 20
    fresh.middlebox.set_sysctls({"net.ipv4.conf.m0.rp_filter": 1})
    wait.until(lambda: fresh.load(20)["ok"] == 20 and "by raw socket, which is slower" in daemon.log(), "the warning")
    assert "rp_filter" in daemon.log()
    assert fresh.load(20)["above_200_ms"] == 0


@pytest.mark.parametrize("obstacle", ("rp_filter", "no route"))
def test_what_stood_in_the_way_of_answers_and_is_mended_is_seen(fresh, obstacle):
    """A default route often comes after the last address, and the log itself says which sysctl to set."""
    far, way = "198.18.5.5", (network.SPOOFED4, "via", network.client_address(4), "dev", "m0")
    fresh.middlebox.ip("route", "del", network.SPOOFED4)
    fresh.middlebox.set_sysctls({"net.ipv4.conf.m0.rp_filter": 1 if obstacle == "rp_filter" else 2})
    listens = [network.endpoint(4), network.endpoint(6)]
    if obstacle == "no route":
        listens.append(f"{far}:80")
    daemon = fresh.protect(synward.Synward(services=[{"name": "web", "listen": listens}],
                                           half_open={"synack_retries": 0}))
    slower = {"rp_filter": "by raw socket, which is slower: the reverse path filter of m0",
              "no route": f"by raw socket, which is slower: there is no route to {far}"}[obstacle]
    assert slower in daemon.log()
    with said_apart(fresh) as said:
        for family in (4, 6):
            assert fresh.load(10, family=family)["ok"] == 10
        slow = said()
        assert slow >= 20
        if obstacle == "rp_filter":
            fresh.middlebox.set_sysctls({"net.ipv4.conf.m0.rp_filter": 0})
        else:
            fresh.middlebox.ip("route", "add", *way)
        wait.until(lambda: "challenges go in place again" in daemon.log(), "the cure to be seen")
        for family in (4, 6):
            assert fresh.load(10, family=family)["ok"] == 10
        assert said() == slow
    log = daemon.log()
    assert log.count("challenges go in place again") == 1
    assert len([line for line in log.splitlines() if "no longer: " in line and slower in line]) == 1


@contextlib.contextmanager
def firewall(lab, table):
    """The rules of `table inet firewall`, while the block lasts."""
    lab.middlebox.nft(table)
    try:
        yield
    finally:
        lab.middlebox.nft("delete table inet firewall\n")


def falls_back_behind(lab, family, table):
    with firewall(lab, table):
        daemon = lab.protect(synward.Synward())
        assert lab.load(5, family=family)["ok"] == 5
        wait.until(lambda: "by raw socket" in daemon.log(), "the fallback", timeout=5)
        assert lab.load(20, family=family)["ok"] == 20


@pytest.mark.parametrize("family", (4, 6))
def test_a_firewall_that_drops_replies_before_routing_is_found_out(fresh, family):
    """As firewalld's reverse path filter of IPv6 does."""
    falls_back_behind(fresh, family, """
        table inet firewall {
          chain prerouting {
            type filter hook prerouting priority mangle;
            iifname "m0" tcp sport 80 drop
          }
        }""")


@pytest.mark.parametrize("family", (4, 6))
def test_forward_policy_that_drops_replies_is_found_out(fresh, family):
    falls_back_behind(fresh, family, """
        table inet firewall {
          chain forward {
            type filter hook forward priority filter; policy drop;
            iifname "m0" oifname "m1" accept
            iifname "m1" oifname "m0" accept
          }
        }""")


ESTABLISHED_ONLY = """
    table inet firewall {
      chain forward {
        type filter hook forward priority filter; policy drop;
        ct state established,related accept
        iifname "m0" oifname "m1" tcp dport 80 ct state new accept
      }
    }"""


@pytest.mark.parametrize("family", (4, 6))
def test_a_firewall_that_drops_spliced_segments_is_found_out_and_so_is_its_cure(fresh, family):
    daemon = fresh.protect(synward.Synward())
    with firewall(fresh, ESTABLISHED_ONLY):
        said = "clients connect and hang"
        for _ in range(10):
            fresh.load(20, family=family, timeout=1)
            if said in daemon.log():
                break
        assert said in daemon.log()
        assert "meta mark & 0xffff0000 == 0x53590000 accept" in daemon.log()
        assert "--mark 0x53590000/0xffff0000 -j ACCEPT" in daemon.log()
        wait.until(lambda: daemon.health()[0] == 503, "/healthz to say so")
        assert "segments of joined connections do not leave" in daemon.health()[1]
        fresh.middlebox.nft("insert rule inet firewall forward meta mark & 0xffff0000 == 0x53590000 accept\n")

        def mended():
            return fresh.load(20, family=family, timeout=5)["ok"] == 20 and daemon.health()[0] == 200
        wait.until(mended, "the cure to be seen", timeout=30)
