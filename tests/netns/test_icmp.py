# SPDX-License-Identifier: GPL-2.0-or-later
"""ICMP errors find their connection through the splice, so that path MTU discovery works; forged
ones are refused.

The far server stands behind a router and a link of 1280 bytes; the near one is reached directly.
"""

import contextlib
import re
import socket
import types

import pytest

from lab import lab as labs
from lab import network, servers, wait
from lab.capture import IP, TCP, Capture, Ether, IPv6, raw_socket
from lab.metrics import Difference
from lab.synward import Synward

from scapy.layers.inet import ICMP  # pylint: disable=wrong-import-order
from scapy.layers.inet6 import ICMPv6PacketTooBig
from scapy.packet import Raw

pytestmark = pytest.mark.synward

MTU = 1280
FORGED_MTU = 1300
MEBIBYTES = 5
LISTED = {4: "198.51.100.20", 6: "2001:db8:2::20"}
UNREACHABLE = {4: "198.51.100.140", 6: "2001:db8:2::8000:99"}
FAILOVER = {4: "198.51.100.21", 6: "2001:db8:2::21"}
CLIENTS = {4: "203.0.113.0/25", 6: "2001:db8:1::/65"}


def at(address, port):
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def both(addresses, port):
    return [at(addresses[family], port) for family in (4, 6)]


SERVICES = [
    {"name": "near", "listen": both(network.SERVICE, 80)},
    {"name": "far", "listen": both(network.FAR, 80)},
    {"name": "listed", "listen": both(LISTED, 8080), "backends": both(network.FAR, 80)},
    {"name": "failover", "listen": both(FAILOVER, 80),
     "backends": both(UNREACHABLE, 80) + both(network.FAR, 80)},
]


@pytest.fixture(name="place", scope="module")
def _place(request):
    """The lab with its far end, and the daemon on both."""
    if request.config.getoption("--defence") != "synward":
        pytest.skip("needs the daemon")
    with labs.Lab() as lab:
        far = lab.net.extend(MTU)
        for family in (4, 6):
            lab.server.ip(f"-{family}", "route", "add", "unreachable", UNREACHABLE[family])
        directory = lab.directory / "far"
        directory.mkdir()
        nginx = servers.Nginx(far, directory, addresses=network.FAR)
        try:
            content = nginx.make_file("content", MEBIBYTES)
            (lab.nginx.root / "content").write_bytes(content.read_bytes())
            lab.protect(Synward(services=SERVICES))
            yield types.SimpleNamespace(
                lab=lab, client=lab.client, far=far, daemon=lab.defence, content=content,
                sha256=servers.sha256(content), roots={"near": lab.nginx.root, "far": nginx.root})
            lab.unprotect()
        finally:
            nginx.close()


# service: (its addresses, its port, the namespace of its server, whose nginx)
TARGETS = {"near": (network.SERVICE, 80, "near"), "far": (network.FAR, 80, "far"),
           "listed": (LISTED, 8080, "far")}


@pytest.fixture(autouse=True)
def _forget_paths(place):
    """Nobody knows a path MTU from the test before."""
    for namespace in (place.client, place.lab.server, place.far):
        namespace.ip("route", "flush", "cache")
        namespace.ip("-6", "route", "flush", "cache")
        namespace.ip("tcp_metrics", "flush", "all")


@contextlib.contextmanager
def narrow(place, family, prefix, device):
    """The middlebox's own route has an MTU: it is the router that refuses."""
    route = (f"-{family}", "route")
    place.lab.middlebox.ip(*route, "add", prefix, "dev", device, "mtu", "lock", MTU)
    try:
        yield
    finally:
        place.lab.middlebox.ip(*route, "del", prefix, "dev", device)


def sizes(namespace, *what):
    """(mss, path MTU) of the established connections there."""
    text = namespace.run("ss", "-Htin", "state", "established", *what).stdout
    return {(int(mss), int(pmtu)) for mss, pmtu in re.findall(r"\bmss:(\d+) pmtu:(\d+)", text)}


