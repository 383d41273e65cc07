# SPDX-License-Identifier: GPL-2.0-or-later
"""Is the machine ours? A figure from shared cores compares scheduling, not defences."""

import pathlib
import time


def _cpu_times():
    fields = [int(word) for word in pathlib.Path("/proc/stat").read_text(encoding="ascii").splitlines()[0].split()[1:]]
    return fields[3] + fields[4], sum(fields[:8])  # idle and waiting; everything


def busy_share(seconds=0.5):
    """What others take of the machine while we do nothing, 0 to 1."""
    idle, everything = _cpu_times()
    time.sleep(seconds)
    idle_after, everything_after = _cpu_times()
    return 1 - (idle_after - idle) / max(everything_after - everything, 1)


def wait_for_quiet(patience, limit=0.05):
    """False if others were still busy when the patience (seconds) ended."""
    end = time.monotonic() + patience
    while busy_share() > limit:
        if time.monotonic() > end:
            return False
    return True
