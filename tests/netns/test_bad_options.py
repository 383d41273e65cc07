# SPDX-License-Identifier: GPL-2.0-or-later
"""SYNs whose options are nonsense: answered as the kernel's own listener answers them."""

import pytest

from lab import lab as labs
from lab import malformed
from lab.capture import TCP, Capture, is_challenge, raw_socket

_PADDING = {"NOP", "EOL"}


def answers(lab, family):
    """What each SYN is answered with: {name: the options that the SYN-ACK agrees to}."""
    syns = malformed.syns(family)
    with Capture(lab.middlebox, "m0", lab.directory, "tcp src port 80") as capture:
        with raw_socket(lab.client, "c0") as send:
            for _, frame in syns.values():
                send(frame)
        packets = capture.wait_for(lambda seen: {p[TCP].dport for p in seen if is_challenge(p)} >= syns.keys(),
                                   "an answer to every SYN")
    return {syns[packet[TCP].dport][0]: {name for name, _ in packet[TCP].options} - _PADDING
            for packet in packets if is_challenge(packet)}


@pytest.mark.synward
@pytest.mark.parametrize("family", [4, 6])
def test_a_syn_is_answered_whatever_its_options(lab, family):
    with labs.Lab() as plain:
        by_the_kernel = answers(plain, family)
    assert by_the_kernel.keys() == malformed.OPTIONS_OF_SYNS.keys()
    assert answers(lab, family) == by_the_kernel
