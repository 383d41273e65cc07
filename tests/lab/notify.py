# SPDX-License-Identifier: GPL-2.0-or-later
"""A socket in the place of the service manager's (sd_notify(3)): what the daemon tells it, in order."""

import os
import socket
import time

from .background import Work


class Manager:
    """Every datagram that arrived, with its time; close() ends the reader."""

    def __init__(self, directory, watchdog_us=None):
        self._path = str(directory / "notify")
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(self._path)
        self._messages = []
        self._reader = Work(self._read)
        # For Synward(wrapper=...).
        self.environment = ["env", f"NOTIFY_SOCKET={self._path}"]
        if watchdog_us:
            self.environment.append(f"WATCHDOG_USEC={watchdog_us}")

    def _read(self):
        while message := self._socket.recv(4096):
            self._messages.append((time.monotonic(), message.decode()))

    def messages(self):
        return [text for _, text in list(self._messages)]

    def without_pings(self):
        return [text for text in self.messages() if text != "WATCHDOG=1"]

    def statuses(self):
        return [text.removeprefix("STATUS=") for text in self.messages() if text.startswith("STATUS=")]

    def ping_gaps(self):
        """Seconds between two watchdog messages."""
        times = [at for at, text in list(self._messages) if text == "WATCHDOG=1"]
        return [later - earlier for earlier, later in zip(times, times[1:])]

    def close(self):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as last:
            last.sendto(b"", self._path)
        self._reader.result()
        self._socket.close()
        os.unlink(self._path)
