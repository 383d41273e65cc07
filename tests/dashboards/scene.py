# SPDX-License-Identifier: GPL-2.0-or-later
"""Something to look at: a daemon with three services, clients of each, a flood, and a Prometheus.

web is a real nginx; api has a backend that refuses before the one that serves; dead has none that
serves.
"""

import contextlib
import functools
import json
import signal

from lab import background
from lab import lab as labs
from lab import network, prometheus, synward, traffic, wait

NOBODY = 30  # the host of api and dead: no server has this address
PORTS = {"api": 8001, "dead": 8002}
BACKLOG = 4096
FLOOD_PPS, ACK_FLOOD_PPS = 12_000, 4_000
CLIENTS = {"web": 100, "api": 30, "dead": 10}  # connections per second
STAYING = 150  # connections to web that are held


def endpoint(family, port, host=NOBODY):
    address = network.server_address(family, host)
    return f"{address}:{port}" if family == 4 else f"[{address}]:{port}"


def services():
    refusing = [network.endpoint(family, 81) for family in (4, 6)]
    serving = [network.endpoint(family, 80) for family in (4, 6)]
    listen = {name: [endpoint(family, port) for family in (4, 6)] for name, port in PORTS.items()}
    return [{"name": "web", "listen": serving},
            {"name": "api", "listen": listen["api"], "backends": refusing + serving},
            {"name": "dead", "listen": listen["dead"], "backends": refusing}]


class Scene:
    """Use as a context; everything that runs in it ends with it."""

    def __init__(self, every, rules=()):
        self._every, self._rules = every, rules
        self._stack = contextlib.ExitStack()
        self.lab = self.daemon = self.prometheus = None

    def __enter__(self):
        with contextlib.ExitStack() as stack:
            self.lab = stack.enter_context(labs.Lab())
            self.daemon = self.start_daemon()
            self.prometheus = stack.enter_context(prometheus.Prometheus(
                self.lab.middlebox, self.lab.directory, {"synward": synward.METRICS}, self._every, self._rules))
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *exception):
        return self._stack.__exit__(*exception)

    def start_daemon(self):
        return self.lab.protect(synward.Synward(services=services(), half_open={"backlog": BACKLOG}))

    def target(self, name, family):
        return network.endpoint(family) if name == "web" else endpoint(family, PORTS[name])

    def _visit(self, name, turn):
        family = (4, 6)[turn % 2]
        if name == "staying":
            self.lab.load(STAYING, family=family, hold=True, hold_seconds=20)
            return
        traffic.load(self.lab.client, self.target(name, family), self.lab.nginx.page, CLIENTS[name],
                     rate=CLIENTS[name], concurrency=CLIENTS[name], timeout=5)

    @contextlib.contextmanager
    def clients(self, *names):
        """A steady number of clients a second for each service, both families in turn; or "staying"."""
        with background.repeated(*(functools.partial(self._visit, name) for name in names)):
            yield

    def syn_flood(self):
        return self.lab.flood(FLOOD_PPS)

    def ack_flood(self):
        return self.lab.flood(ACK_FLOOD_PPS, mode="ack")

    @contextlib.contextmanager
    def broken_configuration(self):
        good = self.daemon.config_file.read_text()
        self._reload(json.dumps({**json.loads(good), "workers": "many"}), "was not loaded")
        try:
            yield
        finally:
            self._reload(good, "reloaded: ")

    def _reload(self, text, answer):
        said = self.daemon.log().count(answer)
        self.daemon.config_file.write_text(text)
        self.daemon.process.send_signal(signal.SIGHUP)
        wait.until(lambda: self.daemon.log().count(answer) > said, f"the daemon to say {answer!r}")
