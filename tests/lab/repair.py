# SPDX-License-Identifier: GPL-2.0-or-later
"""Sequence numbers of a real kernel's sockets, by TCP_REPAIR: chosen before connect(), read after;
and how to close one without a word."""

import contextlib
import socket

_TCP_REPAIR, _TCP_REPAIR_QUEUE, _TCP_QUEUE_SEQ = 19, 20, 21  # <linux/tcp.h>
_RECEIVED, _SENT = 1, 2
_ON, _OFF_SILENTLY = 1, -1  # no window probe at the end


@contextlib.contextmanager
def _repairing(sock, queue):
    reuse = sock.getsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR)
    sock.setsockopt(socket.IPPROTO_TCP, _TCP_REPAIR, _ON)
    try:
        sock.setsockopt(socket.IPPROTO_TCP, _TCP_REPAIR_QUEUE, queue)
        yield
    finally:
        sock.setsockopt(socket.IPPROTO_TCP, _TCP_REPAIR, _OFF_SILENTLY)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, reuse)  # which the kernel forgets


def choose_isn(sock, isn):
    """The ISN of the next connect(); 0 leaves it to the kernel."""
    with _repairing(sock, _SENT):
        sock.setsockopt(socket.IPPROTO_TCP, _TCP_QUEUE_SEQ, isn.to_bytes(4, "little"))


def next_to_send(sock):
    """SND.NXT and what waits behind it: the number of the next byte that is written."""
    with _repairing(sock, _SENT):
        return sock.getsockopt(socket.IPPROTO_TCP, _TCP_QUEUE_SEQ) & 0xffffffff


def next_to_receive(sock):
    """RCV.NXT."""
    with _repairing(sock, _RECEIVED):
        return sock.getsockopt(socket.IPPROTO_TCP, _TCP_QUEUE_SEQ) & 0xffffffff


def vanish(ends):
    """Closes without a packet, as by a power cut: the other side is not told."""
    for end in ends:
        end.setsockopt(socket.IPPROTO_TCP, _TCP_REPAIR, _ON)
        end.close()
