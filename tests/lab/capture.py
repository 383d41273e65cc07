# SPDX-License-Identifier: GPL-2.0-or-later
"""Packets as they passed an interface of the lab."""

import contextlib
import logging
import signal
import subprocess

from . import netns, wait

logging.getLogger("scapy.runtime").setLevel(logging.ERROR)  # it misses routes it will never use

# pylint: disable=wrong-import-position
from scapy.layers.inet import IP, TCP  # noqa: E402
from scapy.layers.inet6 import IPv6  # noqa: E402
from scapy.layers.l2 import Ether  # noqa: E402
from scapy.utils import rdpcap  # noqa: E402

SYN, ACK, FIN, RST = 0x02, 0x10, 0x01, 0x04


class Capture:
    """tcpdump on one interface, from the `with` line to its end; then packets()."""

    def __init__(self, namespace, interface, directory, expression="tcp"):
        self._namespace, self._interface, self._expression = namespace, interface, expression
        self._file = directory / f"{namespace.name}-{interface}.pcap"
        self._process = None

    def __enter__(self):
        self._process = self._namespace.popen(
            "tcpdump", "-i", self._interface, "-s", "256", "-U", "--immediate-mode", "-Z", "root",
            "-w", self._file, self._expression, stderr=subprocess.PIPE, text=True)
        if "listening" not in self._process.stderr.readline():
            raise netns.CommandFailed(self._process.stderr.read())
        return self

    def __exit__(self, *exception):
        netns.stop(self._process, how=signal.SIGINT)
        self._process.stderr.close()

    def packets(self):
        return [packet for packet in rdpcap(str(self._file)) if TCP in packet]

    def wait_for(self, condition, what, timeout=10):
        """packets() once condition(packets) is true."""
        wait.until(lambda: condition(self.packets()), what, timeout)
        return self.packets()


def is_syn(packet):
    return packet[TCP].flags & (SYN | ACK) == SYN


def is_challenge(packet):
    return packet[TCP].flags & (SYN | ACK) == SYN | ACK


def option(packet, name):
    """The value of a TCP option, or None."""
    return dict(packet[TCP].options).get(name)


@contextlib.contextmanager
def raw_socket(namespace, interface):
    """send(frame) writes one frame, as it is, to the interface."""
    import socket  # pylint: disable=import-outside-toplevel
    with namespace.socket(socket.AF_PACKET, socket.SOCK_RAW) as raw:
        raw.bind((interface, 0))
        yield lambda frame: raw.send(bytes(frame))


__all__ = ["Capture", "Ether", "IP", "IPv6", "TCP", "is_syn", "is_challenge", "option", "raw_socket"]
