# SPDX-License-Identifier: GPL-2.0-or-later
"""Connections whose two ends are both ours: real sockets of the client's and the server's kernel,
opened and used many at once."""

import collections
import contextlib
import selectors
import socket

from . import network

PATIENCE = 15  # seconds: more than a client needs to send a lost SYN again, three times

# As ss names them, and as synward does. A CLOSED endpoint is in no list of a kernel's.
_STATES = {"ESTAB": "established", "FIN-WAIT-1": "fin_wait_1", "FIN-WAIT-2": "fin_wait_2",
           "CLOSE-WAIT": "close_wait", "CLOSING": "closing", "LAST-ACK": "last_ack", "TIME-WAIT": "time_wait"}


def family_of(number):
    return socket.AF_INET if number == 4 else socket.AF_INET6


class Pairs:
    """`count` connections to one port of the service: clients[i] talks to servers[i]."""

    def __init__(self, lab, family, port, count, client_ports=None, prepare=lambda sock, side: None,
                 backend_port=None):
        """prepare(socket, side) may set options before a socket connects or listens."""
        self._lab, self.family, self.port = lab, family, port
        self.clients, self.servers = [], []
        self._stack = contextlib.ExitStack()
        try:
            self._listener = self._new(lab.server, lambda sock: prepare(sock, "backend"))
            self._listener.bind((network.SERVICE[family], backend_port or port))
            self._listener.listen(4096)
            self._listener.settimeout(PATIENCE)
            for number in range(count):
                client = self._new(lab.client, lambda sock: prepare(sock, "client"))
                if client_ports:
                    client.bind((network.client_address(family), client_ports[number]))
                client.setblocking(False)
                client.connect_ex((network.SERVICE[family], port))
                self.clients.append(client)
            self._accept()
        except BaseException:
            self.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()

    def close(self):
        self._stack.close()

    def stop_listening(self):
        self._listener.close()

    def _new(self, namespace, prepare):
        made = self._stack.enter_context(namespace.socket(family_of(self.family)))
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        prepare(made)
        return made

    def _accept(self):
        by_port = {}
        while len(by_port) < len(self.clients):
            accepted, peer = self._listener.accept()
            self._stack.enter_context(accepted)
            accepted.setblocking(False)
            by_port[peer[1]] = accepted
        self.servers = [by_port[client.getsockname()[1]] for client in self.clients]

    def ends(self, side):
        return self.clients if side == "client" else self.servers

    def states(self):
        """What the two kernels themselves say: {(side, state): how many}."""
        found = collections.Counter()
        for side, ns, which in (("client", self._lab.client, "dport"), ("backend", self._lab.server, "sport")):
            for line in ns.run("ss", "-Htan", f"-{self.family}", f"{which} = :{self.port}").stdout.splitlines():
                name = line.split()[0]
                if name != "LISTEN":
                    found[side, _STATES.get(name, name)] += 1
        return dict(found)


def shut(ends):
    """Half-closes: a FIN after what was written."""
    for end in ends:
        end.shutdown(socket.SHUT_WR)


def close(ends):
    for end in ends:
        end.close()


def reset(ends):
    """A RST at once (RFC 9293 3.10.5, ABORT)."""
    for end in ends:
        end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        end.close()


class Stream:
    """The same bytes to many ends at once, as far as their buffers take them at a time."""

    def __init__(self, senders, receivers, data):
        self._data = memoryview(data)
        self._left = dict.fromkeys(senders, 0)
        self._received = {receiver: bytearray() for receiver in receivers}

    def fill(self):
        """Writes what the buffers take now: from then on data is under way, and more is to come."""
        for sender in list(self._left):
            self._write(sender)
        assert len(self._left) == len(self._received), "the buffers took everything: use more data"

    def _write(self, sender):
        with contextlib.suppress(BlockingIOError):
            while self._left[sender] < len(self._data):
                self._left[sender] += sender.send(self._data[self._left[sender]:])
            del self._left[sender]

    def _read(self, receiver):
        part = receiver.recv(1 << 18)
        assert part, "the stream ended early"
        self._received[receiver] += part
        return len(self._received[receiver]) == len(self._data)

    def finish(self):
        """Writes and reads the rest; every receiver has got exactly the data."""
        with selectors.DefaultSelector() as selector:
            for sender in self._left:
                selector.register(sender, selectors.EVENT_WRITE)
            for receiver in self._received:
                selector.register(receiver, selectors.EVENT_READ)
            while selector.get_map():
                ready = selector.select(PATIENCE)
                assert ready, f"nothing moves: {len(selector.get_map())} ends are not done"
                for key, event in ready:
                    if event & selectors.EVENT_WRITE:
                        self._write(key.fileobj)
                        done = key.fileobj not in self._left
                    else:
                        done = self._read(key.fileobj)
                    if done:
                        selector.unregister(key.fileobj)
        assert all(received == self._data for received in self._received.values()), "other bytes arrived"


def exchange(senders, receivers, data):
    Stream(senders, receivers, data).finish()


def last_words(ends):
    """What each end hears next: b"" for the other's FIN, or the error; {that: how many}."""
    heard = collections.Counter()
    for end in ends:
        end.settimeout(PATIENCE)
        try:
            heard[end.recv(1)] += 1
        except OSError as error:
            heard[type(error)] += 1
        end.setblocking(False)
    return dict(heard)
