# SPDX-License-Identifier: GPL-2.0-or-later
"""The virtual machine as the middlebox: its own network namespace is the one in the middle, the
client's and the server's are made beside it. It forwards by what its sysctl.d says."""

import json
import pathlib

from lab import metrics, netns, network, servers, traffic, wait

CONFIG = pathlib.Path("/etc/synward/synward.yaml")
METRICS = "http://127.0.0.1:9477"
UNIT = "synward.service"
# Emulated, the machine is twenty times slower than a real one.
PATIENCE = 60


class Network(network.Network):
    def _namespace(self, name):
        if not name.endswith("-middlebox"):
            return super()._namespace(name)
        namespace = netns.Namespace(name, of_process=1)
        self._closers.append(namespace.close)
        return namespace

    def _forward(self):
        """sysctl.d has done it."""


def configuration(**changes):
    """What an operator writes, and two workers so that one can hang alone."""
    services = [{"name": "web", "listen": [network.endpoint(4), network.endpoint(6)]}]
    return {"interfaces": {"client": ["m0"], "server": ["m1"]}, "services": services, "workers": 2, **changes}


def configure(config):
    CONFIG.write_text(config if isinstance(config, str) else json.dumps(config, indent=2), encoding="utf-8")


def systemctl(*words):
    """(exit status, what it said)"""
    done = netns.run(["systemctl", *words], check=False, timeout=120)
    return done.returncode, (done.stdout + done.stderr).strip()


def show(name):
    return systemctl("show", "--value", "--property", name, UNIT)[1]


def main_pid():
    return int(show("MainPID"))


def journal(invocation=None):
    """Of the present run of the daemon, or of all of them."""
    chosen = [f"_SYSTEMD_INVOCATION_ID={invocation}"] if invocation else ["-u", UNIT]
    return netns.run(["journalctl", "-q", "-o", "cat", "--sync"], check=False).stdout + \
        netns.run(["journalctl", "-q", "-o", "cat", *chosen]).stdout


def manager_lines():
    """What systemd wrote about the unit, with the time."""
    lines = netns.run(["journalctl", "-q", "-o", "short-monotonic", "--no-hostname", "-u", UNIT, "_PID=1"]).stdout
    return lines.splitlines()


def said(text, count=1):
    wait.until(lambda: journal().count(text) >= count, f"the journal to say {text!r}", timeout=PATIENCE)


def get(path):
    """(HTTP status, text); status 0 while nobody answers."""
    done = netns.run(["curl", "-sS", "--max-time", "10", "-w", "\n%{http_code}", METRICS + path], check=False)
    text, _, status = done.stdout.rpartition("\n")
    return int(status or 0), text


def scrape():
    return metrics.Metrics(get("/metrics")[1])


def healthy():
    wait.until(lambda: get("/healthz")[0] == 200, "/healthz to be ok", timeout=PATIENCE)


def leftovers():
    """Rules and queues."""
    rules = netns.run(["nft", "list", "ruleset"]).stdout.strip()
    return rules + pathlib.Path("/proc/net/netfilter/nfnetlink_queue").read_text(encoding="ascii").strip()


def loaded_modules():
    return {line.split()[0] for line in pathlib.Path("/proc/modules").read_text(encoding="ascii").splitlines()}


def process_status(pid):
    """/proc/PID/status as a dictionary."""
    lines = pathlib.Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    return dict(line.split(":\t", 1) for line in lines if ":\t" in line)


class Peers:
    """A client, and a server that is nginx."""

    def __init__(self, directory):
        self.net = Network()
        self.client, _, self.server = self.net.namespaces()
        self.nginx = servers.Nginx(self.server, directory, backlog=1024)

    def close(self):
        self.nginx.close()
        self.net.close()

    def fetch(self, family):
        """One page by curl: whether it came as it should."""
        done = self.client.run("curl", "-sS", "--max-time", PATIENCE, f"http://{network.endpoint(family)}/page",
                               check=False, text=False)
        return done.stdout == servers.PAGE

    def fetch_both(self):
        return self.fetch(4) and self.fetch(6)

    def flood(self, rate):
        return traffic.flood(self.client, network.endpoint(4), rate, engine="packet")

    def spoofed_at_server(self):
        return self.server.nft_counter("lab", "spoofed")
