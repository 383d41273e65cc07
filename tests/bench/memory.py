# SPDX-License-Identifier: GPL-2.0-or-later
"""What a half-open entry and a user-space flow take of resident memory (P8)."""

import sys

from lab import lab as labs
from lab import network, synward, wait

ENTRIES = 1_000_000
FLOWS = 5_000


def resident(daemon):
    return daemon.metrics().total("process_resident_memory_bytes")


def half_open():
    changes = {"workers": 1, "half_open": {"backlog": 1_048_576, "synack_timeout": "10s", "synack_retries": 1,
                                           "high_watermark": "100%"}}
    with labs.Lab(synward.Synward(**changes), options=network.Options(sink="xdp")) as lab:
        daemon, before = lab.defence, resident(lab.defence)
        with lab.flood(150_000, seconds=60):
            wait.until(lambda: daemon.metrics().total("synward_half_open_connections") >= ENTRIES,
                       "a million half-open entries", timeout=55)
        entries = daemon.metrics().total("synward_half_open_connections")
        used = resident(daemon) - before
    print(f"half-open: {entries:.0f} entries, {used / 2**20:.1f} MiB more resident, {used / entries:.1f} bytes each, "
          f"table and index included")


def flows():
    with labs.Lab(synward.Synward(workers=1)) as lab:
        daemon, before = lab.defence, resident(lab.defence)
        with lab.holding(FLOWS, concurrency=100):
            wait.until(lambda: daemon.metrics().total("synward_connections", side="client",
                                                      state="established") >= FLOWS, "the connections", timeout=60)
            used = resident(daemon) - before
    print(f"flows: {FLOWS} connections, {used / 2**20:.1f} MiB more resident, {used / FLOWS:.0f} bytes each, "
          f"table, index and early-data buffers included")


def main():
    labs.end_on_signals()
    half_open()
    flows()
    return 0


if __name__ == "__main__":
    sys.exit(main())
