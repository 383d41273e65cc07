# SPDX-License-Identifier: GPL-2.0-or-later
"""Tests on real traffic. By default against the daemon; --defence plain or synproxy runs the same
traffic without it, which shows that the lab itself is right."""

import os
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from lab import lab as labs  # noqa: E402  pylint: disable=wrong-import-position


def pytest_addoption(parser):
    parser.addoption("--defence", default="synward", choices=sorted(labs.DEFENCES))


def pytest_configure(config):
    config.addinivalue_line("markers", "synward: needs the daemon itself")
    config.addinivalue_line("markers", "known_to_fail_behind(defence): shows what synward is better at")
    config.addinivalue_line("filterwarnings", "error::pytest.PytestUnhandledThreadExceptionWarning")
    if os.geteuid() != 0:
        pytest.exit("the lab makes network namespaces: run as root", returncode=1)
    labs.end_on_signals()


def pytest_collection_modifyitems(config, items):
    defence = config.getoption("--defence")
    for item in items:
        if defence != "synward" and item.get_closest_marker("synward"):
            item.add_marker(pytest.mark.skip(reason="needs the daemon"))
        known = item.get_closest_marker("known_to_fail_behind")
        if known and defence in known.args:
            item.add_marker(pytest.mark.skip(reason=f"fails behind {defence}: that is the point"))


@pytest.fixture(name="defence", scope="module")
def _defence(request):
    """Makes a defence; keyword arguments change synward's configuration."""
    name = request.config.getoption("--defence")

    def make(**changes):
        return labs.DEFENCES[name](**changes) if name == "synward" else labs.DEFENCES[name]()
    return make


@pytest.fixture(scope="module")
def lab(defence):
    """A lab shared by the tests of one file."""
    with labs.Lab(defence()) as made:
        yield made


@pytest.fixture
def fresh_lab(defence):
    """A lab of the test's own."""
    with labs.Lab(defence()) as made:
        yield made


@pytest.fixture
def synward(lab):
    """The running daemon: skips the rest of a test that only it can pass."""
    if lab.defence.name != "synward":
        pytest.skip("needs the daemon")
    return lab.defence
