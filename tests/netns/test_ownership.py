# SPDX-License-Identifier: GPL-2.0-or-later
"""What is not a service's own is left alone (T6): the table of who calls what, by which way, and
when the connection began, with the kernels' own sockets. Printed with -s."""

import contextlib
import json
import signal
import socket

import pytest

from lab import echo, network, pairs, wait
from lab import lab as labs

pytestmark = pytest.mark.synward

FAMILIES = pytest.mark.parametrize("family", [4, 6])
BACKEND, PEER = 21, 22  # hosts of the server's network
BACKEND_PORT, TWICE_PORT, SERVICE_PORT = 9001, 9002, 8001
VIP = {family: network.client_address(family, 40) for family in (4, 6)}  # nobody's, and no neighbour of a server's
TRANSPARENT, TRANSLATED = "the transparent service", "the translated service"
ITSELF, TWICE = "the backend itself", "a backend that is a service too"
# By cards, client's and server's. With one card for both, answers come by the client's, so that it is a server's as
# well wherever synward is to do anything; m8 and m9 are cards where nobody calls.
ROLES = {
    (2, "client"): (["m0"], ["m1"]),
    (2, "server"): (["m9"], ["m0", "m1"]),
    (2, "both"): (["m0", "m1"], ["m0", "m1"]),
    (2, "neither"): (["m9"], ["m1"]),
    (1, "server"): (["m9"], ["m0"]),
    (1, "both"): (["m0"], ["m0"]),
    (1, "neither"): (["m9"], ["m8"]),
}


def endpoint(address, port):
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def services():
    return [{"name": "web", "listen": [network.endpoint(4), network.endpoint(6), network.endpoint(4, 7),
                                       network.endpoint(6, 7)]},
            {"name": "translated", "listen": [endpoint(VIP[family], SERVICE_PORT) for family in (4, 6)],
             "backends": [endpoint(network.server_address(family, BACKEND), BACKEND_PORT) for family in (4, 6)]},
            {"name": "twice", "listen": [endpoint(network.server_address(family, PEER), TWICE_PORT) for family in (4, 6)]},
            {"name": "twice-translated", "listen": [endpoint(VIP[family], SERVICE_PORT + 1) for family in (4, 6)],
             "backends": [endpoint(network.server_address(family, PEER), TWICE_PORT) for family in (4, 6)]}]


@contextlib.contextmanager
def prepared(one_armed=False):
    """The lab without a defence: a transparent server and one behind a translated address."""
    with labs.Lab(options=network.Options(one_armed=one_armed)) as lab:
        lab.net.add_server(BACKEND)
        lab.net.add_server(PEER)
        # An interface where nobody calls; both ends up, or it has no carrier.
        lab.middlebox.ip("link", "add", "m9", "type", "veth", "peer", "name", "m8")
        for end in ("m8", "m9"):
            lab.middlebox.ip("link", "set", end, "up")
        for family in (4, 6):
            lab.client.ip(f"-{family}", "route", "add", VIP[family], "via", network.GATEWAY_CLIENT[family], "dev", "c0")
        targets = [(network.SERVICE[family], 7) for family in (4, 6)]
        targets += [(network.server_address(family, BACKEND), BACKEND_PORT) for family in (4, 6)]
        targets += [(network.server_address(family, PEER), TWICE_PORT) for family in (4, 6)]
        with echo.Echo(lab.server, targets):
            yield lab


class Call:
    """One connection, from its SYN on; says what became of it."""

    def __init__(self, namespace, family, target, source=None):
        self._socket = namespace.socket(pairs.family_of(family))
        self._socket.settimeout(4)
        self.found = "works"
        try:
            if source:
                self._socket.bind((source, 0))
            self._socket.connect(target)
            assert len(self._socket.recv(echo.NAME_LENGTH, socket.MSG_WAITALL)) == echo.NAME_LENGTH
        except OSError as error:
            self._fail(error)

    def _fail(self, error):
        self.found = "hangs" if isinstance(error, TimeoutError) else "refused"

    def speak(self):
        """Whether data still go to and fro."""
        if self.found == "works":
            try:
                self._socket.sendall(b"hello")
                heard = self._socket.recv(5, socket.MSG_WAITALL)
                self.found = "works" if heard == b"hello" else "refused"
            except OSError as error:
                self._fail(error)
        return self.found

    def close(self):
        self._socket.close()


def targets(family):
    return {TRANSPARENT: (network.SERVICE[family], 7), ITSELF: (network.server_address(family, BACKEND), BACKEND_PORT)}


def all_targets(family):
    return {**targets(family), TRANSLATED: (VIP[family], SERVICE_PORT),
            TWICE: (network.server_address(family, PEER), TWICE_PORT)}


def show(*cells):
    print("  " + " | ".join(cells))


def cell_of(target, when, ours):
    """What an operator expects: all works, but where there was nobody to call, or where synward ends what it joined."""
    if target == TRANSLATED:
        return {"before the start": "not asked", "new": "works" if ours else "refused", "after the stop": "not asked",
                "on after the stop": "refused"}[when]
    if when == "before the start" and ours and target in (TRANSPARENT, TWICE):
        return "not asked"  # test_adoption.py
    return "refused" if when == "on after the stop" and ours and target in (TRANSPARENT, TWICE) else "works"