def expected_sizes(family, mtu=MTU):
    """Timestamps are kept, so their 12 bytes are taken from every segment."""
    return mtu - (40 if family == 4 else 60) - 12, mtu


@contextlib.contextmanager
def transfer(place, service, family, *words):
    """curl at a pace that leaves time to look; it must succeed, and no packet may be refused."""
    addresses, port, _ = TARGETS[service]
    url = f"http://{at(addresses[family], port)}"
    before = place.daemon.metrics()
    words = [word.replace("URL", url) for word in map(str, words)]
    process = place.client.popen("curl", "-sSgf", "--max-time", 30, "--limit-rate", "1M", *words)
    try:
        yield
        assert process.wait(40) == 0
    finally:
        process.kill()
        process.wait()
    assert Difference(before, place.daemon.metrics()).dropped() == {}


def upload(place, service, family):
    name = f"{service}{family}"
    uploaded = place.roots[TARGETS[service][2]] / "upload" / name
    with transfer(place, service, family, "-T", place.content, f"URL/upload/{name}"):
        wait.until(lambda: expected_sizes(family) in sizes(place.client, "dport", "=", f":{TARGETS[service][1]}"),
                   "the client's MSS to adapt")
    assert servers.sha256(uploaded) == place.sha256
    uploaded.unlink()


def download(place, service, family):
    server = place.far if TARGETS[service][2] == "far" else place.lab.server
    downloaded = place.lab.directory / "downloaded"
    with transfer(place, service, family, "-o", downloaded, "URL/content"):
        wait.until(lambda: expected_sizes(family) in sizes(server, "sport", "=", ":80"),
                   "the server's MSS to adapt")
    assert servers.sha256(downloaded) == place.sha256


@pytest.mark.parametrize("family", [4, 6])
def test_upload_over_a_narrow_route_of_the_middlebox(place, family):
    host = f"{network.SERVICE[family]}/{32 if family == 4 else 128}"
    with narrow(place, family, host, "m1"):
        upload(place, "near", family)


@pytest.mark.parametrize("family", [4, 6])
def test_download_over_a_narrow_route_of_the_middlebox(place, family):
    with narrow(place, family, CLIENTS[family], "m0"):
        download(place, "near", family)


@pytest.mark.parametrize("family", [4, 6])
@pytest.mark.parametrize("service", ["far", "listed"])
def test_upload_over_a_narrow_link_behind_the_middlebox(place, service, family):
    upload(place, service, family)


@pytest.mark.parametrize("family", [4, 6])
def test_download_from_a_listed_backend_over_a_narrow_route_of_the_middlebox(place, family):
    """The error is about a segment of the listen address, which no machine has."""
    place.far.ip("link", "set", "f0", "mtu", 1500)
    place.lab.server.ip("link", "set", "s1", "mtu", 1500)
    try:
        with narrow(place, family, CLIENTS[family], "m0"):
            download(place, "listed", family)
    finally:
        place.lab.server.ip("link", "set", "s1", "mtu", MTU)
        place.far.ip("link", "set", "f0", "mtu", MTU)


@pytest.mark.parametrize("family", [4, 6])
def test_with_the_mark_reflected_by_the_kernel(place, family):
    """fwmark_reflect gives errors the mark of what they are about, which is our own."""
    reflect = {"net.ipv4.fwmark_reflect": 1, "net.ipv6.fwmark_reflect": 1}
    place.lab.middlebox.set_sysctls(reflect)
    try:
        with narrow(place, family, CLIENTS[family], "m0"):
            download(place, "near", family)
    finally:
        place.lab.middlebox.set_sysctls(dict.fromkeys(reflect, 0))


