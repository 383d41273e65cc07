# SPDX-License-Identifier: GPL-2.0-or-later
"""The log has what changed and what was refused, each kind once in a while; never a line a packet."""

import os
import time

import pytest

from lab import network, pairs, wait
from lab import lab as labs

pytestmark = pytest.mark.synward

# SYNWARD_FLOOD_SECONDS=60 prints the whole log of a minute's flood of each kind.
FLOOD_SECONDS = int(os.environ.get("SYNWARD_FLOOD_SECONDS", "0"))
REFUSING = f"{network.SERVICE[4]}:9"


@pytest.fixture(name="narrow", scope="module")
def _narrow(defence):
    """Entries live for three seconds, and a flood fills them soon; one service has no living backend."""
    services = [{"name": "web", "listen": [network.endpoint(4), network.endpoint(6)]},
                {"name": "dead", "listen": [f"{network.server_address(4, 30)}:80"], "backends": [REFUSING]}]
    half_open = {"backlog": 2000, "synack_timeout": "1s", "synack_retries": 1}
    with labs.Lab(defence(services=services, half_open=half_open)) as lab:
        yield lab


def connect_in_vain(lab):
    with lab.client.socket(pairs.family_of(4)) as client:
        client.settimeout(pairs.PATIENCE)
        with pytest.raises(ConnectionResetError):
            client.connect((network.server_address(4, 30), 80))
            client.recv(1)


def test_a_flood_is_two_lines(narrow):
    lines = len(narrow.defence.log().splitlines())
    with narrow.flood(20_000):
        wait.until(lambda: "web: the half-open queue is above its high watermark" in narrow.defence.log(),
                   "the pressure to be told")
    wait.until(lambda: "web: the half-open queue is below its low watermark again" in narrow.defence.log(),
               "its end to be told", timeout=30)
    told = narrow.defence.log().splitlines()[lines:]
    assert len([line for line in told if "half-open queue" in line]) == 2, told
    # What else a busy machine may give cause for: a queue that was full, once per queue and kind.
    assert len(told) <= 2 + 8, told


@pytest.mark.parametrize("workers", [2, 3])
def test_a_flood_is_told_with_the_default_backlog(defence, workers):
    """However many shares it is divided into, and however they are rounded."""
    with labs.Lab(defence(workers=workers, half_open={})) as lab:
        with lab.flood(60_000):
            wait.until(lambda: "web: the half-open queue is above its high watermark" in lab.defence.log(),
                       "the pressure to be told", timeout=30)
        limit = lab.defence.metrics().total("half_open_limit", protected_service="web")
        assert limit == 65536 and f" of {limit:.0f}" in lab.defence.log()


@pytest.mark.parametrize("mode, family", [("ack", 4), ("syn-ack", 6), ("rst", 6)])
def test_a_flood_of_other_segments_is_two_lines(narrow, mode, family):
    """They press no queue; their rate is told."""
    before = len(narrow.defence.log().splitlines())

    def told():
        return [line for line in narrow.defence.log().splitlines()[before:] if "flood" in line]
    with narrow.flood(10_000, family=family, mode=mode):
        wait.until(lambda: told() and " packets/s are dropped, mostly unknown_segment" in told()[0],
                   "the flood to be told")
    wait.until(lambda: len(told()) > 1, "its end to be told", timeout=30)
    assert "web: the flood of dropped packets is over, after " in told()[1], told()
    assert len(told()) == 2, told()


@pytest.mark.parametrize("limit, family, sources", [("0/s", 4, "198.18.7.0/24"), ("1000/s", 6, "2001:db8:f:7::/64")])
def test_a_flood_from_one_network_is_told(defence, limit, family, sources):
    """It presses no queue; whether it is answered by cookie alone or limited, its begin and its end are told."""
    services = [{"name": "web", "listen": [network.endpoint(4), network.endpoint(6)],
                 "limits": {"synacks_per_prefix": limit}}]
    with labs.Lab(defence(services=services)) as lab:
        def told():
            return [line for line in lab.defence.log().splitlines() if "flood of SYNs" in line]
        with lab.flood(10_000, family=family, sources=sources):
            wait.until(told, "the flood to be told")
        wait.until(lambda: len(told()) > 1, "its end to be told", timeout=30)
        assert "web: a flood of SYNs from few networks: " in told()[0], told()
        assert "web: the flood of SYNs is over, after " in told()[1], told()
        assert "high watermark" not in lab.defence.log()
        assert ("were dropped (synack_limit)" in told()[1]) == (limit != "0/s"), told()


@pytest.mark.skipif(not FLOOD_SECONDS, reason="a log to look at: ask for it by SYNWARD_FLOOD_SECONDS")
@pytest.mark.parametrize("mode", ["syn", "ack", "syn-ack", "rst"])
def test_the_whole_log_of_a_long_flood(defence, mode):
    with labs.Lab(defence(verbose=False, half_open={})) as lab:
        with lab.flood(50_000, mode=mode, seconds=FLOOD_SECONDS + 60):
            time.sleep(FLOOD_SECONDS)
        end = "below its low watermark again" if mode == "syn" else "the flood of dropped packets is over"
        wait.until(lambda: end in lab.defence.log(), "its end to be told", timeout=90)
        print(lab.defence.log())


def test_a_backend_that_refuses_is_told_once_a_minute(narrow):
    """The log is written once a second: connections go on failing for three of them."""
    daemon, told = narrow.defence, f"dead: backend {REFUSING} refused"
    connect_in_vain(narrow)
    wait.until(lambda: told in daemon.log(), "the refusal to be told")
    refused, until = 0, time.monotonic() + 3
    while time.monotonic() < until:
        connect_in_vain(narrow)
        refused += 1
    assert daemon.metrics().total("backend_failures_total", protected_service="dead", reason="refused") == 1 + refused
    assert refused > 10 and daemon.log().count(told) == 1


def test_with_v_the_offers_are_told(narrow):
    """A real server has all the options, and answers the question for them before the service starts."""
    offered = f"clients of {network.endpoint(4)} are offered MSS 1460, window "
    wait.until(lambda: offered in narrow.defence.log(), "the offer to be told")
    line = next(line for line in narrow.defence.log().splitlines() if offered in line)
    assert ", SACK, timestamps" in line and ", window scale " in line, line
    assert "worker 0: queues 24100 and 24101" in narrow.defence.log()
