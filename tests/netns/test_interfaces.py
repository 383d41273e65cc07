# SPDX-License-Identifier: GPL-2.0-or-later
"""Interfaces come and go: a VLAN, a bond or a tunnel is made anew under its name, by a network
manager for instance, while the daemon runs."""

import pathlib

import pytest

from lab import lab as labs
from lab import netns, network, wait

pytestmark = pytest.mark.synward


def make_anew(lab):
    """The client's card gets another name, and a bridge that has it as its port the old one."""
    box = lab.middlebox
    box.ip("link", "set", "m0", "down")
    box.ip("link", "set", "m0", "name", "port")
    yield
    box.ip("link", "add", "m0", "address", network.MAC["m0"], "type", "bridge")
    box.ip("link", "set", "port", "master", "m0", "up")
    box.ip("addr", "flush", "dev", "port")
    for family, bits in ((4, 24), (6, 64)):
        nodad = ("nodad",) if family == 6 else ()
        box.ip("link", "set", "m0", "up")
        box.ip("addr", "add", f"{network.GATEWAY_CLIENT[family]}/{bits}", "dev", "m0", *nodad)
        # Without link-local addresses (the lab's quiet) IPv6 finds no neighbours.
        for host in network.CLIENT_HOSTS:
            box.ip("neigh", "replace", network.client_address(family, host), "lladdr", network.MAC["c0"],
                   "nud", "permanent", "dev", "m0")


def test_an_interface_that_is_made_anew_is_known_again(defence):
    with labs.Lab(defence()) as lab:
        daemon = lab.defence
        assert lab.load(10)["ok"] == 10
        steps = make_anew(lab)
        next(steps)
        wait.until(lambda: daemon.health() == (503, "interface m0 is gone\n"), "the daemon to miss it")
        next(steps, None)
        # Answers in place do not leave a bridge whose packets br_netfilter takes: its own matter.
        lab.middlebox.set_sysctls({f"net.bridge.bridge-nf-call-{which}": 0 for which in ("iptables", "ip6tables")
                                   if pathlib.Path(f"/proc/sys/net/bridge/bridge-nf-call-{which}").exists()})
        wait.until(lambda: daemon.health()[0] == 200, "the daemon to be well again")
        for family in (4, 6):
            assert lab.load(10, family=family)["ok"] == 10
        assert daemon.metrics().total("cookies_redeemed_total") == 30


@pytest.mark.parametrize("card, side", [("m0", "clients"), ("m1", "servers")])
def test_a_link_that_is_down_is_told_in_health(defence, card, side):
    """On purpose or not: nothing passes, and who asks sends clients elsewhere. The other end's doing is no carrier."""
    with labs.Lab(defence()) as lab:
        for namespace, name, why in ((lab.middlebox, card, "is down"),
                                     *(((lab.client, "c0", "has no carrier"),) if card == "m0" else ())):
            namespace.ip("link", "set", name, "down")
            wait.until(lambda w=why: lab.defence.health() == (503, f"no link to the {side}: {card} {w}\n"),
                       "the link to be missed")
            namespace.ip("link", "set", name, "up")
            wait.until(lambda: lab.defence.health()[0] == 200, "the daemon to be well again")


def test_an_alternative_name_is_told_as_such(defence):
    with labs.Lab() as lab:
        lab.middlebox.ip("link", "property", "add", "dev", "m0", "altname", "uplink")
        with pytest.raises(netns.CommandFailed, match="interface `uplink` is an alternative name of `m0`; write `m0`"):
            lab.protect(defence(interfaces={"client": ["uplink"], "server": ["m1"]}))


def test_a_renamed_interface_is_gone_though_it_keeps_its_name_as_an_alternative(defence):
    """The rules go by the name itself, and match nothing then: udev renames so."""
    with labs.Lab(defence()) as lab:
        box, health = lab.middlebox, lab.defence.health
        box.ip("link", "set", "m0", "down")
        box.ip("link", "set", "m0", "name", "wan")
        box.ip("link", "property", "add", "dev", "wan", "altname", "m0")
        wait.until(lambda: health() == (503, "interface m0 is gone\n"), "the daemon to miss it")
        box.ip("link", "set", "wan", "up")
        # What the daemon hears of last: by then it has looked at the altname.
        box.ip("link", "set", "m1", "down")
        box.ip("link", "set", "m1", "name", "lan")
        wait.until(lambda: health() == (503, "interface m1 is gone\n"), "the daemon to miss the other")
        box.ip("link", "set", "lan", "name", "m1")
        wait.until(lambda: health() == (503, "interface m0 is gone\n"), "the daemon to find the other again")
        box.ip("link", "set", "m1", "up")
        box.ip("link", "set", "wan", "down")
        box.ip("link", "property", "del", "dev", "wan", "altname", "m0")
        box.ip("link", "set", "wan", "name", "m0")
        box.ip("link", "set", "m0", "up")
        wait.until(lambda: health()[0] == 200, "the daemon to be well again")


def test_a_bridge_that_br_netfilter_watches_is_told_of(defence):
    with labs.Lab() as lab:
        try:
            lab.middlebox.set_sysctls({"net.bridge.bridge-nf-call-iptables": 1})
        except (OSError, AssertionError, netns.CommandFailed):
            pytest.skip("this kernel has no br_netfilter")
        for _ in make_anew(lab):
            pass
        lab.protect(defence())
        assert "m0 is a bridge" in lab.defence.log()
        assert any(lab.load(10)["retransmits"] == 0 for _ in range(5)), "the answers in place do not arrive"
