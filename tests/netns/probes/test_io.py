# SPDX-License-Identifier: GPL-2.0-or-later
"""daemon/io against the real kernel, through queue_probe. Needs root; makes its own namespaces."""

import json
import os
import pathlib
import re

import pytest

from io_lab import CLIENT4, CLIENT6, SERVER4, SERVER6, Lab, Probe, probe_program
from lab import wait

SYN, SYN_ACK = 0x02, 0x12
FLOWS = 120  # one in 10^7 times one of seven workers has none of them
SERVICES = ["client=cl0", "server=sv0", f"listen={SERVER4}:443", f"listen=[{SERVER6}]:443",
            f"backend={SERVER4}:443", f"backend=[{SERVER6}]:443"]

README = pathlib.Path(__file__).resolve().parents[3] / "README.md"
A_SYN = f"IP(dst='{SERVER4}')/TCP(dport=443,flags='S')"  # the last packet, for send()

# Answers every connection with the received bytes' number and how many were 'A'.
COUNTING_SERVER = """
import socket, threading
def serve(c):
    total = big = 0
    while data := c.recv(1 << 20):
        total += len(data); big += data.count(b'A')
    c.sendall(f'{total} {big}'.encode()); c.close()
def listen(family, address):
    s = socket.socket(family); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind((address, 443)); s.listen(1000)
    while True:
        threading.Thread(target=serve, args=(s.accept()[0],), daemon=True).start()
for family, address in ((socket.AF_INET, '0.0.0.0'), ):
    threading.Thread(target=listen, args=(family, address), daemon=True).start()
s6 = socket.socket(socket.AF_INET6); s6.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
s6.bind(('::', 443)); s6.listen(1000)
def accept6():
    while True:
        threading.Thread(target=serve, args=(s6.accept()[0],), daemon=True).start()
threading.Thread(target=accept6, daemon=True).start()
print('ready', flush=True)
import sys; sys.stdin.read()
"""

# argv: address, number of connections, bytes each
CONNECTING_CLIENT = """
import socket, sys
address, count, size = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
for _ in range(count):
    with socket.create_connection((address, 443), timeout=20) as c:
        c.sendall(b'a' * size); c.shutdown(socket.SHUT_WR)
        answer = b''
        while data := c.recv(100): answer += data
        print(c.getsockname()[1], answer.decode())
"""


@pytest.fixture(scope="module")
def lab():
    if os.geteuid() != 0:
        pytest.skip("needs root")
    lab = Lab(f"synw-io-{os.getpid()}")
    server = lab.python(lab.server, COUNTING_SERVER)
    assert server.stdout.readline() == "ready\n"
    yield lab
    server.stdin.close()
    server.wait(timeout=10)
    lab.close()


@pytest.fixture
def start(lab):
    probes = []

    def starter(*words, **options):
        probes.append(Probe(probe_program(), lab, *words, **options))
        return probes[-1]

    yield starter
    for probe in probes:
        probe.stop()


def connect(lab, address, count=1, size=10):
    done = lab.execute(lab.client, "/usr/bin/python3", "-c", CONNECTING_CLIENT, address,
                       str(count), str(size))
    return [line.split() for line in done.stdout.splitlines()]


def send(lab, probe, space, lines, queued):
    """Sends packets given as Scapy expressions, through layer 3; the queues of those that get into one,
    by the packets' id or fl: of several queues any may be read first.

    Where one must not, the last one must: when it is there, those before it would be.
    """
    probe.packets.clear()
    code = ("from scapy.all import *\nconf.verb=0\n" + "\n".join(f"send({line})" for line in lines))
    lab.execute(space, "/usr/bin/python3", "-c", code)
    wait.until(lambda: len(probe.packets) >= queued, f"{queued} packets to be queued")
    probe.ask()  # answered after what it has read before
    return [packet["queue"] for packet in sorted(probe.packets, key=lambda packet: packet["id"])]


def wait_for_synacks(probe, count):
    wait.until(lambda: probe.ask()["synacks"] >= count, f"{count} SYN-ACKs")


