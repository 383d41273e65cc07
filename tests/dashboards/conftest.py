# SPDX-License-Identifier: GPL-2.0-or-later
"""The dashboard, the rules, and a real Prometheus that scrapes a real daemon under a real flood."""

import pathlib
import sys

import pytest

sys.path[:0] = [str(pathlib.Path(__file__).resolve().parent), str(pathlib.Path(__file__).resolve().parents[1])]
import files  # noqa: E402  pylint: disable=wrong-import-position
from lab import lab as labs  # noqa: E402  pylint: disable=wrong-import-position


def pytest_configure(config):
    config.addinivalue_line("filterwarnings", "error::pytest.PytestUnhandledThreadExceptionWarning")
    labs.end_on_signals()


@pytest.fixture(name="dashboard", scope="session")
def _dashboard():
    return files.Dashboard()
