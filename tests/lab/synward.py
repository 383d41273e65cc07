# SPDX-License-Identifier: GPL-2.0-or-later
"""The daemon under test, in the middlebox."""

import json
import pathlib
import subprocess

from . import metrics, netns, network, wait

METRICS = "127.0.0.1:9477"


def binary():
    path = network.build_directory() / "daemon" / "synward"
    if not path.exists():
        raise FileNotFoundError(f"{path}: build the project first (cmake --build build)")
    return path


def service(name, port):
    """All of the lab's clients, and its floods, are of few networks: what they get is not limited."""
    return {"name": name, "listen": [network.endpoint(4, port), network.endpoint(6, port)],
            "limits": {"synacks_per_prefix": "0/s"}}


def configuration(directory, **changes):
    """The lab's configuration as a dictionary; JSON is YAML, so it is written as it is.

    A change replaces a top-level key; a dictionary is merged one level deep.
    """
    config = {
        "interfaces": {"client": ["m0"], "server": ["m1"]},
        "services": [
            service("web", 80),
            service("ssh", 22),
            service("iperf", 5201),
        ],
        "cookies": {"key_file": str(directory / "cookie.key")},
        # Adoption would let through what the tests send to be refused.
        "splice": {"engine": "userspace", "adopt": "0s"},
        "shield": {"mode": "off"},
        "workers": 2,
        "metrics": {"listen": METRICS},
        "control": {"socket": str(directory / "control.sock")},
    }
    for key, value in changes.items():
        merge = isinstance(value, dict) and isinstance(config.get(key), dict)
        config[key] = {**config[key], **value} if merge else value
    return config


class Synward:
    """Starts on a configuration, waits until /healthz is ok, stops and proves that nothing is left."""
    name = "synward"

    def __init__(self, wrapper=(), verbose=True, **changes):
        self._changes = changes
        self._words = ["-v"] if verbose else []
        self._wrapper = wrapper  # for example taskset -c 1
        self._middlebox = self.process = self.config_file = self._log = None

    def start(self, net, directory):
        self._middlebox = net.middlebox
        self.config_file = directory / "synward.yaml"
        self.config_file.write_text(json.dumps(configuration(directory, **self._changes), indent=2))
        self._log = directory / "synward.log"
        self.process = launch(self._middlebox, directory, self.config_file, self._log,
                              self._wrapper, self._words)
        try:
            wait.until(self._ready, "synward to be healthy")
        except TimeoutError as error:
            netns.stop(self.process)
            raise TimeoutError(f"{error}\n{self.log()}") from None

    def _ready(self):
        if self.process.poll() is not None:
            raise netns.CommandFailed(f"synward ended with {self.process.returncode}\n{self.log()}")
        return self.health()[0] == 200

    def stop(self):
        code = netns.stop(self.process)
        left = leftovers(self._middlebox)
        if code != 0 or left:
            raise AssertionError(f"synward's stop: exit {code}, left behind: {left or 'nothing'}\n{self.log()}")

    def log(self):
        return self._log.read_text()

    def health(self):
        return _get(self._middlebox, "/healthz")

    def metrics(self):
        status, text = _get(self._middlebox, "/metrics")
        if status != 200:
            raise AssertionError(f"/metrics answered {status}: {text}")
        return metrics.Metrics(text)


def launch(middlebox, directory, config_file, log, wrapper=(), words=("-v",)):
    """Its /run is the lab's own, so that a restart finds what its predecessor left there."""
    own_run = pathlib.Path(directory) / "run"
    own_run.mkdir(exist_ok=True)
    with open(log, "a", encoding="utf-8") as stderr:
        return middlebox.popen("sh", "-c", 'mount --bind "$0" /run && exec "$@"', own_run,
                               *wrapper, binary(), *words, "-c", config_file, stdout=stderr, stderr=stderr)


def leftovers(middlebox):
    """Rules and queues in the middlebox: none may be left after a stop."""
    rules = middlebox.run("nft", "list", "ruleset").stdout.strip()
    queues = middlebox.run("cat", "/proc/net/netfilter/nfnetlink_queue", check=False).stdout.strip()
    return "\n".join(part for part in (rules, queues) if part)


def _get(middlebox, path):
    done = middlebox.run("curl", "-sS", "--max-time", "5", "-w", "\n%{http_code}",
                         f"http://{METRICS}{path}", check=False)
    if done.returncode != 0:
        return 0, done.stderr
    text, _, status = done.stdout.rpartition("\n")
    return int(status), text
