# SPDX-License-Identifier: GPL-2.0-or-later
"""Every way in which a connection ends, 200 at once: after each step the gauge has exactly the
states that the two kernels' own sockets are in, and at the end the reason is counted.

Each test has a service of its own, so that its figures start at zero and nobody adds to them."""

import contextlib
import socket
import time

import pytest

from lab import ending, network, pairs, repair, wait
from lab import lab as labs

pytestmark = pytest.mark.synward

COUNT = 200
DATA = bytes(range(256)) * 1024  # 256 KiB: more than the buffers take while nobody reads
NAMES = ("half-closed-by-client", "half-closed-by-backend", "closed-by-client", "closed-by-backend", "closed-at-once",
         "reset-by-client", "reset-by-backend", "deaf-client", "deaf-backend", "lost-by-client", "lost-by-backend",
         "reused-after-client", "reused-after-backend", "idle", "kept-alive", "aging")
PORTS = {name: 7000 + number for number, name in enumerate(NAMES)}
IDLE = "3s"
TWO_MSL = 60  # seconds

FAMILIES = pytest.mark.parametrize("family", [4, 6])
# Which side acts.
SIDES = pytest.mark.parametrize("actor, other", [("client", "backend"), ("backend", "client")],
                                ids=["by-client", "by-backend"])


def services():
    return [{"name": ending.service_name(name, family), "listen": [network.endpoint(family, port)]}
            for name, port in PORTS.items() for family in (4, 6)]


def case_of(lab, name, family):
    return ending.Ending(lab, name, family, PORTS[name], COUNT)


@pytest.fixture(name="endings", scope="module")
def _endings(defence):
    with labs.Lab(defence(services=services())) as lab:
        # A veth lets segments of one flow overtake each other when two CPUs send them: an ACK behind the FIN
        # is answered out of TIME-WAIT, and the closed end's RST to that answer must not end TIME-WAIT (RFC 1337).
        for namespace in (lab.client, lab.server):
            namespace.set_sysctls({"net.ipv4.tcp_rfc1337": 1})
        yield lab


@pytest.fixture(name="impatient", scope="module")
def _impatient(defence):
    """Where connections are idle soon."""
    splice = {"engine": "userspace", "idle": IDLE}
    with labs.Lab(defence(services=services(), splice=splice)) as lab:
        yield lab


@pytest.fixture(name="aging", scope="module", autouse=True)
def _aging(endings):
    """Connections that end before the first test begins, whose 2MSL pass during the others; and when."""
    cases = []
    for family in (4, 6):
        case = case_of(endings, "aging", family)
        with case.open() as opened:
            pairs.shut(opened.clients)
            assert pairs.last_words(opened.servers) == {b"": COUNT}
            ended = time.monotonic()  # none has, yet
            pairs.close(opened.servers)
            case.expect(opened, client="time_wait", backend="closed")
        cases.append((case, ended))
    return cases


@pytest.fixture(name="begin")
def _begin(endings):
    return lambda name, family: case_of(endings, name, family)


def dropping_fins(namespace, interface, port):
    """FINs to or from the port are lost on their arrival there."""
    return namespace.nft_ingress(interface, f"tcp sport {port} tcp flags & fin == fin counter name seen drop\n"
                                            f"tcp dport {port} tcp flags & fin == fin counter name seen drop")


@FAMILIES
@SIDES
def test_half_closed_with_data_still_flowing(begin, family, actor, other):
    """An endpoint that is done sending goes on receiving, for as long as the other likes."""
    case = begin(f"half-closed-by-{actor}", family)
    with case.open() as opened:
        case.expect(opened, client="established", backend="established")
        stream = pairs.Stream(opened.ends(other), opened.ends(actor), DATA)
        stream.fill()
        pairs.shut(opened.ends(actor))
        case.expect(opened, **{actor: "fin_wait_2", other: "close_wait"})
        stream.finish()
        pairs.exchange(opened.ends(other), opened.ends(actor), b"and more, later")
        assert pairs.last_words(opened.ends(other)) == {b"": COUNT}
        case.expect(opened, **{actor: "fin_wait_2", other: "close_wait"})
        assert case.closed() == {}
        pairs.close(opened.ends(other))
        case.expect(opened, **{actor: "time_wait", other: "closed"})
        assert pairs.last_words(opened.ends(actor)) == {b"": COUNT}
    assert case.closed() == {"fin": COUNT}


