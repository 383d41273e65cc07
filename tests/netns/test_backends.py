# SPDX-License-Identifier: GPL-2.0-or-later
"""Services whose backends are at other addresses and ports than clients know of: some live, some
refuse, some are silent. Clients notice nothing but a service that has none at all."""

import collections
import statistics
import time

import pytest

from lab import echo, network, pairs, wait
from lab import lab as labs

pytestmark = pytest.mark.synward

COUNT = 200
# The hosts of the server's network; what listens there, and where a packet filter swallows it.
LIVE, ALSO_LIVE, REFUSING, SILENT = 21, 22, 23, 24
LIVE_PORT, ALSO_LIVE_PORT = 9001, 9002
NOBODY = 30  # the services' own address: no host has it
SERVICES = {  # name: port, backends
    "two-live": (8001, [(LIVE, LIVE_PORT), (ALSO_LIVE, ALSO_LIVE_PORT)]),
    "one-refusing": (8002, [(REFUSING, LIVE_PORT), (LIVE, LIVE_PORT)]),
    "one-silent": (8003, [(SILENT, LIVE_PORT), (ALSO_LIVE, ALSO_LIVE_PORT)]),
    "sharing": (8005, [(LIVE, LIVE_PORT)]),
    "sharing-too": (8006, [(LIVE, LIVE_PORT)]),
    "all-refusing": (8004, [(REFUSING, LIVE_PORT), (REFUSING, ALSO_LIVE_PORT)]),
}
RESET_WITHIN = 0.050  # seconds, where every backend refuses
RESET_ALSO_WITHIN = 0.2  # of 95 %: before anybody has to send again, however busy the machine
TRIES = 5  # where something else may keep the machine from what it is to do in time

FAMILIES = pytest.mark.parametrize("family", [4, 6])


def endpoint(family, host, port):
    address = network.server_address(family, host)
    return f"{address}:{port}" if family == 4 else f"[{address}]:{port}"


def services():
    return [{"name": name,
             "listen": [endpoint(family, NOBODY, port) for family in (4, 6)],
             "backends": [endpoint(family, host, at) for family in (4, 6) for host, at in backends]}
            for name, (port, backends) in SERVICES.items()]


@pytest.fixture(name="farm", scope="module")
def _farm(defence):
    """The lab with all its backends; farm.echo is the live ones."""
    with labs.Lab() as lab:
        for host in (LIVE, ALSO_LIVE, REFUSING, SILENT):
            lab.net.add_server(host)
        swallowed = " ".join(f"{'ip' if family == 4 else 'ip6'} daddr {network.server_address(family, SILENT)} drop;"
                             for family in (4, 6))
        live = [(network.server_address(family, host), port)
                for family in (4, 6) for host, port in ((LIVE, LIVE_PORT), (ALSO_LIVE, ALSO_LIVE_PORT))]
        with lab.server.nft_ingress("s0", swallowed), echo.Echo(lab.server, live) as lab.echo:
            lab.protect(defence(services=services()))
            yield lab


class Case:
    """One service by one family, and what was counted of it since the test began."""

    def __init__(self, farm, name, family):
        self.farm, self.name, self.family = farm, name, family
        self.target = (network.server_address(family, NOBODY), SERVICES[name][0])
        self.backends = [(network.server_address(family, host), port) for host, port in SERVICES[name][1]]
        self._served = dict(farm.echo.served)
        self._before = self._counted()

    def ask(self, count=COUNT, **options):
        return echo.ask(self.farm.client, self.target, count, **options)

    def _counted(self):
        metrics = self.farm.defence.metrics()
        found = collections.Counter()
        for metric in ("backend_syns_sent_total", "backend_syn_retransmits_total", "backend_failures_total",
                       "connections_closed_total", "cookies_redeemed_total"):
            for labels, value in metrics.select(metric, protected_service=self.name):
                found[metric, labels.get("backend"), labels.get("reason")] += int(value)
        return found

    def counted(self, metric, place=None, reason=None):
        at = endpoint(self.family, *SERVICES[self.name][1][place]) if place is not None else None
        return (self._counted() - self._before)[f"{metric}_total", at, reason]

    def served(self, place):
        return self.farm.echo.served[self.backends[place]] - self._served.get(self.backends[place], 0)

    def all_closed(self):
        wait.until(lambda: self.counted("connections_closed", reason="fin") == COUNT, "all to be closed")


@pytest.fixture(name="case")
def _case(farm):
    return lambda name, family: Case(farm, name, family)


