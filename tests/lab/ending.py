# SPDX-License-Identifier: GPL-2.0-or-later
"""A service whose connections are watched to their end: by synward's gauge and by both kernels."""

import pytest

from . import pairs, wait

PATIENCE = 30  # seconds: a FIN that is lost again and again comes after 12.8, too


def service_name(name, family):
    return f"{name}-ip{family}"


class Ending:
    """The connections to one service, `count` of them, and what is counted of it."""

    def __init__(self, lab, name, family, port, count):
        self.lab, self.family, self.port, self._count = lab, family, port, count
        self._labels = {"protected_service": service_name(name, family)}

    def open(self, **options):
        return pairs.Pairs(self.lab, self.family, self.port, self._count, **options)

    def gauge(self):
        series = self.lab.defence.metrics().select("connections", **self._labels)
        return {(labels["side"], labels["state"]): int(value) for labels, value in series if value}

    def closed(self):
        series = self.lab.defence.metrics().select("connections_closed_total", **self._labels)
        return {labels["reason"]: int(value) for labels, value in series if value}

    def expect_gauge(self, **states):
        """Waits until all are in these states, and none in another."""
        _become(self.gauge, {(side, state): self._count for side, state in states.items()}, "the gauge")

    def expect(self, opened, **states):
        """The same, of both kernels too."""
        living = {(side, state): self._count for side, state in states.items() if state != "closed"}
        _become(opened.states, living, "the kernels")
        self.expect_gauge(**states)


def _become(look, wanted, what):
    try:
        wait.until(lambda: look() == wanted, what, PATIENCE)
    except TimeoutError:
        pytest.fail(f"{what} say {look()} instead of {wanted}")
