# SPDX-License-Identifier: GPL-2.0-or-later
"""Every kind of bad packet: one counted reason, no reply, nothing passed on to the backend."""

import contextlib

import pytest

from lab import malformed, network, wait
from lab.capture import raw_socket
from lab.metrics import Difference

KINDS = malformed.kinds()
TIMES = 3
CLIENTS = 20  # so many that the workers have some each


@contextlib.contextmanager
def strangers(lab):
    """TCP packets that came to the client's card for nobody who is there, and to the server's from such."""
    def rules(direction, *known):
        return "\n".join(f"meta l4proto tcp {ip} {direction} != {{ {', '.join(addresses)} }} counter name seen"
                         for ip, addresses in zip(("ip", "ip6"), zip(*known)))
    clients = [tuple(network.client_address(family, host) for family in (4, 6)) for host in network.CLIENT_HOSTS]
    asking = tuple(network.GATEWAY_SERVER[family] for family in (4, 6))  # by which the daemon learns
    with lab.client.nft_ingress("c0", rules("daddr", *clients)) as answered:
        with lab.server.nft_ingress("s0", rules("saddr", *clients, asking)) as passed_on:
            yield lambda: (answered(), passed_on())


def judge(lab):
    """Until all that arrived before has been judged, and what left because of it has arrived: each
    queue is served in its order, and these connections go through all of them, to the server and back."""
    for family in (4, 6):
        assert lab.load(CLIENTS, family=family)["ok"] == CLIENTS


@pytest.mark.parametrize("kind", KINDS, ids=[f"{name}-ip{family}" for name, family, *_ in KINDS])
def test_bad_packet(lab, synward, kind):
    _, _, frame, reason = kind
    before, arrived = synward.metrics(), lab.packets("m0")[0]
    with strangers(lab) as seen:
        with raw_socket(lab.client, "c0") as send:
            for _ in range(TIMES):
                send(frame)
        wait.until(lambda: lab.packets("m0")[0] >= arrived + TIMES, "the frames to arrive")
        judge(lab)
        assert seen() == (0, 0), "answered to the client, or passed on to the server"
    change = Difference(before, synward.metrics())
    assert change.dropped() == ({} if reason == malformed.KERNEL else {reason: TIMES})
    assert change.total("syns_received_total") == 2 * CLIENTS + change.total("client_syn_retransmits_total")
    assert change.total("cookies_redeemed_total") == 2 * CLIENTS


@pytest.mark.synward
def test_a_large_segment_of_the_network_card_is_good_traffic(lab, synward):
    """Segmentation offload gives packets of up to 64 KB: not one may be dropped."""
    before = synward.metrics()
    lab.nginx.make_file("large", 16)
    done = lab.client.run("curl", "-sS", "-o", "/dev/null", "-w", "%{size_download}",
                          "http://198.51.100.10/large")
    assert int(done.stdout) == 16 << 20
    assert Difference(before, synward.metrics()).dropped() == {}
