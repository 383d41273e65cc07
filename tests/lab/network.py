# SPDX-License-Identifier: GPL-2.0-or-later
"""The three namespaces: client - middlebox - server, and how they are wired.

           203.0.113.0/24                     198.51.100.0/24
           2001:db8:1::/64                    2001:db8:2::/64
    client c0 ------------ m0 middlebox m1 ------------ s0 server

Spoofed sources (198.18.0.0/15, 2001:db8:f::/48) are routed back to the client's namespace and
discarded there, as early as possible: an answer to them must cost the measured machine nothing.
"""

import dataclasses
import itertools
import os
import pathlib

from . import netns

PREFIX = "synlab"
CLIENTS4, CLIENTS6 = "203.0.113.0/24", "2001:db8:1::/64"
SERVERS4, SERVERS6 = "198.51.100.0/24", "2001:db8:2::/64"
SPOOFED4, SPOOFED6 = "198.18.0.0/15", "2001:db8:f::/48"
SERVICE = {4: "198.51.100.10", 6: "2001:db8:2::10"}
# Behind the server, which routes to it: extend().
FAR4, FAR6 = "198.51.100.128/25", "2001:db8:2::8000:0/112"
FAR = {4: "198.51.100.130", 6: "2001:db8:2::8000:10"}
GATEWAY_FAR = {4: "198.51.100.129", 6: "2001:db8:2::8000:1"}
GATEWAY_CLIENT = {4: "203.0.113.1", 6: "2001:db8:1::1"}
GATEWAY_SERVER = {4: "198.51.100.1", 6: "2001:db8:2::1"}
CLIENT_HOSTS = range(2, 21)  # 203.0.113.2 .. .20: enough ports for every test
# The generator refuses to run on an interface whose address is not one of these (lab/guard.cc).
MAC = {"c0": "02:53:59:4c:00:01", "m0": "02:53:59:4c:00:02",
       "m1": "02:53:59:4c:00:03", "s0": "02:53:59:4c:00:04",
       "s1": "02:53:59:4c:00:05", "f0": "02:53:59:4c:00:06",
       "r0": "02:53:59:4c:00:07", "r1": "02:53:59:4c:00:08",
       "r2": "02:53:59:4c:00:0c", "r3": "02:53:59:4c:00:0d",
       "p0": "02:53:59:4c:00:09", "p1": "02:53:59:4c:00:0a", "p2": "02:53:59:4c:00:0b"}

_numbers = itertools.count()


def client_address(family, host=2):
    return f"203.0.113.{host}" if family == 4 else f"2001:db8:1::{host:x}"


def server_address(family, host):
    return f"198.51.100.{host}" if family == 4 else f"2001:db8:2::{host:x}"


def endpoint(family, port=80):
    return f"{SERVICE[4]}:{port}" if family == 4 else f"[{SERVICE[6]}]:{port}"


@dataclasses.dataclass(frozen=True)
class Options:
    """How the network cards behave; the defaults are those of ordinary veth pairs with NAPI."""
    gro: bool = True  # veth has NAPI, and takes XDP frames, only with GRO (or a program) on
    tso: bool = True
    mtu: int = 1500
    threaded: bool = False  # NAPI in kernel threads, which can be pinned
    relay: bool = False  # the client's link goes through a namespace more: client c0 - r0 relay r1 - m0
    server_relay: bool = False  # the server's does: m1 - r2 relay r3 - s0 server
    one_armed: bool = False  # the middlebox has m0 only; it, client and server are on one switch
    sink: str = "nft"  # what discards answers to spoofed sources: nft (keeps TSO) or xdp (cheapest)