@FAMILIES
def test_two_live_backends_share_the_clients(case, family):
    two = case("two-live", family)
    answered = collections.Counter(name for name, _ in two.ask())
    two.all_closed()
    for place in (0, 1):
        here = answered[echo.name_of(two.backends[place])]
        assert here > COUNT / 4, "each has its share: of a fair coin 1 in 10^12 is so uneven"
        assert two.served(place) == here
        sent = two.counted("backend_syns_sent", place) - two.counted("backend_syn_retransmits", place)
        assert sent == here
        for reason in ("refused", "timeout", "unreachable"):
            assert two.counted("backend_failures", place, reason) == 0
    assert answered.total() == two.counted("cookies_redeemed") == COUNT


@FAMILIES
def test_beside_one_that_refuses_no_client_notices(case, family):
    one = case("one-refusing", family)
    answers = one.ask()
    one.all_closed()
    assert {name for name, _ in answers} == {echo.name_of(one.backends[1])}
    assert len(answers) == COUNT == one.served(1) == one.counted("cookies_redeemed")
    assert one.counted("backend_failures", 0, "refused") >= 1
    assert one.counted("backend_failures", 1, "refused") == 0
    assert one.counted("connections_closed", reason="backend_refused") == 0


@FAMILIES
def test_beside_one_that_is_silent_no_client_notices(case, family):
    one = case("one-silent", family)
    answers = one.ask()
    one.all_closed()
    assert {name for name, _ in answers} == {echo.name_of(one.backends[1])}
    assert len(answers) == COUNT == one.served(1) == one.counted("cookies_redeemed")
    assert one.counted("backend_failures", 0, "timeout") >= 1
    assert one.counted("connections_closed", reason="backend_timeout") == 0
    waited = [seconds for _, seconds in answers if seconds > 0.5]
    assert statistics.median(waited) < 3, "another is tried after 0.6 s (S3)"
    for _ in range(TRIES):
        # For 5 s it is passed over: nobody waits now.
        passed_over = case("one-silent", family)
        passed_over.ask()
        passed_over.all_closed()
        if passed_over.counted("backend_syns_sent", 0) == 0:
            break
    assert passed_over.counted("backend_syns_sent", 0) == 0


@FAMILIES
def test_the_same_ports_for_another_service_reach_it(case, family):
    """The shared backend sees one tuple, with one connection after the other; they are not mixed up."""
    for name in ("sharing", "sharing-too"):
        one = case(name, family)
        assert len(one.ask(first_port=30000)) == COUNT
        one.all_closed()


@FAMILIES
def test_a_port_in_use_at_the_shared_backend_is_refused(farm, case, family):
    """Better than the connection that is there being broken."""
    first, second = case("sharing", family), case("sharing-too", family)
    with echo.client_socket(farm.client, first.target, 29999) as client:
        client.settimeout(10)
        client.connect(first.target)
        assert client.recv(echo.NAME_LENGTH) == echo.name_of(first.backends[0])
        with echo.client_socket(farm.client, second.target, 29999) as another, pytest.raises(ConnectionResetError):
            another.settimeout(10)
            another.connect(second.target)
            another.recv(1)
        client.sendall(b"still here")
        assert client.recv(100) == b"still here"
    assert second.counted("backend_syns_sent", 0) == 0
    wait.until(lambda: first.counted("connections_closed", reason="fin") == 1, "the end")


def seconds_to_reset(farm, target, talkative):
    """From before the client's SYN, so longer than from its acknowledgement, to the RST."""
    with farm.client.socket(pairs.family_of(6 if ":" in target[0] else 4)) as client:
        client.settimeout(10)
        start = time.monotonic()
        with pytest.raises(ConnectionResetError):
            client.connect(target)
            if talkative:
                client.send(b"hello?")
            client.recv(1)
        return time.monotonic() - start


@FAMILIES
@pytest.mark.parametrize("talkative", [False, True], ids=["listening", "talking"])
def test_where_all_refuse_the_client_is_reset_at_once(farm, case, family, talkative):
    none = case("all-refusing", family)
    times = 0
    for _ in range(TRIES):
        took = [seconds_to_reset(farm, none.target, talkative) for _ in range(100)]
        times += 100
        median, p95 = statistics.median(took), statistics.quantiles(took, n=20)[-1]
        print(f"IPv{family}: reset after {1000 * median:.1f} ms (median), {1000 * p95:.1f} ms (95 %)")
        if p95 < RESET_WITHIN:
            break
    assert median < RESET_WITHIN and p95 < RESET_ALSO_WITHIN
    assert none.counted("connections_closed", reason="backend_refused") == times
    assert sum(none.counted("backend_failures", place, "refused") for place in (0, 1)) == 2 * times
