# SPDX-License-Identifier: GPL-2.0-or-later
"""Where synward may stand in a network: as the README's section on deployment says."""

import contextlib
import socket

import pytest

from lab import echo, network, pairs, wait
from lab import lab as labs

pytestmark = pytest.mark.synward

FAMILIES = pytest.mark.parametrize("family", [4, 6])
ONE_CARD = {"interfaces": {"client": ["m0"], "server": ["m0"]}}
BACKEND_HOST, BACKEND_PORT, SERVICE_PORT = 21, 9001, 8001

# The README's lines, for a machine that forwards what conntrack knows and nothing else.
ESTABLISHED_ONLY = """
    table inet firewall {
      chain forward {
        type filter hook forward priority filter; policy drop;
        meta mark & 0xffff0000 == 0x53590000 accept
        ct state established,related accept
        tcp dport 4444 ct state new accept
      }
    }"""


def translating(listen):
    """A service of which the backend has another address and port."""
    def endpoint(address, port):
        return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
    return {"name": "translated", "listen": [endpoint(listen[family], SERVICE_PORT) for family in (4, 6)],
            "backends": [endpoint(network.server_address(family, BACKEND_HOST), BACKEND_PORT) for family in (4, 6)]}


@contextlib.contextmanager
def backend(lab):
    lab.net.add_server(BACKEND_HOST)
    with echo.Echo(lab.server, [(network.server_address(family, BACKEND_HOST), BACKEND_PORT)
                                for family in (4, 6)]) as echoing:
        yield echoing


def speaks(lab, family, address):
    """A client's own words come back."""
    with lab.client.socket(pairs.family_of(family)) as client:
        client.settimeout(pairs.PATIENCE)
        client.connect((address, SERVICE_PORT))
        client.sendall(b"hello")
        client.shutdown(socket.SHUT_WR)
        with client.makefile("rb") as answer:
            return answer.read()[echo.NAME_LENGTH:] == b"hello"


@pytest.fixture(name="one_armed", scope="module")
def _one_armed(defence):
    with labs.Lab(options=network.Options(one_armed=True)) as lab, backend(lab):
        lab.protect(defence(**ONE_CARD, services=[
            {"name": "web", "listen": [network.endpoint(4), network.endpoint(6)]},
            translating({4: network.server_address(4, 30), 6: network.server_address(6, 30)})]))
        yield lab


@FAMILIES
def test_one_card_for_clients_and_servers(one_armed, family):
    with one_armed.flood(20_000, family=family):
        done = one_armed.load(200, family=family)
    assert done["ok"] == 200, done
    assert one_armed.spoofed_at_server() == 0
    assert one_armed.defence.log().count("by raw socket") == 0


@FAMILIES
def test_one_card_and_backends_at_other_addresses(one_armed, family):
    assert speaks(one_armed, family, network.server_address(family, 30))


@FAMILIES
@pytest.mark.parametrize("in_place", [False, True])
def test_the_services_address_is_on_this_machine(defence, family, in_place):
    """What backends send then has a source of this machine: it needs accept_local on their card; on
    the clients' card challenges in place do."""
    with labs.Lab() as lab, backend(lab):
        lab.middlebox.set_sysctls({"net.ipv4.conf.m0.accept_local": int(in_place),
                                   "net.ipv4.conf.m1.accept_local": 1})
        own = network.GATEWAY_CLIENT
        daemon = lab.protect(defence(services=[translating(own)]))
        assert speaks(lab, family, own[family])
        assert ("challenges go by raw socket" in daemon.log()) == (not in_place)
        assert "get no answers" not in daemon.log()


def test_answers_that_the_kernel_would_drop_are_told_at_start(defence):
    with labs.Lab() as lab:
        daemon = lab.protect(defence(services=[translating(network.GATEWAY_CLIENT)]))
        assert "get no answers: 203.0.113.1 is an address of this machine" in daemon.log()
        assert "`sysctl -w net.ipv4.conf.m1.accept_local=1`" in daemon.log()


@pytest.mark.parametrize("routed", [False, True])
def test_a_service_that_belongs_to_nobody(defence, routed):
    """The loose reverse path filter asks for a route to the service's address: a default route will do."""
    nobodys = "192.0.2.80"
    with labs.Lab() as lab, backend(lab):
        lab.middlebox.set_sysctls({"net.ipv4.conf.all.rp_filter": 2})
        if routed:
            lab.middlebox.ip("route", "add", "default", "via", network.client_address(4), "dev", "m0")
        daemon = lab.protect(defence(services=[translating({4: nobodys, 6: network.server_address(6, 30)})]))
        assert ("get no answers: there is no route to 192.0.2.80" in daemon.log()) == (not routed)
        if routed:
            assert speaks(lab, 4, nobodys)


def test_a_server_on_this_machine_is_told_at_start(defence):
    with labs.Lab() as lab:
        service = {"name": "own", "listen": [f"{network.GATEWAY_CLIENT[4]}:80"]}
        daemon = lab.protect(defence(services=[service]))
        assert "get no answers: 203.0.113.1 is an address of this machine" in daemon.log()
        assert "network namespace" in daemon.log()


@FAMILIES
def test_a_firewall_that_lets_pass_what_conntrack_knows(fresh_lab, family):
    lab = fresh_lab
    lab.middlebox.nft(ESTABLISHED_ONLY)
    try:
        before = lab.defence.metrics().total("synacks_sent_total")
        assert lab.load(50, family=family)["ok"] == 50
        passed = lab.defence.metrics().total("synacks_sent_total")
        assert passed == before + 50, "a challenge was lost"
        # And of other traffic, what the operator's own rule lets pass.
        with pairs.Pairs(lab, family, 4444, 1) as opened:
            pairs.exchange(opened.clients, opened.servers, b"not of a service")
        assert "by raw socket" not in lab.defence.log()
    finally:
        lab.middlebox.nft("delete table inet firewall\n")


@FAMILIES
def test_servers_that_answer_past_synward_are_seen_as_silent(defence, family):
    """Direct server return cannot work: a reset and a counter say so, not a hanging client."""
    with labs.Lab(options=network.Options(one_armed=True)) as lab:
        daemon = lab.protect(defence(**ONE_CARD, splice={"engine": "userspace", "connect_timeout": "1s"}))
        clients = network.CLIENTS4 if family == 4 else network.CLIENTS6
        lab.server.ip(f"-{family}", "route", "add", clients, "dev", "s0")
        with lab.client.socket(pairs.family_of(family)) as client:
            client.settimeout(pairs.PATIENCE)
            client.connect((network.SERVICE[family], 80))
            with pytest.raises(ConnectionResetError):
                client.recv(1)
        wait.until(lambda: daemon.metrics().total("backend_failures_total", reason="timeout") == 1, "the failure")
