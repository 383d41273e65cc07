# SPDX-License-Identifier: GPL-2.0-or-later
"""12: a daemon is killed, and another one takes its place. The connections that the first one had
joined are lost with their offsets: neither end hangs, and none is taken for one that is older."""

import contextlib
import re
import socket

import pytest

from lab import lab as labs
from lab import network, pairs, synward, wait
from lab.capture import IP, TCP, Capture, raw_socket

pytestmark = pytest.mark.synward

PORT, BACKEND_HOST, BACKEND_PORT, NOBODY = 7000, 21, 7001, 30
CONNECTIONS = 20
FAMILIES = pytest.mark.parametrize("family", [4, 6])


def service(mode, port=PORT):
    if mode == "transparent":
        return {"name": "own", "listen": [network.endpoint(family, port) for family in (4, 6)]}
    at = {family: f"{network.server_address(family, BACKEND_HOST)}" for family in (4, 6)}
    return {"name": "own",
            "listen": [f"{network.server_address(4, NOBODY)}:{port}", f"[{network.server_address(6, NOBODY)}]:{port}"],
            "backends": [f"{at[4]}:{BACKEND_PORT}", f"[{at[6]}]:{BACKEND_PORT}"]}


def ends(mode, family):
    """Where clients connect, and where the server listens."""
    if mode == "transparent":
        return (network.SERVICE[family], PORT), (network.SERVICE[family], PORT)
    return (network.server_address(family, NOBODY), PORT), (network.server_address(family, BACKEND_HOST), BACKEND_PORT)


@contextlib.contextmanager
def joined(lab, mode, family, count=1):
    """Clients and servers that have exchanged a byte."""
    target, listen_at = ends(mode, family)
    kind = pairs.family_of(family)
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(lab.server.socket(kind))
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(listen_at)
        listener.listen(count)
        listener.settimeout(pairs.PATIENCE)
        clients, servers = [], []
        for _ in range(count):
            client = stack.enter_context(lab.client.socket(kind))
            client.settimeout(pairs.PATIENCE)
            client.connect(target)
            client.sendall(b"x")
            server = stack.enter_context(listener.accept()[0])
            server.settimeout(pairs.PATIENCE)
            assert server.recv(1) == b"x"
            clients.append(client)
            servers.append(server)
        yield clients, servers


def ports_in_rules(lab):
    return {int(port) for port in re.findall(r" \. (\d+)", lab.middlebox.run("nft", "list", "ruleset").stdout)}


def kill(lab):
    lab.defence.process.kill()
    lab.defence.process.wait()
    lab.forget()
    wait.until(lambda: "queue" not in lab.middlebox.run("nft", "list", "ruleset").stdout, "the rules to go")


def is_reset(sock):
    sock.settimeout(5)  # far below what TCP would wait by itself
    try:
        sock.sendall(b"are you there?")
        sock.recv(1)
        return False
    except (ConnectionResetError, BrokenPipeError):
        return True


@FAMILIES
@pytest.mark.parametrize("mode", ["transparent", "nat"])
@pytest.mark.parametrize("then", ["same", "other-workers", "listen-gone"])
def test_both_ends_are_reset_at_their_next_segment(defence, family, mode, then):
    with labs.Lab() as lab, contextlib.ExitStack() as stack:
        if mode == "nat":
            lab.net.add_server(BACKEND_HOST)
        lab.protect(defence(services=[service(mode)], splice={"adopt": "10m"}))
        clients, servers = stack.enter_context(joined(lab, mode, family, CONNECTIONS))
        kill(lab)
        changes = {"other-workers": {"workers": 1}, "listen-gone": {"services": [service(mode, PORT + 5)]}}.get(then, {})
        successor = lab.protect(defence(**{"services": [service(mode)], "splice": {"adopt": "10m"}, **changes}))
        assert all(is_reset(client) for client in clients)
        assert all(is_reset(server) for server in servers)
        # A client that had not heard yet that its first byte arrived sends its spent cookie again.
        orphaned, spent = (successor.metrics().total("dropped_packets_total", reason=reason)
                           for reason in ("orphaned", "replayed_cookie"))
        assert orphaned >= CONNECTIONS and orphaned + spent >= 2 * CONNECTIONS
        assert successor.metrics().total("synward_connections_spliced_total") == 0
        assert f"a process has died with {CONNECTIONS} connections" in successor.log()


@FAMILIES
def test_an_ordered_stop_leaves_none(defence, family):
    with labs.Lab(defence(services=[service("transparent")])) as lab, joined(lab, "transparent", family):
        kept = lab.directory / "run" / "synward" / "connections"
        assert kept.exists()
        lab.unprotect()
        assert not kept.exists()


@FAMILIES
def test_rules_shrink_when_orphans_are_too_old(defence, family):
    with labs.Lab(defence(services=[service("transparent")])) as lab, joined(lab, "transparent", family):
        kill(lab)
        successor = lab.protect(defence(services=[service("transparent", PORT + 5)], splice={"idle": "2s"}))
        assert "a process has died with 1 connections" in successor.log()
        wait.until(lambda: PORT not in ports_in_rules(lab), "the rules to let the old port go")
        assert PORT + 5 in ports_in_rules(lab)


@FAMILIES
def test_a_cookie_does_not_redeem_twice_after_a_crash(defence, family):
    """What a client acknowledged comes again, byte for byte: its request reached the server before."""
    with labs.Lab(defence(services=[service("transparent")])) as lab:
        with Capture(lab.client, "c0", lab.directory, f"tcp and dst port {PORT}") as sent:
            with joined(lab, "transparent", family):
                with_data = [packet for packet in sent.wait_for(lambda all_: any(len(each[TCP].payload) for each in all_),
                                                                "the data") if len(packet[TCP].payload)]
                kill(lab)
                successor = lab.protect(defence(services=[service("transparent")]))
                for layer in [IP, TCP] if family == 4 else [TCP]:
                    del with_data[0][layer].chksum  # as captured, the card had not made it yet
                with raw_socket(lab.client, "c0") as send:
                    send(with_data[0])
                wait.until(lambda: successor.metrics().total("dropped_packets_total", reason="replayed_cookie") == 1,
                           "the replay to be dropped")
                assert successor.metrics().total("synward_cookies_redeemed_total") == 0


def test_a_full_file_system_is_said_and_the_daemon_works():
    small = ("sh", "-c", 'mkdir -p /run/synward && mount -t tmpfs -o size=64k none /run/synward && exec "$@"', "sh")
    with labs.Lab(synward.Synward(wrapper=small)) as lab:
        log = lab.defence.log()
        assert log.count("the next one will not know") == log.count("No space left on device") == 1, log
        assert "a process has died" not in log
        done = lab.load(50)
        assert done["failed"] == {} and done["ok"] == 50
