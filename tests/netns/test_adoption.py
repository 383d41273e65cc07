# SPDX-License-Identifier: GPL-2.0-or-later
"""T6: connections that are older than the first start since boot go on; and a client's timestamps
are kept, because the servers were asked before anybody was promised anything."""

import hashlib
import socket

import pytest

from lab import lab as labs
from lab import network, servers, synward

pytestmark = pytest.mark.synward

REQUEST = b"GET /page HTTP/1.1\r\nHost: lab\r\n\r\n"
# A machine that has just been booted, for this daemon alone.
FRESH_RUN = ("unshare", "--mount", "sh", "-c",
             'mkdir -p /run/synward && mount -t tmpfs none /run/synward && exec "$@"', "sh")


def connect(lab, family):
    sock = lab.client.socket(socket.AF_INET if family == 4 else socket.AF_INET6)
    sock.settimeout(20)
    sock.connect((network.SERVICE[family], 80))
    return sock


def get(sock, page):
    sock.sendall(REQUEST)
    got = b""
    while not got.endswith(page):
        piece = sock.recv(65536)
        assert piece, "the connection was closed"
        got += piece


@pytest.fixture(name="page")
def _page(unprotected):
    return (unprotected.nginx.root / "page").read_bytes()


@pytest.fixture(name="unprotected", scope="module")
def _unprotected():
    with labs.Lab() as made:
        yield made


@pytest.mark.parametrize("family", [4, 6])
def test_an_idle_connection_goes_on(unprotected, page, family):
    lab = unprotected
    with connect(lab, family) as sock:
        get(sock, page)
        daemon = lab.protect(synward.Synward(wrapper=FRESH_RUN, splice={"adopt": "10m"}))
        try:
            get(sock, page)
            got = daemon.metrics()
            assert got.total("synward_connections", side="client", state="established") == 1
            assert got.total("synward_connections_spliced_total", engine="userspace") == 1
            assert got.total("synward_dropped_packets_total") == 0
        finally:
            lab.unprotect()


def test_a_transfer_under_way_is_not_disturbed(unprotected):
    lab = unprotected
    path = lab.nginx.make_file("transfer", 256)
    with connect(lab, 4) as sock:
        sock.sendall(b"GET /transfer HTTP/1.1\r\nHost: lab\r\nConnection: close\r\n\r\n")
        digest, got = hashlib.sha256(), b""
        while b"\r\n\r\n" not in got:
            got += sock.recv(65536)
        body = got.partition(b"\r\n\r\n")[2]
        digest.update(body)
        daemon = lab.protect(synward.Synward(wrapper=FRESH_RUN, splice={"adopt": "10m"}))
        try:
            while piece := sock.recv(1 << 20):
                digest.update(piece)
            assert digest.hexdigest() == servers.sha256(path)
            assert daemon.metrics().total("synward_dropped_packets_total", reason="unknown_segment") == 0
        finally:
            lab.unprotect()


def test_without_adoption_it_breaks(unprotected, page):
    lab = unprotected
    with connect(lab, 4) as sock:
        get(sock, page)
        daemon = lab.protect(synward.Synward(splice={"adopt": "0s"}))
        try:
            sock.settimeout(1)
            with pytest.raises(TimeoutError):
                get(sock, page)
            assert daemon.metrics().total("synward_dropped_packets_total", reason="unknown_segment") > 0
        finally:
            lab.unprotect()