@FAMILIES
@SIDES
def test_closed_step_by_step(begin, family, actor, other):
    """Every state of RFC 9293 3.6 between CLOSE and CLOSED, each held by losing what would end it."""
    case = begin(f"closed-by-{actor}", family)
    near, far = ((case.lab.client, "c0"), (case.lab.server, "s0"))[::1 if actor == "client" else -1]
    with case.open() as opened:
        pairs.exchange(opened.clients, opened.servers, b"request")
        pairs.exchange(opened.servers, opened.clients, b"response")
        with dropping_fins(*far, case.port):
            pairs.close(opened.ends(actor))
            case.expect(opened, **{actor: "fin_wait_1", other: "established"})
        case.expect(opened, **{actor: "fin_wait_2", other: "close_wait"})
        assert pairs.last_words(opened.ends(other)) == {b"": COUNT}
        with dropping_fins(*near, case.port):
            pairs.close(opened.ends(other))
            case.expect(opened, **{actor: "fin_wait_2", other: "last_ack"})
            assert case.closed() == {}
        case.expect(opened, **{actor: "time_wait", other: "closed"})
    assert case.closed() == {"fin": COUNT}


@FAMILIES
def test_closed_by_both_at_once(begin, family):
    """The FINs cross (RFC 9293 3.6, case 3): each side sends its own before it gets the other's."""
    case = begin("closed-at-once", family)
    with case.open() as opened:
        pairs.exchange(opened.clients, opened.servers, b"request")
        with dropping_fins(case.lab.client, "c0", case.port):
            with dropping_fins(case.lab.server, "s0", case.port):
                pairs.close(opened.clients)
                pairs.close(opened.servers)
                case.expect(opened, client="fin_wait_1", backend="fin_wait_1")
            # The server gets the client's FIN, and its acknowledgement arrives; its own FIN does not.
            case.expect(opened, client="fin_wait_2", backend="closing")
            assert case.closed() == {}
        case.expect(opened, client="time_wait", backend="time_wait")
    assert case.closed() == {"fin": COUNT}


@FAMILIES
@SIDES
def test_reset(begin, family, actor, other):
    case = begin(f"reset-by-{actor}", family)
    with case.open() as opened:
        pairs.exchange(opened.clients, opened.servers, b"request")
        case.expect(opened, client="established", backend="established")
        pairs.reset(opened.ends(actor))
        case.expect(opened, client="closed", backend="closed")
        assert pairs.last_words(opened.ends(other)) == {ConnectionResetError: COUNT}
    assert case.closed() == {"reset": COUNT}


@FAMILIES
@SIDES
def test_closed_while_the_other_still_sends(begin, family, actor, other):
    """CLOSE is not a half-close: nobody is left to read, so data that comes then is answered by RST."""
    case = begin(f"deaf-{actor}", family)
    with case.open() as opened:
        pairs.exchange(opened.clients, opened.servers, b"request")
        pairs.close(opened.ends(actor))
        case.expect(opened, **{actor: "fin_wait_2", other: "close_wait"})
        for end in opened.ends(other):
            end.send(b"anyone there?")
        case.expect(opened, client="closed", backend="closed")
    assert case.closed() == {"reset": COUNT}


@FAMILIES
def test_a_client_that_lost_its_connections_opens_new_ones_from_the_same_ports(begin, family):
    """RFC 5961 4: its SYN gets a challenge ACK, which it answers by RST; its SYN again then succeeds."""
    case, ports = begin("lost-by-client", family), range(31000, 31000 + COUNT)
    with case.open(client_ports=ports) as lost:
        repair.vanish(lost.clients)
        lost.stop_listening()
        with case.open(client_ports=ports) as opened:
            assert pairs.last_words(lost.servers) == {ConnectionResetError: COUNT}
            case.expect(opened, client="established", backend="established")
            pairs.exchange(opened.clients, opened.servers, b"request")
    assert case.closed()["reset"] == COUNT


