# SPDX-License-Identifier: GPL-2.0-or-later
"""Every way in which a connection ends, 200 at once: after each step the gauge has exactly the
states that the two kernels' own sockets are in, and at the end the reason is counted.

Each test has a service of its own, so that its figures start at zero and nobody adds to them."""

import contextlib
import socket

import pytest

from lab import network, pairs, wait
from lab import lab as labs

pytestmark = pytest.mark.synward

COUNT = 200
DATA = bytes(range(256)) * 1024  # 256 KiB: more than the buffers take while nobody reads
PORTS = {name: 7000 + number for number, name in enumerate((
    "half-closed-by-client", "half-closed-by-backend", "closed-by-client", "closed-by-backend", "closed-at-once",
    "reset-by-client", "reset-by-backend", "reused-after-client", "reused-after-backend", "idle", "kept-alive"))}
IDLE = "3s"

FAMILIES = pytest.mark.parametrize("family", [4, 6])
# Which side acts.
SIDES = pytest.mark.parametrize("actor, other", [("client", "backend"), ("backend", "client")],
                                ids=["by-client", "by-backend"])


def service_name(name, family):
    return f"{name}-ip{family}"


def services():
    return [{"name": service_name(name, family), "listen": [network.endpoint(family, port)]}
            for name, port in PORTS.items() for family in (4, 6)]


@pytest.fixture(name="endings", scope="module")
def _endings(defence):
    with labs.Lab(defence(services=services())) as lab:
        yield lab


@pytest.fixture(name="impatient", scope="module")
def _impatient(defence):
    """Where connections are idle soon."""
    splice = {"engine": "userspace", "idle": IDLE}
    with labs.Lab(defence(services=services(), splice=splice)) as lab:
        yield lab


class Ending:
    """The connections of one test, and what is counted of its service."""

    def __init__(self, lab, name, family):
        self.lab, self.family, self.port = lab, family, PORTS[name]
        self._labels = {"protected_service": service_name(name, family)}

    def open(self, **options):
        return pairs.Pairs(self.lab, self.family, self.port, COUNT, **options)

    def gauge(self):
        series = self.lab.defence.metrics().select("connections", **self._labels)
        return {(labels["side"], labels["state"]): int(value) for labels, value in series if value}

    def closed(self):
        series = self.lab.defence.metrics().select("connections_closed_total", **self._labels)
        return {labels["reason"]: int(value) for labels, value in series if value}

    def expect(self, opened, **states):
        """Waits until both kernels and the gauge are in these states, and in no other."""
        expected = {(side, state): COUNT for side, state in states.items()}
        living = {key: count for key, count in expected.items() if key[1] != "closed"}
        for what, look, wanted in (("the kernels", opened.states, living), ("the gauge", self.gauge, expected)):
            try:
                wait.until(lambda l=look, w=wanted: l() == w, what)
            except TimeoutError:
                assert look() == wanted, what


@pytest.fixture(name="ending")
def _ending(endings, request):
    return lambda name, family: Ending(endings, name, family)


def dropping(namespace, interface, port, flags="fin"):
    """Segments with this flag, to or from the port, are lost on their arrival there."""
    return namespace.nft_ingress(
        interface, f"tcp sport {port} tcp flags & {flags} == {flags} counter name seen drop\n"
                   f"tcp dport {port} tcp flags & {flags} == {flags} counter name seen drop")


@FAMILIES
@SIDES
def test_half_closed_with_data_still_flowing(ending, family, actor, other):
    """An endpoint that is done sending goes on receiving, for as long as the other likes."""
    case = ending(f"half-closed-by-{actor}", family)
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
def test_closed_step_by_step(ending, family, actor, other):
    """Every state of RFC 9293 3.6 between CLOSE and CLOSED, each held by losing what would end it."""
    case = ending(f"closed-by-{actor}", family)
    near, far = ((case.lab.client, "c0"), (case.lab.server, "s0"))[::1 if actor == "client" else -1]
    with case.open() as opened:
        pairs.exchange(opened.clients, opened.servers, b"request")
        pairs.exchange(opened.servers, opened.clients, b"response")
        with dropping(*far, case.port):
            pairs.close(opened.ends(actor))
            case.expect(opened, **{actor: "fin_wait_1", other: "established"})
        case.expect(opened, **{actor: "fin_wait_2", other: "close_wait"})
        assert pairs.last_words(opened.ends(other)) == {b"": COUNT}
        with dropping(*near, case.port):
            pairs.close(opened.ends(other))
            case.expect(opened, **{actor: "fin_wait_2", other: "last_ack"})
            assert case.closed() == {}
        case.expect(opened, **{actor: "time_wait", other: "closed"})
    assert case.closed() == {"fin": COUNT}


@FAMILIES
def test_closed_by_both_at_once(ending, family):
    """The FINs cross (RFC 9293 3.6, case 3): each side sends its own before it gets the other's."""
    case = ending("closed-at-once", family)
    with case.open() as opened:
        pairs.exchange(opened.clients, opened.servers, b"request")
        with dropping(case.lab.client, "c0", case.port):
            with dropping(case.lab.server, "s0", case.port):
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
def test_reset(ending, family, actor, other):
    case = ending(f"reset-by-{actor}", family)
    with case.open() as opened:
        pairs.exchange(opened.clients, opened.servers, b"request")
        case.expect(opened, client="established", backend="established")
        pairs.reset(opened.ends(actor))
        case.expect(opened, client="closed", backend="closed")
        assert pairs.last_words(opened.ends(other)) == {ConnectionResetError: COUNT}
    assert case.closed() == {"reset": COUNT}


@FAMILIES
@SIDES
def test_port_reused_within_time_wait(ending, family, actor, other):
    """The same client port again, at once: a SYN beyond the old numbers reopens TIME-WAIT (T3)."""
    case = ending(f"reused-after-{actor}", family)
    ports = range(30000, 30000 + COUNT)
    # A client's kernel keeps its own TIME-WAIT to itself: without it, it is a client that dares.
    daring = {"net.ipv4.tcp_max_tw_buckets": 0}
    usual = {"net.ipv4.tcp_max_tw_buckets": 262144}
    try:
        case.lab.client.set_sysctls(daring)
        for times in (1, 2):
            with case.open(client_ports=ports) as opened:
                wait.until(lambda: case.gauge() == {("client", "established"): COUNT,
                                                    ("backend", "established"): COUNT}, "exactly these connections")
                pairs.exchange(opened.clients, opened.servers, b"request %d" % times)
                pairs.exchange(opened.servers, opened.clients, b"response")
                pairs.shut(opened.ends(actor))
                assert pairs.last_words(opened.ends(other)) == {b"": COUNT}
                pairs.close(opened.ends(other))
                wait.until(lambda: case.gauge() == {(actor, "time_wait"): COUNT, (other, "closed"): COUNT},
                           "the end of all")
            assert case.closed() == {"fin": times * COUNT}
    finally:
        case.lab.client.set_sysctls(usual)


def keep_alive(sock, _):
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 1)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 1)


def test_idle_ones_end_and_kept_alive_ones_do_not(impatient):
    """Both sides of an idle connection are told; keep-alives, unseen by applications, keep one (T4)."""
    cases = [[Ending(impatient, name, family) for name in ("kept-alive", "idle")] for family in (4, 6)]
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
def test_after_a_reset_nothing_lasts(ending, family, actor):
    """Only TIME-WAIT has to last: of what was reset nothing is left after ten seconds."""
    case = ending(f"reset-by-{actor}", family)
    assert case.closed() == {"reset": COUNT}
    wait.until(lambda: case.gauge() == {}, "the last trace to go", timeout=15)
