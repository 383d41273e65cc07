# SPDX-License-Identifier: GPL-2.0-or-later
"""Who runs on which core: generator and sink on one, everything of the middlebox on the other."""

import os
import pathlib

from lab import netns, network, wait

GENERATOR_CPU = 0
MIDDLEBOX_CPU = 1
MODES = ("threaded", "softirq")


def require_two_cores():
    if not {GENERATOR_CPU, MIDDLEBOX_CPU} <= os.sched_getaffinity(0):
        raise SystemExit("the comparison needs two cores")
    os.sched_setaffinity(0, {GENERATOR_CPU})  # and so everything that we start


def options(mode):
    return network.Options(sink="xdp", threaded=mode == "threaded")


def napi_threads():
    """{pid: card} of the kernel's NAPI threads."""
    found = {}
    for entry in pathlib.Path("/proc").glob("[0-9]*/comm"):
        try:
            name = entry.read_text().strip()
        except OSError:  # it has just ended
            continue
        if name.startswith("napi/"):
            found[int(entry.parent.name)] = name.removeprefix("napi/").rsplit("-", 1)[0]
    return found


def pin(lab, mode, others):
    """Places the receiving work of a fresh lab; `others` are the NAPI threads from before it."""
    if mode == "softirq":
        # A veth pair receives where the sender runs: RPS moves that to the middlebox's core. The
        # sink stays off that core, in a thread.
        for card in ("m0", "m1"):
            lab.middlebox.write_sys(f"/sys/class/net/{card}/queues/rx-0/rps_cpus", f"{1 << MIDDLEBOX_CPU:x}")
        lab.client.write_sys("/sys/class/net/c0/threaded", "1")
    expected = {"c0"} if mode == "softirq" else {"c0", "m0", "m1"}

    def mine():
        threads = {pid: card for pid, card in napi_threads().items() if pid not in others}
        return threads if expected <= set(threads.values()) else None
    for pid, card in wait.until(mine, "the NAPI threads").items():
        cpu = MIDDLEBOX_CPU if card.startswith("m") else GENERATOR_CPU
        netns.run(["taskset", "-pc", cpu, pid])


def describe():
    cpu = next((line.split(":")[1].strip() for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines()
                if line.startswith("model name")), "unknown")
    return {"kernel": os.uname().release, "cpu": cpu, "cores": os.cpu_count()}
