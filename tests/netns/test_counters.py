# SPDX-License-Identifier: GPL-2.0-or-later
"""In calm, every counter agrees to the unit with what happened."""

import pytest

from lab import netns, network, wait
from lab.metrics import Difference

PER_FAMILY = 50
BOTH = 2 * PER_FAMILY
AT_ONCE = 2
TRIES = 12
WEB = {"protected_service": "web"}

EXPECTED = [
    ("syns_received_total", {}, BOTH), ("client_syn_retransmits_total", {}, 0),
    ("synacks_sent_total", {}, BOTH), ("synack_retransmits_total", {}, 0),
    ("cookies_redeemed_total", {"source": "queue"}, BOTH), ("cookies_redeemed_total", {"source": "cookie"}, 0),
    ("cookies_rejected_total", {}, 0), ("backend_syns_sent_total", {}, BOTH),
    ("backend_syns_sent_total", {"backend": network.endpoint(4)}, PER_FAMILY),
    ("backend_syns_sent_total", {"backend": network.endpoint(6)}, PER_FAMILY),
    ("backend_syn_retransmits_total", {}, 0), ("backend_failures_total", {}, 0),
    ("connections_spliced_total", {"engine": "userspace"}, BOTH),
    ("connections_closed_total", {"reason": "fin"}, BOTH), ("connections_closed_total", {}, BOTH),
    ("half_open_untracked_total", {}, 0), ("half_open_expired_total", {}, 0), ("half_open_reset_total", {}, 0),
    ("segment_retransmits_total", {}, 0), ("dropped_packets_total", {}, 0), ("early_data_dropped_total", {}, 0),
    ("handshake_seconds_count", {}, BOTH), ("backend_connect_seconds_count", {}, BOTH),
]


def retransmits(lab):
    return sum(ns.tcp_statistics()["RetransSegs"] for ns in (lab.client, lab.server))


def closed(lab):
    return lab.defence.metrics().total("connections_closed_total", **WEB)


def run_calmly(lab):
    """100 connections and the scrapes around them; None if an endpoint had to send anything twice."""
    wait.until(lambda: lab.defence.metrics().total("half_open_connections") == 0, "a quiet start")
    before, sent_twice = lab.defence.metrics(), retransmits(lab)
    for family in (4, 6):
        assert lab.load(PER_FAMILY, family=family, concurrency=AT_ONCE)["ok"] == PER_FAMILY
    wait.until(lambda: closed(lab) == before.total("connections_closed_total", **WEB) + BOTH,
               "all connections to be closed")
    return (before, lab.defence.metrics()) if retransmits(lab) == sent_twice else None


def wait_patiently(namespace):
    """No probe of a tail's loss, and nothing sent again before 3 s: only the SYN still is, after one."""
    namespace.sysctl(net__ipv4__tcp_early_retrans=0)
    for family in ("-4", "-6"):
        route = namespace.ip(family, "route", "show", "default").split()
        namespace.ip(family, "route", "replace", *route, "rto_min", "3s")


@pytest.fixture(name="calm", scope="module")
def _calm(lab):
    """Calm is when no endpoint retransmits: on a busy machine that can need another try."""
    if lab.defence.name != "synward":
        pytest.skip("needs the daemon")
    for namespace in (lab.client, lab.server):
        wait_patiently(namespace)
    for _ in range(TRIES):
        if scrapes := run_calmly(lab):
            return scrapes
    pytest.fail("the machine is too busy: the clients' and the server's own TCP retransmit")


@pytest.mark.parametrize("name, labels, value", EXPECTED, ids=lambda part: str(part).replace(" ", ""))
def test_counter(calm, name, labels, value):
    assert Difference(*calm).total(name, **WEB, **labels) == value


def test_bytes_translated(lab, calm):
    """Exactly the requests one way and the responses the other."""
    request = b"GET /page HTTP/1.1\r\nHost: lab\r\nConnection: close\r\n\r\n"
    response = lab.server.run("curl", "-sSi", "-H", "Connection: close",
                              f"http://{network.endpoint(4)}/page", text=False).stdout
    change = Difference(*calm)
    assert change.total("bytes_translated_total", **WEB, direction="to_backend") == BOTH * len(request)
    assert change.total("bytes_translated_total", **WEB, direction="to_client") == BOTH * len(response)


def test_peak_is_no_sum_of_the_workers_peaks(calm):
    assert 1 <= calm[1].total("half_open_peak", **WEB) <= AT_ONCE


def test_nothing_is_left_open(calm):
    after = calm[1]
    assert after.total("half_open_connections") == 0
    assert after.total("early_data_bytes") == 0
    assert after.total("queue_depth") == 0
    assert after.total("queue_dropped_total") == 0
    for side in ("client", "backend"):
        for state in ("syn_sent", "syn_received", "established"):
            assert after.total("connections", **WEB, side=side, state=state) == 0


def test_other_services_saw_nothing(calm):
    assert Difference(*calm).total("syns_received_total", protected_service="ssh") == 0


def test_queues_are_there_for_each_worker(calm):
    after = calm[1]
    assert len(after.select("queue_depth", role="syn")) == 2
    assert len(after.select("queue_depth", role="flow")) == 2


def test_promtool_has_nothing_to_say(calm):
    done = netns.run(["promtool", "check", "metrics"], input=calm[1].text, check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_no_address_of_a_client_is_in_a_label(calm):
    assert "203.0.113." not in calm[1].text
    assert "2001:db8:1:" not in calm[1].text
