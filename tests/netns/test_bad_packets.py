# SPDX-License-Identifier: GPL-2.0-or-later
"""Every kind of bad packet: one counted reason, no reply, nothing passed on to the backend."""

import pytest

from lab import malformed, wait
from lab.capture import raw_socket
from lab.metrics import Difference

KINDS = malformed.kinds()
TIMES = 3


def reasons(change):
    """What was counted, and nothing else may have been counted with it."""
    assert change.total("syns_received_total") == 0
    assert change.total("synacks_sent_total") == 0
    return change.dropped()


@pytest.mark.parametrize("kind", KINDS, ids=[f"{name}-ip{family}" for name, family, *_ in KINDS])
def test_bad_packet(lab, synward, kind):
    name, _, frame, reason = kind
    before, arrived, answered = synward.metrics(), lab.packets("m0")[0], lab.tcp_arrived()
    with raw_socket(lab.client, "c0") as send:
        for _ in range(TIMES):
            send(frame)
    wait.until(lambda: lab.packets("m0")[0] >= arrived + TIMES, "the frames to arrive")
    if reason == malformed.KERNEL:
        assert reasons(Difference(before, synward.metrics())) == {}
    else:
        wait.until(lambda: sum(reasons(Difference(before, synward.metrics())).values()) >= TIMES,
                   f"{name} to be counted")
        assert reasons(Difference(before, synward.metrics())) == {reason: TIMES}
    assert lab.tcp_arrived() == answered, "answered to the client, or passed on to the server"


def test_a_good_client_is_served_after_all_that(lab):
    assert lab.load(20)["ok"] == 20


@pytest.mark.synward
def test_a_large_segment_of_the_network_card_is_good_traffic(lab, synward):
    """Segmentation offload gives packets of up to 64 KB: not one may be dropped."""
    before = synward.metrics()
    lab.nginx.make_file("large", 16)
    done = lab.client.run("curl", "-sS", "-o", "/dev/null", "-w", "%{size_download}",
                          "http://198.51.100.10/large")
    assert int(done.stdout) == 16 << 20
    assert Difference(before, synward.metrics()).dropped() == {}
