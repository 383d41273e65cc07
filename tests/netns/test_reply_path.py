# SPDX-License-Identifier: GPL-2.0-or-later
"""Where challenges cannot go back in place, they go by raw socket, and the log says which line
would cure it."""

import pytest

from lab import lab as labs
from lab import network, synward, wait
from lab.capture import IP, TCP, Ether, raw_socket


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


def test_clients_to_whom_no_route_leads_are_no_reason(fresh):
    daemon = fresh.protect(synward.Synward())
    bogon = Ether(src=network.MAC["c0"], dst=network.MAC["m0"]) / IP(src="172.31.99.1", dst=network.SERVICE[4])
    with raw_socket(fresh.client, "c0") as send:
        for port in (4241, 4242):
            send(bogon / TCP(sport=port, dport=80, flags="S", seq=1))
    assert fresh.load(20)["ok"] == 20
    wait.until(lambda: daemon.metrics().total("syns_received_total", protected_service="web") == 22, "all the SYNs")
    assert "by raw socket" not in daemon.log()


@pytest.mark.parametrize("family", (4, 6))
def test_forward_policy_that_drops_replies_is_found_out(fresh, family):
    fresh.middlebox.nft("""
        table inet firewall {
          chain forward {
            type filter hook forward priority filter; policy drop;
            iifname "m0" oifname "m1" accept
            iifname "m1" oifname "m0" accept
          }
        }""")
    try:
        daemon = fresh.protect(synward.Synward())
        assert fresh.load(5, family=family)["ok"] == 5
        wait.until(lambda: "by raw socket" in daemon.log(), "the fallback", timeout=5)
        assert fresh.load(20, family=family)["ok"] == 20
    finally:
        fresh.middlebox.nft("delete table inet firewall\n")


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
    fresh.middlebox.nft(ESTABLISHED_ONLY)
    try:
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
    finally:
        fresh.middlebox.nft("delete table inet firewall\n")
