# SPDX-License-Identifier: GPL-2.0-or-later
"""A bad path: copies frames between two interfaces, and loses, repeats and delays some of them; or
it cuts them into fragments, as a router before a narrow link does, and an IPv6 sender.

As a program it is that relay, in a namespace of its own between two others, until TERM; then it
prints what it did. As a module, path() runs it. Chance is seeded, for each direction apart.
"""

import argparse
import collections
import contextlib
import heapq
import json
import pathlib
import random
import select
import signal
import socket
import struct
import subprocess
import time

LOST, REPEATED, OVERTAKEN = 0.05, 0.02, 0.03  # of the frames, each way
OVERTAKERS, OVERTAKEN_AT_MOST = 3, 0.002  # frames that come first; seconds, if fewer come

_ETH_P_ALL = 3
_SOL_PACKET, _PACKET_STATISTICS, _PACKET_IGNORE_OUTGOING = 263, 6, 23  # <linux/if_packet.h>
_SO_RCVBUFFORCE = 33
_BATCH = 64


def _open(interface):
    opened = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ETH_P_ALL))
    opened.setsockopt(_SOL_PACKET, _PACKET_IGNORE_OUTGOING, 1)
    opened.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, 64 << 20)
    opened.bind((interface, _ETH_P_ALL))
    opened.setblocking(False)
    return opened


class Direction:
    def __init__(self, source, target, seed):
        self._source, self._target = source, target
        self._chance = random.Random(seed)
        self._sent = 0
        self._waiting = []  # a heap of (sent when it may go, when at the latest, frame)
        self.did = collections.Counter()

    def _send(self, frame):
        self._target.send(frame)
        self._sent += 1

    def take(self):
        with contextlib.suppress(BlockingIOError):
            for _ in range(_BATCH):
                self._pass(self._source.recv(65536))

    def _pass(self, frame):
        dice = self._chance.random()
        self.did["frames"] += 1
        if dice < LOST:
            self.did["lost"] += 1
        elif dice < LOST + REPEATED:
            self.did["repeated"] += 1
            self._send(frame)
            self._send(frame)
        elif dice < LOST + REPEATED + OVERTAKEN:
            self.did["overtaken"] += 1
            heapq.heappush(self._waiting, (self._sent + OVERTAKERS, time.monotonic() + OVERTAKEN_AT_MOST, frame))
        else:
            self._send(frame)
        self.release()

    def release(self):
        """Seconds until the next one must go, or None."""
        now = time.monotonic()
        while self._waiting and (self._sent >= self._waiting[0][0] or now >= self._waiting[0][1]):
            self._send(heapq.heappop(self._waiting)[2])
        return max(self._waiting[0][1] - now, 0) if self._waiting else None

    def overrun(self):
        return int.from_bytes(self._source.getsockopt(_SOL_PACKET, _PACKET_STATISTICS, 8)[4:8], "little")


class Cutter(Direction):
    """Loses nothing. TCP packets above `limit` bytes go on in two pieces, without DF; shorter ones
    of IPv6 as one, an atomic fragment (RFC 6946)."""

    def __init__(self, source, target, limit):
        super().__init__(source, target, 0)
        self._limit = limit

    def _pass(self, frame):
        pieces = cut(frame, self._limit, self.did["frames"])
        self.did["frames"] += 1
        self.did["cut"] += len(pieces) > 1
        self.did["atomic"] += len(pieces) == 1 and len(pieces[0]) > len(frame)
        for piece in pieces:
            self._send(piece)


def cut(frame, limit, number):
    """The fragments of a frame's packet; the frame itself if it is not for cutting."""
    link, kind = frame[:14], frame[12:14]
    if kind == b"\x08\x00" and frame[14] == 0x45 and frame[23] == socket.IPPROTO_TCP:
        length = struct.unpack_from("!H", frame, 16)[0]
        if length <= limit:
            return [frame]
        return [link + _ipv4_piece(frame[14:34], number, *part) for part in _parts(frame[34:14 + length], limit - 20)]
    if kind == b"\x86\xdd" and frame[20] == socket.IPPROTO_TCP:
        end = 54 + struct.unpack_from("!H", frame, 18)[0]
        return [link + _ipv6_piece(frame[14:54], number, *part) for part in _parts(frame[54:end], limit - 48)]
    return [frame]


def _parts(payload, room):
    """(offset, whether more come, bytes) of each piece."""
    size = room // 8 * 8
    return [(at, at + size < len(payload), payload[at:at + size]) for at in range(0, len(payload), size)]


def _ipv4_piece(header, number, offset, more, payload):
    header = bytearray(header)
    struct.pack_into("!HHH", header, 2, 20 + len(payload), number & 0xffff, more << 13 | offset // 8)
    struct.pack_into("!H", header, 10, 0)
    total = sum(struct.unpack("!10H", header))
    total = (total & 0xffff) + (total >> 16)
    struct.pack_into("!H", header, 10, ~((total & 0xffff) + (total >> 16)) & 0xffff)
    return bytes(header) + payload


def _ipv6_piece(header, number, offset, more, payload):
    header = bytearray(header)
    struct.pack_into("!HB", header, 4, 8 + len(payload), socket.IPPROTO_FRAGMENT)
    return bytes(header) + struct.pack("!BxHI", socket.IPPROTO_TCP, offset | more, number) + payload


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("interfaces", nargs=2)
    parser.add_argument("--seed", type=int)
    parser.add_argument("--cut", type=int, metavar="BYTES", help="cut what is longer instead")
    arguments = parser.parse_args()
    near, far = map(_open, arguments.interfaces)
    if arguments.cut:
        directions = {source: Cutter(source, target, arguments.cut) for source, target in ((near, far), (far, near))}
    else:
        directions = {near: Direction(near, far, 2 * arguments.seed),
                      far: Direction(far, near, 2 * arguments.seed + 1)}
    ended = []
    signal.signal(signal.SIGTERM, lambda *_: ended.append(True))
    print("ready", flush=True)
    while not ended:
        waits = [wait for direction in directions.values() if (wait := direction.release()) is not None]
        ready, _, _ = select.select(list(directions), [], [], min(waits, default=0.1))
        for source in ready:
            directions[source].take()
    total = sum((direction.did for direction in directions.values()), collections.Counter())
    print(json.dumps(dict(total, overrun=sum(direction.overrun() for direction in directions.values()))))


def path(namespace, seed, interfaces=("r0", "r1")):
    """A bad path, open while the block lasts; what the relay did is then in the yielded dictionary."""
    return _running(namespace, interfaces, "--seed", seed)


def cutting_path(namespace, limit, interfaces=("r0", "r1")):
    """The same for one that cuts what is longer than `limit` bytes."""
    return _running(namespace, interfaces, "--cut", limit)


@contextlib.contextmanager
def _running(namespace, interfaces, *options):
    process = namespace.popen("/usr/bin/python3", pathlib.Path(__file__).resolve(), *interfaces, *options,
                              stdout=subprocess.PIPE, text=True)
    did = {}
    try:
        assert process.stdout.readline() == "ready\n"
        yield did
    finally:
        process.terminate()
        said = process.communicate(timeout=10)[0]
    did.update(json.loads(said))


if __name__ == "__main__":
    main()