class Network:
    def __init__(self, options=Options()):
        netns.remove_stale(PREFIX)
        self.options = options
        self._closers = []
        try:
            base = f"{PREFIX}{os.getpid()}-{next(_numbers)}"
            self._base = base
            self.client = self._namespace(f"{base}-client")
            self.middlebox = self._namespace(f"{base}-middlebox")
            self.server = self._namespace(f"{base}-server")
            relayed = options.relay or options.server_relay
            self.relay = self._namespace(f"{base}-relay") if relayed else None
            self._quiet()
            if options.one_armed:
                self._switch()
            else:
                self._link((self.client, "c0"), (self.middlebox, "m0"), ("r0", "r1") if options.relay else None)
                self._link((self.middlebox, "m1"), (self.server, "s0"), ("r2", "r3") if options.server_relay else None)
            self._address()
            self._settings()
            self._discard()
        except BaseException:
            self.close()
            raise

    def close(self):
        while self._closers:
            self._closers.pop()()

    def namespaces(self):
        return (self.client, self.middlebox, self.server)

    def extend(self, mtu):
        """A fourth namespace behind the server's, over a narrower link: what is too long for it,
        the server refuses as a router does."""
        far = self._namespace(f"{self._base}-far")
        self._quiet_one(far)
        self._wire(self.server, "s1", far, "f0")
        for ns, name in ((self.server, "s1"), (far, "f0")):
            ns.ip("link", "set", name, "mtu", mtu)
        for family, bits in ((4, 25), (6, 112)):
            nodad = ("nodad",) if family == 6 else ()
            self.server.ip("addr", "add", f"{GATEWAY_FAR[family]}/{bits}", "dev", "s1", *nodad)
            far.ip("addr", "add", f"{FAR[family]}/{bits}", "dev", "f0", *nodad)
            self._neighbour(self.server, "s1", FAR[family], "f0")
            self._neighbour(far, "f0", GATEWAY_FAR[family], "s1")
            # It does not know of the narrow link; else the MSS that it announces would say so.
            far.ip(f"-{family}", "route", "add", "default", "via", GATEWAY_FAR[family], "dev", "f0",
                   "advmss", 1460 if family == 4 else 1440)
            self.middlebox.ip(f"-{family}", "route", "add", FAR4 if family == 4 else FAR6,
                              "via", SERVICE[family], "dev", "m1")
        self.server.sysctl(net__ipv4__ip_forward=1, net__ipv6__conf__all__forwarding=1)
        return far

    def _namespace(self, name):
        namespace = netns.Namespace(name)
        self._closers.append(namespace.close)
        return namespace

    def _quiet(self):
        # No link-local addresses, no router solicitation: the only packets are the test's.
        for ns in filter(None, (*self.namespaces(), self.relay)):
            self._quiet_one(ns)

    @staticmethod
    def _quiet_one(ns):
        ns.set_sysctls({f"net.ipv6.conf.{which}.{key}": value
                        for which in ("all", "default")
                        for key, value in (("accept_ra", 0), ("router_solicitations", 0),
                                           ("accept_dad", 0), ("addr_gen_mode", 1))})

    def _wire(self, near, near_name, far, far_name):
        near.ip("link", "add", near_name, "address", MAC[near_name], "type", "veth",
                "peer", "name", far_name, "address", MAC[far_name], "netns", far.name)
        for ns, name in ((near, near_name), (far, far_name)):
            flag = {True: "on", False: "off"}
            ns.run("ethtool", "-K", name, "gro", flag[self.options.gro],
                   "tso", flag[self.options.tso], "gso", flag[self.options.tso])
        # Only now: a card learns at "up" whether its peer has NAPI and so takes XDP frames.
        for ns, name in ((near, near_name), (far, far_name)):
            ns.ip("link", "set", name, "mtu", self.options.mtu, "txqueuelen", "10000", "up")
            if self.options.threaded:
                ns.write_sys(f"/sys/class/net/{name}/threaded", "1")

    def _switch(self):
        switch = self._namespace(f"{self._base}-switch")
        self._quiet_one(switch)
        switch.ip("link", "add", "b0", "type", "bridge")
        switch.ip("link", "set", "b0", "up")
        for ns, name, port in ((self.client, "c0", "p0"), (self.middlebox, "m0", "p1"), (self.server, "s0", "p2")):
            self._wire(ns, name, switch, port)
            switch.ip("link", "set", port, "master", "b0")

    def _card_to_server(self):
        return "m0" if self.options.one_armed else "m1"

    def _link(self, near, far, relay):
        """Two ends, each a namespace and its card, directly or through two cards of the relay's."""
        if not relay:
            self._wire(*near, *far)
            return
        first, second = ((self.relay, name) for name in relay)
        self._wire(*near, *first)
        self._wire(*second, *far)
        # What a relay copies is what would be on a cable: whole checksums, no large segments.
        for ns, name in (near, first, second, far):
            ns.run("ethtool", "-K", name, "gro", "off", "tso", "off", "gso", "off", "tx", "off")

    def _address(self):
        to_server = self._card_to_server()
        for family, bits in ((4, 24), (6, 64)):
            nodad = ("nodad",) if family == 6 else ()
            for host in CLIENT_HOSTS:
                self.client.ip("addr", "add", f"{client_address(family, host)}/{bits}", "dev", "c0", *nodad)
            for ns, name, address in ((self.middlebox, "m0", GATEWAY_CLIENT[family]),
                                      (self.middlebox, to_server, GATEWAY_SERVER[family]),
                                      (self.server, "s0", SERVICE[family])):
                ns.ip("addr", "add", f"{address}/{bits}", "dev", name, *nodad)
            self._neighbour(self.client, "c0", GATEWAY_CLIENT[family], "m0")
            self._neighbour(self.server, "s0", GATEWAY_SERVER[family], to_server)
            self._neighbour(self.middlebox, to_server, SERVICE[family], "s0")
            for host in CLIENT_HOSTS:
                self._neighbour(self.middlebox, "m0", client_address(family, host), "c0")
            self.client.ip(f"-{family}", "route", "add", "default", "via", GATEWAY_CLIENT[family], "dev", "c0")
            self.server.ip(f"-{family}", "route", "add", "default", "via", GATEWAY_SERVER[family], "dev", "s0")
            self.middlebox.ip(f"-{family}", "route", "add", SPOOFED4 if family == 4 else SPOOFED6,
                              "via", client_address(family), "dev", "m0")

    def add_server(self, host):
        """Another host of the server's network: one more address, of each family, on its card."""
        for family, bits in ((4, 24), (6, 64)):
            address = server_address(family, host)
            self.server.ip("addr", "add", f"{address}/{bits}", "dev", "s0", *(("nodad",) if family == 6 else ()))
            self._neighbour(self.middlebox, self._card_to_server(), address, "s0")

    @staticmethod
    def _neighbour(ns, device, address, peer):
        ns.ip("neigh", "replace", address, "lladdr", MAC[peer], "nud", "permanent", "dev", device)

    def _forward(self):
        self.middlebox.set_sysctls({
            "net.ipv4.ip_forward": 1, "net.ipv6.conf.all.forwarding": 1,
            **{f"net.ipv4.conf.{which}.{key}": 0 for which in ("all", "default", "m0", self._card_to_server())
               for key in ("rp_filter", "send_redirects")}})

    def _settings(self):
        self._forward()
        for ns in (self.client, self.server):
            ns.set_sysctls({"net.ipv4.conf.all.rp_filter": 0, "net.ipv4.conf.default.rp_filter": 0,
                            "net.core.somaxconn": 65535, "net.ipv4.tcp_max_syn_backlog": 65535,
                            "net.ipv4.tcp_max_tw_buckets": 262144,
                            "net.ipv4.ip_local_port_range": "10000 65000"})

    def _discard(self):
        # Before the discarding, counters: what of TCP came to either end, answers to nobody
        # included, and what of the flood reached the server. Not the middlebox's own SYNs, by which
        # the daemon asks the servers what they accept, those that are silent every now and then.
        xdp = self.options.sink == "xdp"
        discard = "" if xdp else f"ip daddr {SPOOFED4} drop\nip6 daddr {SPOOFED6} drop"
        syn = "tcp flags & (syn | ack) == syn"
        count = "\n".join(f"{which} saddr {sources} counter name spoofed\n"
                          f"{which} saddr {sources} {syn} counter name spoofed_syns"
                          for which, sources in (("ip", SPOOFED4), ("ip6", SPOOFED6)))
        asking = f"ip saddr {GATEWAY_SERVER[4]} accept\nip6 saddr {GATEWAY_SERVER[6]} accept"
        for ns, interface, first, rules in ((self.client, "c0", "", discard),
                                          (self.server, "s0", asking, count)):
            ns.nft(f"""
                table netdev lab {{
                  counter tcp_arrived {{ }}
                  counter spoofed {{ }}
                  counter spoofed_syns {{ }}
                  chain arriving {{
                    type filter hook ingress device {interface} priority -500; policy accept;
                    {first}
                    meta l4proto tcp counter name tcp_arrived
                    {rules}
                  }}
                }}""")
        if xdp:
            program = build_directory() / "tests" / "sink.bpf.o"
            self.client.ip("-force", "link", "set", "dev", "c0", "xdpdrv", "obj", str(program), "sec", "xdp")


def repository():
    return pathlib.Path(__file__).resolve().parents[2]


def build_directory():
    return pathlib.Path(os.environ.get("SYNWARD_BUILD", repository() / "build"))
