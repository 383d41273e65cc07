# SPDX-License-Identifier: GPL-2.0-or-later
"""Network namespaces that this process made, and what may be done inside them.

Everything of the lab runs through this module: a command, a socket or a setting always belongs to
one of our own namespaces, so that nothing can reach the machine's own interfaces.
"""

import contextlib
import ctypes
import json
import os
import signal
import socket
import subprocess

_CLONE_NEWNET = 0x40000000
_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


class CommandFailed(RuntimeError):
    """A command in the lab failed; the message holds what it printed."""


def _die_with_parent():
    # A lab must not survive its test, whatever kills the test.
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)


def run(command, check=True, text=True, timeout=120, **options):
    """Runs one command to its end; with check, its output is in the exception."""
    done = subprocess.run([str(word) for word in command], stdin=options.pop("stdin", subprocess.DEVNULL)
                          if "input" not in options else None,
                          capture_output=True, text=text, timeout=timeout, check=False, **options)
    if check and done.returncode != 0:
        raise CommandFailed(f"{' '.join(str(word) for word in command)}: exit {done.returncode}\n"
                            f"{done.stdout}{done.stderr}")
    return done


class Namespace:
    """One network namespace, deleted by close(); or that of a process, by another name."""

    def __init__(self, name, of_process=None):
        self.name = name
        run(["ip", "netns", "attach", name, of_process] if of_process else ["ip", "netns", "add", name])
        self._fd = os.open(f"/run/netns/{name}", os.O_RDONLY | os.O_CLOEXEC)
        self.ip("link", "set", "lo", "up")

    def close(self):
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
            run(["ip", "netns", "del", self.name], check=False)

    def ip(self, *words):
        return run(["ip", "-n", self.name, *words]).stdout

    def run(self, *command, **options):
        return run(["ip", "netns", "exec", self.name, *command], **options)

    def popen(self, *command, **options):
        """Starts a process that dies with us; the caller stops it."""
        options.setdefault("stdin", subprocess.DEVNULL)
        return subprocess.Popen(["ip", "netns", "exec", self.name, *map(str, command)],
                                preexec_fn=_die_with_parent, **options)

    def nft(self, script, check=True):
        return self.run("nft", "-f", "-", input=script, check=check)

    @contextlib.contextmanager
    def nft_ingress(self, interface, rules):
        """Rules on what arrives at an interface, before everything else, the lab's own discarding
        included, while the block lasts.

        `rules` may use the named counter `seen`; yields a function that reads it.
        """
        self.nft(f"""
            table netdev observer {{
              counter seen {{ }}
              chain arriving {{
                type filter hook ingress device {interface} priority -510; policy accept;
                {rules}
              }}
            }}""")
        try:
            yield lambda: self.nft_counter("observer", "seen")
        finally:
            self.nft("delete table netdev observer\n")

    def nft_counter(self, table, name):
        listed = json.loads(self.run("nft", "-j", "list", "counter", "netdev", table, name).stdout)
        return next(entry["counter"]["packets"] for entry in listed["nftables"] if "counter" in entry)

    def tcp_statistics(self):
        """The namespace's TCP counters of RFC 4022, by name, and Linux's own: RetransSegs and so on."""
        counters = {}
        with self.entered():
            for table, prefix in (("snmp", "Tcp:"), ("netstat", "TcpExt:")):
                with open(f"/proc/thread-self/net/{table}", encoding="ascii") as file:
                    names, values = [line.split()[1:] for line in file if line.startswith(prefix)]
                counters.update(zip(names, map(int, values)))
        return counters

    def sysctl(self, **values):
        """sysctl(net__ipv4__ip_forward=1): two underscores stand for the dot."""
        self.set_sysctls({key.replace("__", "."): value for key, value in values.items()})

    def set_sysctls(self, values):
        self.run("sysctl", "-qw", *(f"{key}={value}" for key, value in values.items()))

    def write_sys(self, path, value):
        self.run("sh", "-c", 'echo "$1" > "$2"', "sh", value, path)

    @contextlib.contextmanager
    def entered(self):
        """The calling thread works inside the namespace; sockets made here stay in it."""
        home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        try:
            self._setns(self._fd)
            try:
                yield
            finally:
                self._setns(home)
        finally:
            os.close(home)

    @staticmethod
    def _setns(fd):
        if _libc.setns(fd, _CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), "setns")

    def socket(self, family=socket.AF_INET, kind=socket.SOCK_STREAM, protocol=0):
        with self.entered():
            return socket.socket(family, kind, protocol)


def stop(process, timeout=10, how=signal.SIGTERM):
    """Ends a process that we started, by its pid, and returns its exit code."""
    if process.poll() is None:
        process.send_signal(how)
        try:
            process.wait(timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(timeout)
    return process.returncode


def remove_stale(prefix):
    """Removes namespaces of runs that were killed: their owner's pid is gone and they are empty."""
    for line in run(["ip", "netns", "list"]).stdout.splitlines():
        name = line.split()[0]
        owner = name.removeprefix(prefix).split("-")[0]
        if not name.startswith(prefix) or not owner.isdigit() or os.path.exists(f"/proc/{owner}"):
            continue
        if not run(["ip", "netns", "pids", name], check=False).stdout.strip():
            run(["ip", "netns", "del", name], check=False)