@FAMILIES
def test_a_server_that_lost_its_connections_resets_them(begin, family):
    case = begin("lost-by-backend", family)
    with case.open() as opened:
        repair.vanish(opened.servers)
        case.expect_gauge(client="established", backend="established")
        for client in opened.clients:
            client.send(b"anyone there?")
        case.expect(opened, client="closed", backend="closed")
        assert pairs.last_words(opened.clients) == {ConnectionResetError: COUNT}
    assert case.closed() == {"reset": COUNT}


@FAMILIES
@SIDES
def test_port_reused_within_time_wait(begin, family, actor, other):
    """The same client port again, at once: a SYN beyond the old numbers reopens TIME-WAIT (T3)."""
    case = begin(f"reused-after-{actor}", family)
    ports = range(30000, 30000 + COUNT)
    # A client's kernel keeps its own TIME-WAIT to itself: without it, it is a client that dares.
    daring = {"net.ipv4.tcp_max_tw_buckets": 0}
    usual = {"net.ipv4.tcp_max_tw_buckets": 262144}
    try:
        case.lab.client.set_sysctls(daring)
        for times in (1, 2):
            with case.open(client_ports=ports) as opened:
                case.expect_gauge(client="established", backend="established")
                pairs.exchange(opened.clients, opened.servers, b"request %d" % times)
                pairs.exchange(opened.servers, opened.clients, b"response")
                pairs.shut(opened.ends(actor))
                assert pairs.last_words(opened.ends(other)) == {b"": COUNT}
                pairs.close(opened.ends(other))
                case.expect_gauge(**{actor: "time_wait", other: "closed"})
            assert case.closed() == {"fin": times * COUNT}
    finally:
        case.lab.client.set_sysctls(usual)


def keep_alive(sock, _):
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 1)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 1)


def test_idle_ones_end_and_kept_alive_ones_do_not(impatient):
    """Both sides of an idle connection are told; keep-alives, unseen by applications, keep one (T4)."""
    cases = [[case_of(impatient, name, family) for name in ("kept-alive", "idle")] for family in (4, 6)]
    with contextlib.ExitStack() as stack:
        lasting = [stack.enter_context(kept.open(prepare=keep_alive)) for kept, _ in cases]
        for times in (1, 2):  # twice the idle time for those kept alive
            opened = [(idle, stack.enter_context(idle.open())) for _, idle in cases]
            for case, ends in opened:
                wait.until(lambda c=case, t=times: c.closed() == {"idle": t * COUNT}, "idle ones to end")
                assert pairs.last_words(ends.clients) == {ConnectionResetError: COUNT}
                assert pairs.last_words(ends.servers) == {ConnectionResetError: COUNT}
                assert ends.states() == {}
                assert set(case.gauge()) <= {("client", "closed"), ("backend", "closed")}
                ends.close()
        for (case, _), ends in zip(cases, lasting):
            case.expect(ends, client="established", backend="established")
            pairs.exchange(ends.clients, ends.servers, b"still here")
            pairs.exchange(ends.servers, ends.clients, b"so are we")
            assert case.closed() == {}


@FAMILIES
@pytest.mark.parametrize("actor", ["client", "backend"])
def test_after_a_reset_nothing_lasts(begin, family, actor):
    """Only TIME-WAIT has to last: of what was reset nothing is left after ten seconds."""
    case = begin(f"reset-by-{actor}", family)
    assert case.closed() == {"reset": COUNT}
    wait.until(lambda: case.gauge() == {}, "the last trace to go", timeout=20)


def test_after_two_msl_nothing_lasts(aging):
    all_of_them = {("client", "time_wait"): COUNT, ("backend", "closed"): COUNT}
    for case, ended in aging:
        wait.until(lambda c=case: c.gauge() != all_of_them, "the first to go", timeout=TWO_MSL + 30, every=0.1)
        assert time.monotonic() - ended > TWO_MSL - 1
        wait.until(lambda c=case: c.gauge() == {}, "the others to go")
        assert case.closed() == {"fin": COUNT}