@FAMILIES
@pytest.mark.parametrize("cards, role", list(ROLES))
def test_by_the_interface_of_the_caller(defence, family, cards, role):
    """What the caller's interface is in the configuration, by what is called and when the connection began."""
    client, server = ROLES[cards, role]
    ours = role in ("client", "both")
    with prepared(one_armed=cards == 1) as lab:
        asked = all_targets(family)
        before = {name: Call(lab.client, family, target) for name, target in asked.items()
                  if cell_of(name, "before the start", ours) != "not asked"}
        daemon = lab.protect(defence(interfaces={"client": client, "server": server}, services=services()))
        during = {name: Call(lab.client, family, target) for name, target in asked.items()}
        found = {(name, "before the start"): call.speak() for name, call in before.items()}
        found |= {(name, "new"): call.speak() for name, call in during.items()}
        challenged = daemon.metrics().total("syns_received_total")
        dropped = daemon.metrics().total("dropped_packets_total")
        lab.unprotect()
        found |= {(name, "after the stop"): Call(lab.client, family, target).speak() for name, target in asked.items()
                  if cell_of(name, "after the stop", ours) != "not asked"}
        found |= {(name, "on after the stop"): call.speak() for name, call in during.items()}
        for name in asked:
            for when in ("before the start", "new", "after the stop", "on after the stop"):
                show(f"IPv{family}", "one card" if cards == 1 else "two cards", role, name, when, found.get((name, when), "not asked"))
        assert found == {(name, when): cell_of(name, when, ours) for name, when in found}
        assert challenged == (3 if ours else 0)
        # Of the translated service's address; from a card that is neither, routing refuses it as without synward.
        assert dropped == (1 if role == "server" else 0)


@FAMILIES
def test_a_peer_whose_answers_come_by_a_policy_route(defence, family):
    """One card. The peer asks the server directly; the server's route for the answers leads here."""
    with prepared(one_armed=True) as lab:
        peer = network.client_address(family, 3)
        lab.client.ip(f"-{family}", "route", "add", network.SERVERS4 if family == 4 else network.SERVERS6,
                      "dev", "c0")
        for address, _ in targets(family).values():
            lab.client.ip("neigh", "replace", address, "lladdr", network.MAC["s0"], "nud", "permanent", "dev", "c0")
        before = Call(lab.client, family, targets(family)["the transparent service"], peer)
        daemon = lab.protect(defence(interfaces={"client": ["m0"], "server": ["m0"]}, services=services()))
        found = {"before the start": before.speak()}
        for name, target in targets(family).items():
            found[name] = Call(lab.client, family, target, peer).speak()
        for name, what in found.items():
            show(f"IPv{family}", "one-armed peer", name, what)
        assert set(found.values()) == {"works"}, found
        assert daemon.metrics().total("dropped_packets_total") == 0


@FAMILIES
def test_a_protected_server_is_a_client_of_another_service(defence, family):
    """The caller has the address of a listen; the interface brings clients and servers."""
    with prepared() as lab:
        caller = network.client_address(family, 3)
        own = {"name": "callers", "listen": [endpoint(caller, 80)]}
        lab.protect(defence(interfaces={"client": ["m0", "m1"], "server": ["m0", "m1"]},
                            services=services() + [own]))
        found = {name: Call(lab.client, family, target, caller).speak()
                 for name, target in {**targets(family), "the translated service": (VIP[family], SERVICE_PORT)}.items()}
        for name, what in found.items():
            show(f"IPv{family}", "a protected server", name, what)
        assert set(found.values()) == {"works"}, found


@FAMILIES
def test_who_cannot_call_a_translated_service_is_refused_at_once(defence, family):
    """This machine, a server by an interface that is a server's only, and a backend of the service."""
    target = (VIP[family], SERVICE_PORT)
    backend = network.server_address(family, BACKEND)
    with prepared() as lab:
        found = {}
        daemon = lab.protect(defence(services=services()))
        found["this machine"] = Call(lab.middlebox, family, target).found
        found["a server"] = Call(lab.server, family, target, network.server_address(family, PEER)).found
        found["a client"] = Call(lab.client, family, target).speak()
        assert daemon.metrics().total("dropped_packets_total", reason="not_a_client") == 2
        lab.protect(defence(interfaces={"client": ["m0", "m1"], "server": ["m0", "m1"]}, services=services()))
        found["its backend"] = Call(lab.server, family, target, backend).found
        for name, what in found.items():
            show(f"IPv{family}", name, "the translated service", what)
        assert found == {"this machine": "refused", "a server": "refused", "a client": "works",
                         "its backend": "refused"}


@FAMILIES
def test_what_is_not_ours_is_known_to_conntrack_and_not_marked(defence, family):
    """A firewall that lets pass what is established does so; our mark would open it to anybody."""
    with prepared() as lab:
        lab.middlebox.nft("""
            table inet firewall {
              chain forward {
                type filter hook forward priority filter; policy drop;
                ct state established accept
                tcp dport 9001 ct state new accept
              }
            }""")
        lab.protect(defence(services=services()))
        assert Call(lab.client, family, targets(family)["the backend itself"]).speak() == "works"
        lab.middlebox.nft("delete table inet firewall\n")


@FAMILIES
def test_a_removed_services_new_connections_reach_the_server(defence, family):
    """The rules still queue it, for the connections that it has."""
    with prepared() as lab:
        daemon = lab.protect(defence(services=services()))
        old = Call(lab.client, family, targets(family)["the transparent service"])
        settings = json.loads(daemon.config_file.read_text())
        settings["services"] = [service for service in services() if service["name"] != "web"]
        daemon.config_file.write_text(json.dumps(settings))
        daemon.process.send_signal(signal.SIGHUP)
        wait.until(lambda: "reloaded: " in daemon.log(), "the reload")
        assert Call(lab.client, family, targets(family)["the transparent service"]).speak() == "works"
        assert old.speak() == "works"
        assert daemon.metrics().total("dropped_packets_total") == 0
