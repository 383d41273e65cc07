# SPDX-License-Identifier: GPL-2.0-or-later
"""A whole lab: network, servers, defence; everything that was started is ended by close()."""

import contextlib
import json
import pathlib
import signal
import tempfile

from . import defence as defences
from . import netns, network, servers, synward, traffic

DEFENCES = {"plain": defences.Plain, "synproxy": defences.Synproxy, "haproxy": defences.Haproxy,
            "synward": synward.Synward}


class Lab:
    def __init__(self, defence=None, options=network.Options(), nginx_backlog=65535):
        self._stack = contextlib.ExitStack()
        try:
            scratch = tempfile.TemporaryDirectory(prefix="synlab-", dir=servers.scratch_root())
            self.directory = pathlib.Path(self._stack.enter_context(scratch))
            self.net = network.Network(options)
            self._stack.callback(self.net.close)
            self.client, self.middlebox, self.server = self.net.namespaces()
            self.nginx = servers.Nginx(self.server, self.directory, nginx_backlog)
            self._stack.callback(self.nginx.close)
            self.defence = defences.Plain()
            if defence is not None:
                self.protect(defence)
        except BaseException:
            self._stack.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close(failing=exception[0] is not None)

    def close(self, failing=False):
        try:
            self.unprotect()
        except AssertionError:
            if not failing:  # what failed first is what the reader wants to see
                raise
        finally:
            self._stack.close()

    def protect(self, defence):
        """Puts a defence into the middlebox in place of the one there."""
        self.unprotect()
        defence.start(self.net, self.directory)
        self.defence = defence
        return defence

    def unprotect(self):
        defence, self.defence = self.defence, defences.Plain()
        defence.stop()

    def forget(self):
        """The defence has ended by other means: nothing is left to stop."""
        self.defence = defences.Plain()

    def sshd(self):
        server = servers.Sshd(self.server, self.directory)
        self._stack.callback(server.close)
        return server

    def iperf(self, seconds=3, reverse=False, family=4):
        """Bits per second of one stream from the client, or to it."""
        server = servers.Iperf(self.server)
        try:
            done = self.client.run("iperf3", "-J", "-c", network.SERVICE[family], "-t", seconds,
                                   *(["-R"] if reverse else []), timeout=seconds + 60)
        finally:
            server.close()
        return json.loads(done.stdout)["end"]["sum_received"]["bits_per_second"]

    def flood(self, rate, family=4, port=80, **options):
        return traffic.flood(self.client, network.endpoint(family, port), rate, **options)

    def load(self, connections, family=4, **options):
        return traffic.load(self.client, network.endpoint(family), self.nginx.page, connections, **options)

    def holding(self, connections, family=4, **options):
        return traffic.holding(self.client, network.endpoint(family), self.nginx.page, connections, **options)

    def tcp_arrived(self):
        """TCP packets that came to the client's and to the server's card so far, but for what the
        middlebox itself says to the server."""
        return tuple(ns.nft_counter("lab", "tcp_arrived") for ns in (self.client, self.server))

    def spoofed_at_server(self):
        """Packets of spoofed sources that reached the server so far."""
        return self.server.nft_counter("lab", "spoofed")

    def flood_at_server(self):
        """Of these, the flood's own. (To a SYN-ACK that is repeated from before it was protected, synward
        answers with the RST that frees the server's half-open connection.)"""
        return self.server.nft_counter("lab", "spoofed_syns")

    def packets(self, interface="m0"):
        """(received, sent) packets of a card of the middlebox; sent includes those for which the
        other end, a sink that shares its core with the generator, had no room."""
        with self.middlebox.entered():
            lines = pathlib.Path("/proc/thread-self/net/dev").read_text(encoding="ascii").splitlines()
        fields = next(line.split(":")[1].split() for line in lines if line.strip().startswith(f"{interface}:"))
        return int(fields[1]), int(fields[9]) + int(fields[11])


def interrupt(*_):
    raise KeyboardInterrupt


def end_on_signals():
    """TERM and HUP unwind like an exception, so that no namespace is left behind."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupt)


__all__ = ["Lab", "DEFENCES", "end_on_signals", "netns"]
