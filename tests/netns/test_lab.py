# SPDX-License-Identifier: GPL-2.0-or-later
"""The generators are bounded, and refuse to run anywhere but in a lab."""

import json

import pytest

from lab import background
from lab import lab as labs
from lab import netns, network, traffic
from lab.capture import IP, Capture, IPv6


TRIES = 5


@pytest.fixture(name="plain", scope="module")
def _plain():
    with labs.Lab() as made:
        yield made


def fails(turn):
    raise ValueError(f"turn {turn}")


def test_what_goes_wrong_beside_a_test_goes_wrong_in_it():
    with pytest.raises(ValueError, match="turn 0"):
        with background.repeated(str, fails):
            pass
    with pytest.raises(ValueError, match="turn 0"):
        background.Work(lambda: fails(0)).result()


def refusal(namespace, *arguments):
    run = namespace.run if namespace else lambda *words, check: netns.run(words, check=check)
    done = run(traffic.tool("synward_flood"), *arguments, "--count", 1, "--seconds", 1, check=False)
    assert done.returncode == 1
    assert done.stdout == ""
    return done.stderr


def test_refuses_the_machines_own_namespace():
    assert "machine's own" in refusal(None, "--target", network.endpoint(4))


def test_refuses_a_namespace_that_is_not_a_labs_client(plain):
    assert "not a client's" in refusal(plain.middlebox, "--target", network.endpoint(4))


def test_refuses_a_client_with_another_interface(plain):
    plain.client.ip("link", "add", "other", "type", "veth", "peer", "name", "other-peer")
    try:
        assert "another interface" in refusal(plain.client, "--target", network.endpoint(4))
    finally:
        plain.client.ip("link", "del", "other")


@pytest.mark.parametrize("target, sources", [
    ("203.0.113.1:80", "198.18.0.0/15"), ("127.0.0.1:80", "198.18.0.0/15"), ("[::1]:80", "2001:db8:f::/48"),
    ("198.51.100.10:80", "198.0.0.0/8"), ("198.51.100.10:80", "203.0.113.0/24"),
    ("[2001:db8:2::10]:80", "2001:db8::/32"), ("[2001:db8:2::10]:80", "198.18.0.0/15")])
def test_refuses_other_targets_and_sources(plain, target, sources):
    assert "lab's" in refusal(plain.client, "--target", target, "--sources", sources)


def test_the_client_refuses_too(plain):
    command = traffic.load_command("127.0.0.1:80", plain.nginx.page, 1)
    assert "refused" in plain.client.run(*command, check=False).stderr
    assert "machine's own" in netns.run([*traffic.load_command(network.endpoint(4), plain.nginx.page, 1)],
                                        check=False).stderr


@pytest.mark.parametrize("engine", ["packet", "xdp"])
@pytest.mark.parametrize("family", [4, 6])
@pytest.mark.parametrize("mode", ["syn", "ack"])
def test_frames_are_valid_and_counted(plain, engine, family, mode):
    with Capture(plain.middlebox, "m0", plain.directory, "tcp dst port 80") as capture:
        done = plain.client.run(traffic.tool("synward_flood"), "--target", network.endpoint(family), "--mode", mode,
                                "--engine", engine, "--rate", 1000, "--count", 100, "--seconds", 2)
        assert json.loads(done.stdout)["sent"] == 100
        packets = capture.wait_for(lambda seen: len(seen) >= 100, "all frames")
    assert len(packets) == 100
    for packet in packets:
        layer = packet[IP if family == 4 else IPv6]
        again = layer.copy()
        del again.payload.chksum
        if family == 4:
            del again.chksum
        assert bytes(again) == bytes(layer), "a checksum is wrong"
    assert len({packet.payload.src for packet in packets}) > 90


def test_a_flood_ends_by_its_time(plain):
    for _ in range(TRIES):  # another try where something else kept the machine from it
        done = plain.client.run(traffic.tool("synward_flood"), "--target", network.endpoint(4), "--rate", 1000,
                                "--seconds", 0.3)
        result = json.loads(done.stdout)
        assert result["sent"] <= 1000 * result["seconds"], "by its rate"
        if result["seconds"] < 0.6 and result["sent"] > 200:
            break
    assert result["seconds"] < 0.6
    assert 200 < result["sent"] <= 310
