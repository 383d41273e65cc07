# SPDX-License-Identifier: GPL-2.0-or-later
"""Is the machine ours? A figure from shared cores compares scheduling, not defences."""

import os
import pathlib
import time


def _cpu_times(cpu=""):
    """Of one core, or of all: idle and waiting; everything. In clock ticks since boot."""
    lines = pathlib.Path("/proc/stat").read_text(encoding="ascii").splitlines()
    fields = [int(word) for word in next(line for line in lines if line.startswith(f"cpu{cpu} ")).split()[1:]]
    return fields[3] + fields[4], sum(fields[:8])


def busy_seconds(cpu):
    """What a core has worked since boot."""
    idle, everything = _cpu_times(cpu)
    return (everything - idle) / os.sysconf("SC_CLK_TCK")


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
