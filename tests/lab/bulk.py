# SPDX-License-Identifier: GPL-2.0-or-later
"""Bulk transfers between two sockets of ours: timed, and compared byte by byte afterwards."""

import os
import struct
import time

from .background import Work

PATIENCE = 30  # seconds without a single byte


def _send(sender, data):
    sender.settimeout(PATIENCE)
    sender.sendall(data)


def _receive(receiver, into):
    receiver.settimeout(PATIENCE)
    view = memoryview(into)
    while view:
        got = receiver.recv_into(view)
        assert got, f"the stream ended {len(view)} bytes early"
        view = view[got:]


def move(streams, data):
    """Each (sender, receiver) moves the data, all at once; the seconds until the last byte."""
    received = [bytearray(len(data)) for _ in streams]
    start = time.monotonic()
    workers = [Work(lambda s=sender: _send(s, data)) for sender, _ in streams]
    workers += [Work(lambda r=receiver, i=into: _receive(r, i)) for (_, receiver), into in zip(streams, received)]
    for worker in workers:
        worker.join()
    took = time.monotonic() - start
    for worker in workers:
        worker.result()
    assert all(into == data for into in received), "other bytes arrived"
    return took


_BLOCK = 1 << 20


def _numbered(block, count):
    """The stream's blocks, one after the other, in the same memory: none is like another."""
    block = bytearray(block)
    for number in range(count):
        struct.pack_into("!Q", block, 0, number)
        yield block


def _send_blocks(sender, block, count):
    sender.settimeout(PATIENCE)
    for part in _numbered(block, count):
        sender.sendall(part)


def _receive_blocks(receiver, block, count):
    part = bytearray(len(block))
    for number, expected in enumerate(_numbered(block, count)):
        _receive(receiver, part)
        assert part == expected, f"block {number} has other bytes"


def move_mebibytes(streams, count):
    """The same for more than memory should hold: compared block by block, as they come."""
    block = os.urandom(_BLOCK)
    start = time.monotonic()
    workers = [Work(lambda s=sender: _send_blocks(s, block, count)) for sender, _ in streams]
    workers += [Work(lambda r=receiver: _receive_blocks(r, block, count)) for _, receiver in streams]
    for worker in workers:
        worker.result()
    return time.monotonic() - start
