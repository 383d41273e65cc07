# SPDX-License-Identifier: GPL-2.0-or-later
"""A daemon that was killed, and another with the same key: what the first one promised, the second
one keeps. Also on another machine, which has the key and nothing else of the first."""

import contextlib

import pytest

from lab import network, pairs, wait
from lab import lab as labs

pytestmark = pytest.mark.synward

CLIENTS = 50
NOT_SYNS = "tcp dport 80 tcp flags & syn == 0 counter name seen drop"
REQUEST = b"GET /page HTTP/1.0\r\n\r\n"


def answered(client):
    client.settimeout(pairs.PATIENCE)
    with client.makefile("rb") as answer:
        return answer.read().startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize("family", [4, 6])
@pytest.mark.parametrize("same_machine", [True, False], ids=["restarted", "another-machine"])
def test_a_challenge_outlives_the_daemon(defence, family, same_machine):
    with labs.Lab(defence()) as lab, contextlib.ExitStack() as stack:
        with lab.middlebox.nft_ingress("m0", NOT_SYNS) as lost:
            clients = [stack.enter_context(lab.client.socket(pairs.family_of(family))) for _ in range(CLIENTS)]
            for client in clients:
                client.connect((network.SERVICE[family], 80))
                client.sendall(REQUEST)
            assert lost() >= CLIENTS
            lab.defence.process.kill()
            lab.defence.process.wait()
            lab.forget()
            wait.until(lambda: "queue" not in lab.middlebox.run("nft", "list", "ruleset").stdout, "the rules to go")
            kept = [lab.directory / "cookie.key"]
            for path in () if same_machine else lab.directory.glob("cookie.key?*"):
                path.unlink()
            assert same_machine == (sorted(lab.directory.glob("cookie.key*")) != kept)
            successor = lab.protect(defence())
        assert all(answered(client) for client in clients)
        assert successor.metrics().total("cookies_redeemed_total", source="cookie") == CLIENTS
        assert successor.metrics().total("syns_received_total", protected_service="web") == 0
