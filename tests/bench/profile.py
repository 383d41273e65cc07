# SPDX-License-Identifier: GPL-2.0-or-later
"""perf, as far as the comparison needs it."""

import contextlib
import re
import signal
import subprocess

from lab import netns

LINES = 25


@contextlib.contextmanager
def recording(file, cpu):
    """For as long as the block lasts."""
    with subprocess.Popen(["perf", "record", "-q", "-C", str(cpu), "-F", "997", "-g", "-o", str(file)],
                          stdin=subprocess.DEVNULL) as process:
        try:
            yield
        finally:
            process.send_signal(signal.SIGINT)


def summary(file):
    """The heaviest functions, as text; the whole report lies beside the record."""
    report = netns.run(["perf", "report", "-i", file, "--stdio", "--no-children", "-g", "none", "--sort", "dso,symbol",
                        "--percent-limit", "0.3"]).stdout
    file.with_suffix(".txt").write_text(report)
    lines = [re.sub(r"(\S)\s{2,}", r"\1  ", re.sub(r"(\s+-)+\s*$", "", line))
             for line in report.splitlines() if line.strip() and not line.startswith("#")]
    return "\n".join(lines[:LINES])
