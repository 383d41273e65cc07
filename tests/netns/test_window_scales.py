# SPDX-License-Identifier: GPL-2.0-or-later
"""Bulk transfers between TCPs that differ in what they can do: window scales, none at all, SACK,
timestamps, MSS. Content arrives as it was sent, at a speed like that of plain forwarding; over a
gigabit link no combination is much slower than the link. How near to the link each of them comes
is for a machine that does nothing else:

    SYNWARD_BULK_MEBIBYTES=100 SYNWARD_OF_THE_LINK=0.8 pytest -s tests/netns/test_window_scales.py
"""

import collections
import contextlib
import os
import socket

import pytest

from lab import bulk, network, pairs, pairwise
from lab import lab as labs

pytestmark = pytest.mark.synward

PROTECTED, PLAIN = 7000, 7001  # of two ports of one server, one is a service of synward's
SIZE = int(os.environ.get("SYNWARD_BULK_MEBIBYTES", "20")) << 20
ROUNDS, ROUNDS_MAX = 2, 8  # by turns, the best one counts: others may take the machine for a while
GIGABIT = 125_000_000  # bytes per second; paced, for not every kernel has a qdisc that shapes
# A window told wrongly leaves a hundredth; other work on the machine, a quarter.
OF_THE_LINK = float(os.environ.get("SYNWARD_OF_THE_LINK", "0.1"))
# User space costs some, and on a busy machine more than plain forwarding; a window told wrongly, hundredfold.
SLOWER_MAX = 20  # times

SCALES = (0, 7, 14, None)
SEGMENTS = (536, 1460, 8960)
FACTORS = {"client_scale": SCALES, "server_scale": SCALES, "client_mss": SEGMENTS, "server_mss": SEGMENTS,
           "client_sack": (True, False), "server_sack": (True, False), "client_timestamps": (True, False),
           "server_timestamps": (True, False), "family": (4, 6)}
COMBINATIONS = pairwise.pairwise(FACTORS)

TCP_WINDOW_CLAMP = 10
SO_MAX_PACING_RATE = 47
_CLAMP = {0: 65535, 7: 65535 << 7}  # Linux chooses the scale that such a window needs
Told = collections.namedtuple("Told", "options scale_of_peer own_scale")
_SCALING = 4  # of TCP_INFO's options


SERVICE = {"name": "bulk", "listen": [network.endpoint(family, PROTECTED) for family in (4, 6)]}


@pytest.fixture(name="jumbo", scope="module")
def _jumbo():
    with labs.Lab(options=network.Options(mtu=9000)) as lab:
        yield lab


@contextlib.contextmanager
def protected(lab, defence, row):
    """The daemon, started while the row's server listens: it learns what that one accepts."""
    family = socket.AF_INET if row["family"] == 4 else socket.AF_INET6
    with lab.server.socket(family) as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        preparation(row)(listening, "server")
        listening.bind((network.SERVICE[row["family"]], PROTECTED))
        listening.listen()
        lab.protect(defence(services=[SERVICE]))
    try:
        yield
    finally:
        lab.unprotect()


def name_of(row):
    def side(name):
        scale = "none" if row[f"{name}_scale"] is None else row[f"{name}_scale"]
        return (f"{name}-ws{scale}-mss{row[f'{name}_mss']}{'' if row[f'{name}_sack'] else '-nosack'}"
                f"{'' if row[f'{name}_timestamps'] else '-nots'}")
    return f"ip{row['family']}-{side('client')}-{side('server')}"


def set_up(lab, row):
    for name, ns in (("client", lab.client), ("server", lab.server)):
        ns.set_sysctls({"net.ipv4.tcp_window_scaling": int(row[f"{name}_scale"] is not None),
                        "net.ipv4.tcp_rmem": f"4096 131072 {1 << 30}",
                        "net.ipv4.tcp_sack": int(row[f"{name}_sack"]),
                        "net.ipv4.tcp_timestamps": int(row[f"{name}_timestamps"])})


def preparation(row, pace=None):
    def prepare(sock, side):
        if pace:
            sock.setsockopt(socket.SOL_SOCKET, SO_MAX_PACING_RATE, pace)
        name = "client" if side == "client" else "server"
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, row[f"{name}_mss"])
        if row[f"{name}_scale"] in _CLAMP:
            sock.setsockopt(socket.IPPROTO_TCP, TCP_WINDOW_CLAMP, _CLAMP[row[f"{name}_scale"]])
    return prepare


def told(sock):
    info = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 8)
    return Told(info[5], info[6] & 15, info[6] >> 4)


def transfer(lab, row, port, data, pace=None):
    """Seconds up and down; checks that the server knows exactly what the client can do."""
    with pairs.Pairs(lab, row["family"], port, 1, prepare=preparation(row, pace)) as opened:
        client, server = opened.clients[0], opened.servers[0]
        both = row["client_scale"] is not None and row["server_scale"] is not None
        known = told(server)
        assert bool(known.options & _SCALING) == both
        if both:
            assert (known.scale_of_peer, known.own_scale) == (row["client_scale"], row["server_scale"])
        assert server.getsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG) <= row["client_mss"]
        return bulk.move([(client, server)], data), bulk.move([(server, client)], data)


def of_a_gigabit(lab, row, data):
    """Which share of a gigabit link's rate the data has, up and down, in the best rounds."""
    share = (0, 0)
    for rounds in range(ROUNDS_MAX):
        if rounds >= ROUNDS and min(share) >= OF_THE_LINK:
            break
        times = transfer(lab, row, PROTECTED, data, GIGABIT)
        share = [max(best, SIZE / GIGABIT / took) for best, took in zip(share, times)]
    return share


def speeds(took):
    """[(direction, plain forwarding's seconds, synward's)] of the best rounds."""
    return zip(("up", "down"), *([min(times) for times in zip(*took[port])] for port in (PLAIN, PROTECTED)))


def slow(took):
    return [direction for direction, plain, synward in speeds(took) if synward > SLOWER_MAX * plain]


@pytest.mark.parametrize("row", COMBINATIONS, ids=name_of)
def test_transfer(jumbo, defence, row):
    set_up(jumbo, row)
    data = os.urandom(SIZE)
    took = {PLAIN: [], PROTECTED: []}
    with protected(jumbo, defence, row):
        while len(took[PLAIN]) < ROUNDS or (slow(took) and len(took[PLAIN]) < ROUNDS_MAX):
            for port, rounds in took.items():
                rounds.append(transfer(jumbo, row, port, data))
        paced = of_a_gigabit(jumbo, row, data)
    for direction, plain, synward in speeds(took):
        print(f"{direction}: {8e-9 * SIZE / synward:.2f} Gbit/s; plain forwarding {8e-9 * SIZE / plain:.2f} Gbit/s")
    print(f"of a gigabit link: up {paced[0]:.2f}, down {paced[1]:.2f}")
    assert slow(took) == []
    assert min(paced) >= OF_THE_LINK
