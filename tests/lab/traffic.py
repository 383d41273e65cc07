# SPDX-License-Identifier: GPL-2.0-or-later
"""What the client's namespace sends: floods and real connections, both bounded."""

import contextlib
import json
import subprocess

from . import netns, network


class Flood:
    """A running flood; stop() gives what was sent."""

    def __init__(self, client, target, rate, seconds, mode="syn", cpu=None, sources=None, count=None,
                 engine="auto"):
        command = [] if cpu is None else ["taskset", "-c", str(cpu)]
        command += [tool("synward_flood"), "--target", target, "--rate", rate,
                    "--seconds", seconds, "--mode", mode, "--engine", engine]
        command += ["--sources", sources] if sources else []
        command += ["--count", count] if count else []
        self._process = client.popen(*command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def wait(self):
        out, error = self._process.communicate(timeout=700)
        if self._process.returncode != 0:
            raise netns.CommandFailed(error)
        return json.loads(out)

    def stop(self):
        if self._process.poll() is None:
            self._process.terminate()
        return self.wait()

    def running(self):
        return self._process.poll() is None


@contextlib.contextmanager
def flood(client, target, rate, seconds=300, **options):
    """A flood for as long as the block lasts (and `seconds` at most)."""
    running = Flood(client, target, rate, seconds, **options)
    try:
        yield running
        if not running.running():
            raise AssertionError(f"the flood ended before the test did: {running.wait()}")
    finally:
        running.stop()


def load_command(target, page, connections, path="/page", cpu=None, hold=False, **options):
    command = [] if cpu is None else ["taskset", "-c", str(cpu)]
    command += [tool("synward_load"), "--target", target, "--expect", page,
                "--connections", connections, "--path", path]
    for name, value in options.items():
        command += [f"--{name.replace('_', '-')}", value]
    return command + (["--hold"] if hold else [])


def load(client, target, page, connections, **options):
    """Runs HTTP connections to their end; the result is the JSON of lab/load.cc."""
    done = client.run(*load_command(target, page, connections, **options), timeout=900)
    return json.loads(done.stdout)


@contextlib.contextmanager
def holding(client, target, page, connections, **options):
    """The same with --hold, in the background; yields a function that waits for the result."""
    command = load_command(target, page, connections, hold=True, **options)
    process = client.popen(*command, stdout=subprocess.PIPE, text=True)

    def result():
        return json.loads(process.communicate(timeout=300)[0])
    try:
        yield result
    finally:
        netns.stop(process)


def tool(name):
    path = network.build_directory() / "tests" / name
    if not path.exists():
        raise FileNotFoundError(f"{path}: build the project first (cmake --build build)")
    return path
