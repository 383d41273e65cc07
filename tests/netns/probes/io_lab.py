# SPDX-License-Identifier: GPL-2.0-or-later
"""Three network namespaces (client - middle - server) and a driver for queue_probe."""

import json
import os
import pathlib
import queue
import subprocess
import threading

PATIENCE = 30  # seconds
CLIENT4, SERVER4 = "203.0.113.1", "198.51.100.10"
CLIENT6, SERVER6 = "2001:db8:1::1", "2001:db8:2::10"
MIDDLE_SYSCTLS = ["net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1"] + [
    f"net.ipv4.conf.{name}.{key}=0"
    for name in ("all", "default", "cl0", "sv0")
    for key in ("rp_filter", "send_redirects")
]


def run(*words, check=True):
    done = subprocess.run(words, check=False, capture_output=True, text=True)
    assert done.returncode == 0 or not check, f"{' '.join(words)}: {done.stderr}"
    return done


class Lab:
    """client (eth0) - (cl0) middle (sv0) - (eth0) server; removed by close()."""

    def __init__(self, prefix):
        self.client, self.middle, self.server = (f"{prefix}-{x}" for x in ("client", "middle", "server"))
        self.close()
        for space in (self.client, self.middle, self.server):
            run("ip", "netns", "add", space)
            run("ip", "-n", space, "link", "set", "lo", "up")
        self._join(self.client, "cl0", (CLIENT4, "203.0.113.254"), (CLIENT6, "2001:db8:1::fe"))
        self._join(self.server, "sv0", (SERVER4, "198.51.100.254"), (SERVER6, "2001:db8:2::fe"))
        self.execute(self.middle, "sysctl", "-qw", *MIDDLE_SYSCTLS)

    def _join(self, host, name, *pairs):
        run("ip", "link", "add", "eth0", "netns", host, "type", "veth", "peer", "name", name,
            "netns", self.middle)
        for (near, far), length in zip(pairs, ("24", "64")):
            flags = ["nodad"] if ":" in near else []
            run("ip", "-n", host, "addr", "add", f"{near}/{length}", "dev", "eth0", *flags)
            run("ip", "-n", self.middle, "addr", "add", f"{far}/{length}", "dev", name, *flags)
        run("ip", "-n", host, "link", "set", "eth0", "up")
        run("ip", "-n", self.middle, "link", "set", name, "up")
        for _, far in pairs:
            family = "-6" if ":" in far else "-4"
            run("ip", "-n", host, family, "route", "add", "default", "via", far)

    def execute(self, space, *words, check=True):
        return run("ip", "netns", "exec", space, *words, check=check)

    def load_rules(self, space, text):
        return subprocess.run(("ip", "netns", "exec", space, "nft", "-f", "-"), check=False, input=text,
                              capture_output=True, text=True)

    def start(self, space, *words, **options):
        return subprocess.Popen(("ip", "netns", "exec", space) + words, text=True, **options)

    def python(self, space, code, *arguments):
        return self.start(space, "/usr/bin/python3", "-c", code, *arguments,
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def close(self):
        for space in (self.client, self.middle, self.server):
            run("ip", "netns", "del", space, check=False)


class Probe:
    """A running queue_probe; its lines of JSON are read by a thread."""

    def __init__(self, program, lab, *words, space=None, wrapper=()):
        self.process = lab.start(space or lab.middle, *wrapper, program, *words,
                                 stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.packets = []
        self.answers = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()
        self.first = self.answers.get(timeout=PATIENCE)

    def _read(self):
        for line in self.process.stdout:
            message = json.loads(line)
            if "queue" in message:
                self.packets.append(message)
            else:
                self.answers.put(message)

    def ask(self, command="status"):
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()
        return self.answers.get(timeout=PATIENCE)

    def stop(self):
        if self.process.poll() is None:
            self.process.stdin.close()
            self.process.wait(timeout=PATIENCE)


def probe_program():
    """SYNWARD_QUEUE_PROBE, else that of the build directory (SYNWARD_BUILD, else build)."""
    build = os.environ.get("SYNWARD_BUILD", pathlib.Path(__file__).resolve().parents[3] / "build")
    path = pathlib.Path(build) / "tests" / "netns" / "probes" / "queue_probe"
    path = pathlib.Path(os.environ.get("SYNWARD_QUEUE_PROBE", path))
    if not path.exists():
        raise FileNotFoundError(f"{path}: build the project first (cmake --build build)")
    return str(path)
