# SPDX-License-Identifier: GPL-2.0-or-later
"""Backends that say who they are: each sends its name, then echoes, and closes after the client."""

import contextlib
import hashlib
import os
import selectors
import socket
import time

from .background import Work

NAME_LENGTH = 16
_REQUEST = 2000  # bytes: more than one segment


def _family(address):
    return socket.AF_INET6 if ":" in address else socket.AF_INET


class Echo:
    """Serves every (address, port) in the namespace from one thread, until close()."""

    def __init__(self, namespace, endpoints):
        self.served = {endpoint: 0 for endpoint in endpoints}
        self._selector = selectors.DefaultSelector()
        self._sockets = contextlib.ExitStack()
        self._stopped, self._stopper = socket.socketpair()
        self._selector.register(self._stopped, selectors.EVENT_READ, None)
        try:
            for address, port in endpoints:
                listener = self._sockets.enter_context(namespace.socket(_family(address)))
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                listener.bind((address, port))
                listener.listen(4096)
                listener.setblocking(False)
                self._selector.register(listener, selectors.EVENT_READ, (address, port))
        except BaseException:
            self._sockets.close()
            raise
        self._serving = Work(self._serve)

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self._stopper.send(b"x")
        self._serving.join()
        self._sockets.close()
        for end in (self._stopped, self._stopper):
            end.close()
        self._selector.close()
        if exception[0] is None:
            self._serving.result()

    def _serve(self):
        while True:
            for key, _ in self._selector.select():
                if key.fileobj is self._stopped:
                    return
                if key.data:
                    self._accept(key.fileobj, key.data)
                else:
                    self._echo(key.fileobj)

    def _accept(self, listener, endpoint):
        connection = self._sockets.enter_context(listener.accept()[0])
        self.served[endpoint] += 1
        connection.send(name_of(endpoint))
        connection.settimeout(5)
        self._selector.register(connection, selectors.EVENT_READ, None)

    def _echo(self, connection):
        with contextlib.suppress(OSError):
            if data := connection.recv(65536):
                connection.sendall(data)
                return
        self._selector.unregister(connection)
        connection.close()


def name_of(endpoint):
    """What the backend at this endpoint calls itself, always NAME_LENGTH bytes."""
    return hashlib.sha256(repr(endpoint).encode()).digest()[:NAME_LENGTH]


def client_socket(namespace, target, port=0):
    """A socket for the target, bound to a port if one is given."""
    made = namespace.socket(_family(target[0]))
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if port:
        made.bind(("", port))
    return made


def ask(namespace, target, count, first_port=0, timeout=15):
    """`count` clients at once, each of which asks for an echo: [(name, seconds)] of those served.

    With `first_port` they call from it and from the following ones. Whatever a client should not
    have to see is raised.
    """
    request = os.urandom(_REQUEST)
    waiting, answers = {}, []
    with contextlib.ExitStack() as stack, selectors.DefaultSelector() as selector:
        for number in range(count):
            client = stack.enter_context(client_socket(namespace, target, first_port and first_port + number))
            client.setblocking(False)
            waiting[client] = (time.monotonic(), bytearray())
            client.connect_ex(target)
            selector.register(client, selectors.EVENT_WRITE)
        while waiting:
            ready = selector.select(timeout)
            if not ready:
                raise TimeoutError(f"{len(waiting)} of {count} clients wait in vain")
            for key, event in ready:
                client = key.fileobj
                if event & selectors.EVENT_WRITE:
                    client.sendall(request)
                    client.shutdown(socket.SHUT_WR)
                    selector.modify(client, selectors.EVENT_READ)
                    continue
                start, heard = waiting[client]
                if part := client.recv(65536):
                    heard += part
                    continue
                if heard[NAME_LENGTH:] != request:
                    raise AssertionError(f"{len(heard)} bytes, and not what was to be echoed")
                answers.append((bytes(heard[:NAME_LENGTH]), time.monotonic() - start))
                selector.unregister(client)
                del waiting[client]
    return answers
