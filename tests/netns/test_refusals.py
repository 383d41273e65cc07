# SPDX-License-Identifier: GPL-2.0-or-later
"""Bad input at start: one clear sentence, the right exit status, and no rule left behind."""

import json
import re
import subprocess

import pytest

from lab import lab as labs
from lab import netns, synward

pytestmark = pytest.mark.synward

TEN_MISTAKES = """\
interfaces:
  client: [m0]
  sever: [m1]
services:
  - name: web
    listen: ["198.51.100.10:80"]
    when_down: maybe
  - name: web2
    listen: ["198.51.100.10:99999"]
half_open:
  backlog: 0
  synack_timeout: 1parsec
  low_watermark: 90%
cookies: {keyfile: /tmp/key}
workers: many
workers: 2
realtime: 100
metrics: {listen: "[::1]:9477"}
"""


@pytest.fixture(name="plain", scope="module")
def _plain():
    with labs.Lab() as made:
        yield made


def structure(lab):
    """Rules and queues without their counters."""
    return re.sub(r"\d+", "#", re.sub(r" +", " ", synward.leftovers(lab.middlebox)))


def start(lab, config, *wrapper):
    """Runs the daemon on a configuration that must not start; what it said."""
    file = lab.directory / "refused.yaml"
    file.write_text(json.dumps(config))
    before = structure(lab)
    done = lab.middlebox.run(*wrapper, synward.binary(), "-c", file, check=False, timeout=20)
    assert done.returncode == 1, done.stderr
    assert structure(lab) == before, "a rule or a queue is left"
    errors = [line for line in done.stderr.splitlines() if "error" in line]
    assert len(errors) == 1, done.stderr
    return errors[0]


def test_ten_mistakes_give_ten_located_errors(tmp_path):
    file = tmp_path / "bad.yaml"
    file.write_text(TEN_MISTAKES)
    done = netns.run([synward.binary(), "--check-config", "-c", file], check=False)
    assert done.returncode == 78
    assert done.stdout == ""
    lines = done.stderr.splitlines()
    places = [re.match(rf"{re.escape(str(file))}:(\d+):(\d+): error: .", line) for line in lines]
    assert all(places), done.stderr
    assert len(lines) >= 10, done.stderr
    numbers = [int(place[1]) for place in places]
    assert numbers == sorted(numbers), "in the order of the file"
    assert {3, 7, 9, 11, 12, 13, 14, 15, 16, 17, 18} <= set(numbers), done.stderr
    assert "did you mean 'server'?" in lines[numbers.index(3)]


def test_a_configuration_that_cannot_be_read(tmp_path):
    done = netns.run([synward.binary(), "--check-config", "-c", tmp_path / "none.yaml"], check=False)
    assert done.returncode == 78
    assert len(done.stderr.splitlines()) == 1


def test_wrong_usage():
    assert netns.run([synward.binary(), "--confg", "x"], check=False).returncode == 64


def test_output_that_cannot_be_written():
    with open("/dev/full", "wb") as full:
        done = subprocess.run([synward.binary(), "--version"], check=False, stdout=full, stderr=subprocess.PIPE,
                              text=True)
    assert done.returncode == 1
    assert done.stderr.endswith("cannot write to standard output: No space left on device\n")


def test_missing_interface(plain):
    config = synward.configuration(plain.directory, interfaces={"client": ["nosuch0"], "server": ["m1"]})
    assert "nosuch0" in start(plain, config)


def test_missing_capability(plain):
    config = synward.configuration(plain.directory)
    assert "CAP_NET_ADMIN" in start(plain, config, "setpriv", "--bounding-set=-net_admin")


def test_queue_in_use(plain):
    daemon = plain.protect(synward.Synward())
    try:
        config = synward.configuration(plain.directory, metrics={"listen": "127.0.0.1:9478"},
                                       control={"socket": str(plain.directory / "second.sock")})
        said = start(plain, config)
        assert "24100" in said
        assert str(daemon.process.pid) in said, "by whom"
        assert daemon.health()[0] == 200, "the first goes on"
        assert plain.load(10)["ok"] == 10
    finally:
        plain.unprotect()


@pytest.mark.parametrize("content", ["", "0123456789abcdef\n", "z" * 32 + "\n", "0" * 64 + "\n"],
                         ids=["empty", "short", "not_hex", "long"])
def test_wrong_key_file(plain, content):
    key = plain.directory / "wrong.key"
    key.write_text(content)
    key.chmod(0o600)
    try:
        assert str(key) in start(plain, synward.configuration(plain.directory, cookies={"key_file": str(key)}))
        assert key.read_text() == content, "it is left as it is"
    finally:
        key.unlink()


def test_unwritable_key_file(plain):
    config = synward.configuration(plain.directory, cookies={"key_file": "/proc/synward/cookie.key"})
    assert "/proc/synward" in start(plain, config)


def test_metrics_address_in_use(plain):
    taken = plain.middlebox.popen("/usr/bin/python3", "-c", "import socket, sys\n"
                                  "s = socket.create_server(('127.0.0.1', 9477))\n"
                                  "print('ready', flush=True)\nsys.stdin.read()",
                                  stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        taken.stdout.readline()
        assert "9477" in start(plain, synward.configuration(plain.directory))
    finally:
        taken.communicate()


def test_the_key_file_is_made_once_and_private(plain):
    key = plain.directory / "cookie.key"
    contents = []
    for _ in range(2):
        plain.protect(synward.Synward())
        plain.unprotect()
        contents.append(key.read_text())
    assert re.fullmatch(r"[0-9a-f]{32}\n", contents[0])
    assert contents[0] == contents[1]
    assert key.stat().st_mode & 0o777 == 0o600