@contextlib.contextmanager
def quiet_connection(place, family):
    """A connection on which nothing is under way; yields its client and, as the client sees them,
    what the service and what the client would send next."""
    lab = place.lab
    with Capture(lab.client, "c0", lab.directory, "tcp port 80") as capture, \
            lab.client.socket(socket.AF_INET if family == 4 else socket.AF_INET6) as client:
        client.settimeout(5)
        client.connect((network.SERVICE[family], 80))
        client.sendall(b"HEAD /page HTTP/1.1\r\nHost: lab\r\n\r\n")
        assert client.recv(65536).startswith(b"HTTP/1.1 200")
        address, port = client.getsockname()[:2]

        def last(packets):
            mine = [packet[TCP] for packet in packets if port in (packet[TCP].sport, packet[TCP].dport)]
            return mine[-1] if len(mine) > 4 and mine[-1].sport == port and mine[-1].flags == "A" else None
        final = last(capture.wait_for(last, "the answer to be acknowledged"))
        yield address, port, final.ack, final.seq


def too_big(family, router, source, destination, seq):
    """A router's error about source's segment to destination, with that sequence number."""
    tcp = TCP(sport=source[1], dport=destination[1], seq=seq, ack=1, flags="A") / Raw(b"x" * 500)
    if family == 4:
        return (IP(src=router, dst=source[0]) / ICMP(type=3, code=4, nexthopmtu=FORGED_MTU)
                / IP(src=source[0], dst=destination[0], flags="DF") / tcp)
    return (IPv6(src=router, dst=source[0]) / ICMPv6PacketTooBig(mtu=FORGED_MTU)
            / IPv6(src=source[0], dst=destination[0]) / tcp)


def refused_then_taken(place, interface, error, looked_at):
    """error(seq offset) is refused and counted as long as it is forged, and believed otherwise."""
    lab, own = place.lab, "c0" if interface == "m0" else "s0"
    namespace = lab.client if own == "c0" else lab.server
    before, size = place.daemon.metrics(), looked_at()
    with raw_socket(namespace, own) as send:
        for forged in (100_000, -100_000, 1 << 31):
            send(Ether(src=network.MAC[own], dst=network.MAC[interface]) / error(forged))
        wait.until(lambda: Difference(before, place.daemon.metrics()).dropped() == {"icmp_out_of_window": 3},
                   "the forged errors to be counted")
        assert looked_at() == size
        send(Ether(src=network.MAC[own], dst=network.MAC[interface]) / error(0))
        wait.until(lambda: {pmtu for _, pmtu in looked_at()} == {FORGED_MTU}, "the good one to be believed")


@pytest.mark.parametrize("family", [4, 6])
def test_forged_error_to_the_server_is_refused(place, family):
    with quiet_connection(place, family) as (client, port, service_next, _):
        def error(ahead):
            return too_big(family, network.client_address(family, 20), (network.SERVICE[family], 80), (client, port),
                           (service_next + ahead) % 2**32)
        refused_then_taken(place, "m0", error, lambda: sizes(place.lab.server, "dport", "=", f":{port}"))


@pytest.mark.parametrize("family", [4, 6])
def test_forged_error_to_the_client_is_refused(place, family):
    with quiet_connection(place, family) as (client, port, _, client_next):
        def error(ahead):
            return too_big(family, network.FAR[family], (client, port), (network.SERVICE[family], 80),
                           (client_next + ahead) % 2**32)
        refused_then_taken(place, "m1", error, lambda: sizes(place.client, "sport", "=", f":{port}"))


@pytest.mark.parametrize("family", [4, 6])
def test_unreachable_backend_is_replaced_at_once(place, family):
    """S3: a router says so; 0.6 s of silence would be too late."""
    before = place.daemon.metrics()
    for _ in range(12):
        place.client.run("curl", "-sSgf", "--max-time", 30, "-o", "/dev/null",
                                f"http://{at(FAILOVER[family], 80)}/content", "-r", "0-999")
        change = Difference(before, place.daemon.metrics())
        if change.total("backend_failures_total", reason="unreachable"):
            break
    assert change.total("backend_failures_total", reason="unreachable") == 1
    assert change.total("backend_failures_total", reason="timeout") == 0
