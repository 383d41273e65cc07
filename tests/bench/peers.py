# SPDX-License-Identifier: GPL-2.0-or-later
"""What can be compared: a name, and how to make that defence on the middlebox's core."""

from lab import defence, synward

from . import machine

PINNED = ("taskset", "-c", str(machine.MIDDLEBOX_CPU))


def _synward(mode):
    # Against a NAPI thread on the same core only a realtime priority gets the daemon its share;
    # against softirq nothing does.
    return synward.Synward(wrapper=PINNED, workers=1, realtime=50 if mode == "threaded" else "off")


PEERS = {
    "synward": _synward,
    "synproxy": lambda mode: defence.Synproxy(),
    "haproxy": lambda mode: defence.Haproxy(wrapper=PINNED),
    "plain": lambda mode: defence.Plain(),
}
