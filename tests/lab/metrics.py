# SPDX-License-Identifier: GPL-2.0-or-later
"""Prometheus' text exposition, as far as the tests need it."""

import re

_SAMPLE = re.compile(r'^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})?\s+(\S+)$')
_LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"')


class Metrics:
    """One scrape."""

    def __init__(self, text):
        self.text = text
        self.samples = []
        for line in text.splitlines():
            match = _SAMPLE.match(line)
            if match and not line.startswith("#"):
                name, labels, value = match.groups()
                self.samples.append((name, dict(_LABEL.findall(labels or "")), float(value)))

    def select(self, name, **labels):
        """(labels, value) of every series of that name that has all these labels."""
        name = name if name.startswith(("synward_", "process_", "exposer_")) else f"synward_{name}"
        return [(have, value) for found, have, value in self.samples
                if found == name and labels.items() <= have.items()]

    def total(self, name, **labels):
        """The sum over the series; a series that does not exist is an error, not a zero."""
        series = self.select(name, **labels)
        if not series:
            raise KeyError(f"no series synward_{name} with {labels}")
        return sum(value for _, value in series)

    def nonzero(self, name):
        """The series that are not zero, as {labels: value}, for messages and equality."""
        return {tuple(sorted(labels.items())): value for labels, value in self.select(name) if value}


class Difference:
    """What happened between two scrapes."""

    def __init__(self, before, after):
        self._before, self._after = before, after

    def total(self, name, **labels):
        return self._after.total(name, **labels) - self._before.total(name, **labels)

    def dropped(self):
        """{reason: count} of dropped packets, without zeros."""
        result = {}
        for labels, value in self._after.select("dropped_packets_total"):
            grown = value - sum(v for have, v in self._before.select("dropped_packets_total")
                                if have == labels)
            if grown:
                result[labels["reason"]] = result.get(labels["reason"], 0) + int(grown)
        return result