@pytest.mark.parametrize("address", [SERVER4, SERVER6])
@pytest.mark.parametrize("workers", [1, 2, 3, 7])
def test_both_directions_of_a_flow_reach_one_worker(lab, start, address, workers):
    probe = start("serve", *SERVICES, f"workers={workers}", "mode=pass")
    results = connect(lab, address, count=FLOWS)
    assert all(words[1:] == ["10", "0"] for words in results)
    wait.until(lambda: probe.ask()["waiting"] == 0, "the last acknowledgement")
    status = probe.ask()
    flows = {}
    for packet in probe.packets:
        port = packet["sport"] if packet["dst"] == address else packet["dport"]
        flows.setdefault(port, []).append(packet)
        is_client_syn = packet["flags"] & SYN_ACK == SYN
        assert packet["queue"] % 2 == (0 if is_client_syn else 1)
    assert flows.keys() == {int(port) for port, *_ in results}
    for packets in flows.values():
        assert len({packet["queue"] // 2 for packet in packets}) == 1
        assert {packet["src"] == address for packet in packets} == {True, False}
    used = {packet["queue"] // 2 for packet in probe.packets}
    assert used == set(range(workers))
    assert (status["errors"], status["refused"], status["waiting"]) == (0, 0, 0)


@pytest.mark.parametrize("address", [SERVER4, SERVER6])
def test_a_replaced_payload_goes_on_with_small_and_gso_packets(lab, start, address):
    probe = start("serve", *SERVICES, "workers=2", "mode=rewrite")
    assert connect(lab, address, size=10)[0][1:] == ["10", "10"]
    # The checksum of rewritten GSO packets is wrong: the kernel makes it anew per segment.
    assert connect(lab, address, size=5_000_000)[0][1:] == ["5000000", "5000000"]
    status = probe.ask()
    assert max(packet["length"] for packet in probe.packets) > 60000
    assert any(packet["gso"] for packet in probe.packets)
    assert all(packet["partial"] for packet in probe.packets if packet["src"] != address)
    assert status["errors"] == 0


@pytest.mark.parametrize("address", [SERVER4, SERVER6])
def test_a_syn_is_answered_in_place_and_counted(lab, start, address):
    probe = start("serve", *SERVICES, "workers=2", "mode=reply")
    client = CLIENT6 if ":" in address else CLIENT4
    done = lab.execute(lab.client, probe_program(), "flood", f"src={client}",
                       f"dst=[{address}]:443" if ":" in address else f"dst={address}:443",
                       "count=1280")
    assert '"refused": 0' in done.stdout
    wait_for_synacks(probe, 1280)
    status = probe.ask()
    # The client resets what it did not ask for; those segments are dropped, not counted.
    syns = sum(1 for packet in probe.packets if packet["flags"] == SYN)
    assert syns == 1280
    assert status["synacks"] == 1280


def test_an_ipv6_answer_in_place_sends_no_redirect_to_the_server(lab, start):
    def redirects():
        text = lab.execute(lab.server, "cat", "/proc/net/snmp6").stdout
        return next(line.split()[1] for line in text.splitlines() if "Icmp6InRedirects" in line)

    before = redirects()
    probe = start("serve", *SERVICES, "workers=1", "mode=reply")
    lab.execute(lab.client, probe_program(), "flood", f"src={CLIENT6}", f"dst=[{SERVER6}]:443",
                "count=128")
    wait_for_synacks(probe, 128)
    assert probe.ask()["synacks"] == 128
    assert redirects() == before


def fragments(family, number, port):
    """The two fragments of a segment, as a Scapy expression."""
    segment = f"TCP(sport=4000,dport={port},flags='A')/('x'*1400)"
    if family == 4:
        return f"fragment(IP(dst='{SERVER4}',id={number})/{segment},1288)"
    return f"fragment6(IPv6(dst='{SERVER6}')/IPv6ExtHdrFragment(id={number})/{segment},1300)"


@pytest.mark.parametrize("how", ["tproxy", "xt_socket"])
@pytest.mark.parametrize("family", [4, 6])
def test_a_segment_in_fragments_is_queued_whole_and_no_other_fragment_is(lab, start, family, how):
    probe = start("serve", *SERVICES, "workers=1", "mode=drop", f"reassembly={how}")
    assert (how == "tproxy") == ("tproxy" in lab.execute(lab.middle, "nft", "list", "ruleset").stdout)
    assert sorted(send(lab, probe, lab.client, [
        fragments(family, 1, 443) + "[0]", fragments(family, 2, 443) + "[1]", fragments(family, 3, 80),
        fragments(family, 4, 443), A_SYN], queued=2)) == [0, 1]
    assert [packet["length"] for packet in probe.packets if packet["queue"] == 1] == [1440 if family == 4 else 1460]


def test_tcp_behind_ipv6_extension_headers_reaches_the_syn_queue(lab, start):
    probe = start("serve", *SERVICES, "workers=1", "mode=drop")
    assert send(lab, probe, lab.client, [
        f"IPv6(dst='{SERVER6}',fl=1)/IPv6ExtHdrDestOpt()/TCP(dport=443,flags='S')",
        f"IPv6(dst='{SERVER6}',fl=2)/IPv6ExtHdrHopByHop()/IPv6ExtHdrDestOpt()/TCP(dport=443,flags='A')"], queued=2) == [0, 1]


def icmp_errors(router, source, destination):
    """A router's errors about eleven segments from source to destination, as Scapy expressions."""
    v6 = ":" in source
    outer = f"IPv6(src='{router}',dst='{source}',fl=ID)/ICMPv6PacketTooBig(mtu=1280)/" if v6 else \
        f"IP(src='{router}',dst='{source}',id=ID)/ICMP(type=3,code=4,nexthopmtu=1280)/"
    inner = f"IP{'v6' if v6 else ''}(src='{source}',dst='{destination}')/"
    return lambda ports: [outer.replace("ID", str(client)) + inner + f"TCP({ports(client)},flags='A')"
                          for client in range(40000, 40011)]


@pytest.mark.parametrize("server, client, router", [(SERVER4, CLIENT4, "203.0.113.9"),
                                                    (SERVER6, CLIENT6, "2001:db8:1::9")])
def test_icmp_errors_reach_the_worker_of_the_client_that_they_quote(lab, start, server, client, router):
    probe = start("serve", *SERVICES, "workers=7", "mode=drop")
    layer, number = ("IPv6", "fl") if ":" in server else ("IP", "id")
    segments = [f"{layer}(src='{client}',dst='{server}',{number}={port})/TCP(sport={port},dport=443,flags='A')"
                for port in range(40000, 40011)]
    last_segment = segments[0].replace(f"{number}=40000", f"{number}=50000")
    answer = f"{layer}(src='{server}',dst='{client}',{number}=50000)/TCP(sport=443,dport=40000,flags='A')"
    workers = [queue // 2 for queue in send(lab, probe, lab.client, segments, queued=len(segments))]
    assert len(workers) == 11 and len(set(workers)) > 1
    about_service = icmp_errors(router, server, client)(lambda port: f"sport=443,dport={port}")
    about_client = icmp_errors(router, client, server)(lambda port: f"sport={port},dport=443")
    for space, errors, last, queued in (
            (lab.client, about_service, last_segment, workers), (lab.server, about_client, answer, workers),
            (lab.client, about_client, last_segment, []), (lab.server, about_service, answer, [])):
        expected = [2 * worker + 1 for worker in queued + workers[:1]]
        assert send(lab, probe, space, errors + [last], queued=len(expected)) == expected


def test_other_icmp_passes_untouched(lab, start):
    probe = start("serve", *SERVICES, "workers=1", "mode=drop")
    error = f"IP(dst='{SERVER4}')/ICMP(type=3,code=4)/"
    quote = f"IP(src='{SERVER4}',dst='{CLIENT4}'"
    assert send(lab, probe, lab.client, [
        error + quote + ")/TCP(sport=80,dport=40000)", error + quote + ")/UDP(sport=443,dport=40000)",
        error + quote + ",options=[IPOption_NOP()]*4)/TCP(sport=443,dport=40000)",
        error.replace("type=3,code=4", "type=5") + quote + ")/TCP(sport=443,dport=40000)",
        error.replace("type=3,code=4", "type=8") + quote + ")/TCP(sport=443,dport=40000)",
        f"IPv6(dst='{SERVER6}')/ICMPv6EchoRequest()/IPv6(src='{SERVER6}')/TCP(sport=443)", A_SYN], queued=1) == [0]


def test_other_ports_protocols_and_interfaces_pass_untouched(lab, start):
    probe = start("serve", *SERVICES, "workers=1", "mode=drop")
    assert send(lab, probe, lab.client, [
        f"IP(dst='{SERVER4}')/TCP(dport=80,flags='S')", f"IP(dst='{SERVER4}')/UDP(dport=443)",
        f"IP(dst='{SERVER4}')/ICMP()", A_SYN], queued=1) == [0]
    assert send(lab, probe, lab.server, [
        f"IP(dst='{CLIENT4}')/TCP(sport=80,dport=5000,flags='A')", f"IP(dst='{SERVER4}')/TCP(dport=443,flags='S')",
        f"IP(dst='{CLIENT4}')/TCP(sport=443,dport=5000,flags='A')"], queued=1) == [1]


def test_one_interface_may_be_client_and_server(lab, start):
    services = [word.replace("server=sv0", "server=cl0") for word in SERVICES]
    probe = start("serve", *services, "server=sv0", "client=sv0", "workers=2", "mode=pass")
    assert connect(lab, SERVER4, count=8, size=10)[0][1:] == ["10", "0"]
    probe.ask()
    ports = {}
    for packet in probe.packets:
        port = packet["sport"] if packet["dst"] == SERVER4 else packet["dport"]
        ports.setdefault(port, set()).add(packet["queue"] // 2)
    assert len(ports) == 8 and all(len(workers) == 1 for workers in ports.values())


@pytest.mark.parametrize("mode", ["rewrite", "pass"])
def test_what_is_ours_is_not_tracked_and_what_passes_is(lab, start, mode):
    lab.execute(lab.middle, "nft", """table ip watch { chain forward {
        type filter hook forward priority 0
        ct state untracked meta mark & 0xffff0000 == 0x53590000 counter comment "ours"
        ct state new,established meta mark & 0xffff0000 != 0x53590000 counter comment "passed"; }; }""")
    try:
        start("serve", *SERVICES, "workers=2", f"mode={mode}")
        connect(lab, SERVER4, count=3)
        rules = lab.execute(lab.middle, "nft", "list", "table", "ip", "watch").stdout
        counted = {comment: "packets 0" not in line for line in rules.splitlines()
                   for comment in ("ours", "passed") if comment in line}
        assert counted == {"ours": mode == "rewrite", "passed": mode == "pass"}
    finally:
        lab.execute(lab.middle, "nft", "delete", "table", "ip", "watch")


def test_tables_die_with_the_process(lab, start):
    probe = start("serve", *SERVICES, "workers=2")
    assert "synward" in lab.execute(lab.middle, "nft", "list", "tables").stdout
    refused = lab.execute(lab.middle, "nft", "delete", "table", "ip", "synward", check=False)
    assert "Operation not permitted" in refused.stderr
    lab.execute(lab.middle, "nft", "flush", "ruleset")
    assert probe.ask()["present"] == 1
    probe.process.kill()
    probe.process.wait()
    wait.until(lambda: lab.execute(lab.middle, "nft", "list", "tables").stdout == "", "the tables to go")


def test_removal_leaves_no_table(lab, start):
    probe = start("serve", *SERVICES, "workers=2")
    assert probe.ask("remove")["present"] == 1  # nothing is missing
    assert lab.execute(lab.middle, "nft", "list", "tables").stdout == ""


def test_replacing_the_plan_is_atomic_and_keeps_counting(lab, start):
    probe = start("serve", *SERVICES, "workers=2", "mode=reply")
    flood = ("flood", f"src={CLIENT4}", f"dst={SERVER4}:443", "count=128")
    lab.execute(lab.client, probe_program(), *flood)
    wait_for_synacks(probe, 128)
    assert probe.ask(f"replace {SERVER4}:80")["synacks"] == 128
    assert f"{SERVER4} . 80" in lab.execute(lab.middle, "nft", "list", "table", "ip", "synward").stdout
    without_services = lab.execute(lab.middle, "nft", "list", "table", "ip6", "synward").stdout
    assert "iifname" not in without_services and "set " not in without_services
    assert probe.ask(f"replace {SERVER4}:443")["present"] == 1
    lab.execute(lab.client, probe_program(), *flood)
    wait_for_synacks(probe, 256)
    assert probe.ask()["synacks"] == 256


def test_a_second_instance_is_refused_and_names_the_first(lab, start):
    first = start("serve", *SERVICES, "workers=2")
    second = start("serve", *SERVICES, "workers=2")
    assert f"process {first.first['ready']} (queue_probe)" in second.first["error"]
    assert "queue 24100" in second.first["error"] and "queue_start" in second.first["error"]


def test_a_table_of_our_name_without_an_owner_gives_way(lab, start):
    lab.execute(lab.middle, "nft", "add table ip6 synward; add chain ip6 synward stale; add table ip other")
    try:
        probe = start("serve", *(word for word in SERVICES if "[" not in word), "workers=2")
        assert probe.first["replaced"] == "ip6 synward"
        assert lab.execute(lab.middle, "nft", "list", "tables").stdout.split("\n")[:-1] == [
            "table ip other", "table ip synward"]
    finally:
        lab.execute(lab.middle, "nft", "delete table ip other")


# What a saved ruleset of this kernel cannot have: the xt target is an empty line for `nft`.
NATIVE = re.compile(r"^\t\t(xt target \"NFQUEUE\")?$", re.MULTILINE)


@pytest.mark.parametrize("workers", [1, 3])
def test_what_is_listed_loads_again(lab, start, workers):
    start("serve", *SERVICES, f"own={SERVER4}", f"workers={workers}", "mode=drop")
    listed = lab.execute(lab.middle, "nft", "list", "ruleset").stdout
    assert len(NATIVE.findall(listed)) == 4 * workers, "each queue, in each family"
    saved = NATIVE.sub("\t\tcounter accept", listed)
    # As nft -f would: in one namespace after the other, and then without an owner, to stay.
    for text in (saved, saved.replace("flags owner", "")):
        done = lab.load_rules(lab.client, text)
        assert (done.returncode, done.stderr) == (0, ""), done.stderr + text
    again = lab.execute(lab.client, "nft", "list", "ruleset").stdout
    lab.execute(lab.client, "nft", "flush", "ruleset")

    def plain(text):
        return re.sub(r" ?packets \d+ bytes \d+| # progname.*|\n\tflags owner\n", "", text)
    assert plain(again) == plain(saved)


def test_the_readmes_line_saves_what_is_not_ours(lab, start):
    lab.execute(lab.middle, "nft", "add table ip other; add chain ip other kept; add table inet synward2")
    try:
        start("serve", *SERVICES, "workers=2", "mode=drop")
        line = next(line for line in README.read_text(encoding="utf-8").splitlines() if line.startswith("{ echo flush"))
        saved = lab.execute(lab.middle, "bash", "-c", line.rsplit(" > ", 1)[0])
        assert saved.stdout.split("\n")[0] == "flush ruleset"
        assert [word for word in re.findall(r"table (.*) {", saved.stdout)] == ["ip other", "inet synward2"]
        assert "kept" in saved.stdout and lab.load_rules(lab.client, saved.stdout).returncode == 0
    finally:
        for space in (lab.middle, lab.client):
            lab.execute(space, "nft", "delete table ip other; delete table inet synward2")


def test_an_owned_table_of_another_process_is_reported(lab, start):
    holder = start("serve", *SERVICES, "workers=1")
    # Other queues, the same tables.
    other = start("serve", *SERVICES, "workers=1", "start=30000")
    assert "another process owns the nftables table `synward`" in other.first["error"]
    assert holder.ask()["present"] == 1


def test_missing_privilege_is_named(lab, start):
    drop = ("setpriv", "--bounding-set", "-net_admin", "--inh-caps", "-net_admin")
    probe = start("serve", *SERVICES, wrapper=drop)
    assert "CAP_NET_ADMIN is missing" in probe.first["error"]


@pytest.mark.parametrize("family", [4, 6])
def test_the_injector_sends_with_a_foreign_source_and_goes_on_after_an_error(lab, tmp_path, family):
    listener = lab.python(lab.client, """
from scapy.all import *
conf.verb = 0
sniffer = AsyncSniffer(iface='eth0', filter='tcp dst port 7777 or tcp[2:2]==7777 or ip6[42:2]==7777', started_callback=lambda: print('ready', flush=True), stop_filter=lambda p: p[TCP].sport == 4)
sniffer.start(); sniffer.join(30)
for p in sniffer.results: print(p[TCP].sport, p.getlayer(1).src, p[TCP].chksum, flush=True)
""")
    assert listener.stdout.readline() == "ready\n"
    source = "2001:db8:f::77" if family == 6 else "198.18.7.7"
    client, nowhere = (CLIENT6, "ff0e::1:2:3:4") if family == 6 else (CLIENT4, "0.0.0.0")
    layer = "IPv6" if family == 6 else "IP"
    code = f"""
from scapy.all import *
def line(dst, sport, size=0): return bytes({layer}(src='{source}', dst=dst)/TCP(sport=sport, dport=7777, flags='SA')/(b'x'*size)).hex()
print(line('{client}', 1)); print(line('{client}', 2, 3000)); print(line('{client}', 3)); print('00'*40); print(line('{client}', 4))
"""
    packets = tmp_path / "packets"
    packets.write_text(lab.execute(lab.middle, "/usr/bin/python3", "-c", code).stdout)
    done = lab.execute(lab.middle, probe_program(), "inject", str(packets))
    seen = [line.split()[:2] for line in listener.stdout]
    assert seen == [["1", source], ["3", source], ["4", source]]
    assert '"refused": 2' in done.stdout  # too big for the route, not an IP packet


@pytest.mark.parametrize("family", [4, 6])
def test_the_injector_waits_for_room_in_its_socket_where_it_may(lab, family):
    """Behind a slow link packets fill the socket's buffer of 8 MiB: its owner has the choice."""
    target = f"src={CLIENT4} dst={SERVER4}:9" if family == 4 else f"src={CLIENT6} dst=[{SERVER6}]:9"
    connect(lab, SERVER4 if family == 4 else SERVER6)  # the neighbour is known from then on
    lab.execute(lab.middle, "tc", "qdisc", "add", "dev", "sv0", "root", "tbf", "rate", "8mbit", "burst", "32kb",
                "limit", "20000000")
    try:
        refused = []
        for patience in (0, 20):
            done = lab.execute(lab.middle, probe_program(), "flood", *target.split(), "count=25600",
                               f"patience={patience}")
            refused.append(json.loads(done.stdout)["refused"])
    finally:
        lab.execute(lab.middle, "tc", "qdisc", "del", "dev", "sv0", "root")
    assert refused[0] > 0, "the buffer is filled"
    assert refused[1] == 0


def waiting_and_dropped(lab):
    """Of the SYN queue: packets that nobody has decided on, and those for which it had no room."""
    first = lab.execute(lab.middle, "cat", "/proc/net/netfilter/nfnetlink_queue").stdout.splitlines()[0].split()
    return int(first[2]), int(first[5])


def test_packets_wait_in_the_kernel_while_nobody_reads_and_are_dropped_when_full(lab, start):
    """A stopped probe: max_length (16384) is reached, then queue_dropped counts."""
    probe = start("serve", *SERVICES, "workers=1", "mode=drop", "quiet=1")
    os.kill(probe.first["ready"], 19)
    lab.execute(lab.client, probe_program(), "flood", f"src={CLIENT4}", f"dst={SERVER4}:443",
                "count=17024")
    wait.until(lambda: sum(waiting_and_dropped(lab)) >= 17024, "all to be queued or dropped")
    os.kill(probe.first["ready"], 18)
    wait.until(lambda: waiting_and_dropped(lab)[0] == 0, "the queue to be read")
    status = probe.ask()
    assert status["seen"][0] == 16384
    assert status["dropped"] == 17024 - 16384
