#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""SYNs answered per second by one core: synward against kernel SYNPROXY, interleaved.

The generator and the sink for the answers have one core, everything of the middlebox (its NAPI
threads, or its softirq, and the daemon) has the other. What is counted is the packets that leave
the middlebox towards the client. A figure is good only as the ratio of one pair.
"""

import argparse
import json
import os
import statistics
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from lab import lab, network, synward, wait  # noqa: E402

GENERATOR_CPU, MIDDLEBOX_CPU = 0, 1


def peer(name, threaded):
    if name != "synward":
        return lab.DEFENCES[name]()
    # Above the NAPI threads (SCHED_OTHER): else reception starves the daemon (receive livelock).
    realtime = 10 if threaded else "off"
    return synward.Synward(wrapper=("taskset", "-c", str(MIDDLEBOX_CPU)), workers=1, realtime=realtime)


def napi_threads():
    """Process ids by card: the kernel names them napi/CARD-ID."""
    found = {}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/comm", encoding="ascii") as comm:
                name = comm.read().strip()
        except OSError:
            continue
        if name.startswith("napi/"):
            found.setdefault(name[len("napi/"):].split("-")[0], []).append(int(pid))
    return found


def pin(threaded):
    if not threaded:
        return
    wait.until(lambda: {"c0", "m0", "m1", "s0"} <= set(napi_threads()), "NAPI threads")
    for card, pids in napi_threads().items():
        if card not in network.MAC:
            continue
        for pid in pids:
            os.sched_setaffinity(pid, {MIDDLEBOX_CPU if card.startswith("m") else GENERATOR_CPU})


def answered_per_second(name, options):
    with lab.Lab(peer(name, options.threaded),
                 network.Options(threaded=options.threaded, sink="xdp")) as test:
        pin(options.threaded)
        with test.flood(options.rate, options.family, cpu=GENERATOR_CPU, seconds=options.seconds + 30):
            before = test.packets()
            wait.until(lambda: test.packets()[1] > before[1] + 1000, "the first answers")
            start, (rx_start, tx_start) = time.monotonic(), test.packets()
            time.sleep(options.seconds)  # the length of the measurement, not a wait
            (rx_end, tx_end), seconds = test.packets(), time.monotonic() - start
    return {"offered": (rx_end - rx_start) / seconds, "answered": (tx_end - tx_start) / seconds}


def measure(options):
    pairs = []
    for number in range(options.pairs):
        pair = {name: answered_per_second(name, options) for name in (options.peer, "synward")}
        pair["ratio"] = pair["synward"]["answered"] / pair[options.peer]["answered"]
        pairs.append(pair)
        print(f"  pair {number + 1}: " + ", ".join(
            f"{name} {pair[name]['answered'] / 1e3:.0f} k/s of {pair[name]['offered'] / 1e3:.0f} k/s"
            for name in (options.peer, "synward")) + f", ratio {pair['ratio']:.2f}", flush=True)
    return pairs


def summary(pairs, key):
    values = sorted(key(pair) for pair in pairs)
    return {"median": statistics.median(values), "min": values[0], "max": values[-1]}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--peer", default="synproxy", choices=sorted(lab.DEFENCES))
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--family", type=int, default=4, choices=(4, 6))
    parser.add_argument("--rate", type=int, default=0, help="SYNs per second; 0: all it can")
    parser.add_argument("--mode", action="append", choices=("threaded", "softirq"))
    parser.add_argument("--json", help="write the figures to this file")
    options = parser.parse_args()
    lab.end_on_signals()
    results = {}
    for mode in options.mode or ("threaded", "softirq"):
        options.threaded = mode == "threaded"
        print(f"{mode} NAPI, IPv{options.family}, {options.pairs} pairs of {options.seconds} s", flush=True)
        pairs = measure(options)
        results[mode] = {"pairs": pairs, "ratio": summary(pairs, lambda pair: pair["ratio"])}
        for name in (options.peer, "synward"):
            results[mode][name] = summary(pairs, lambda pair, name=name: pair[name]["answered"])
            figures = results[mode][name]
            print(f"  {name}: median {figures['median'] / 1e3:.0f} k/s "
                  f"({figures['min'] / 1e3:.0f} .. {figures['max'] / 1e3:.0f})")
        ratio = results[mode]["ratio"]
        print(f"  synward / {options.peer}: median {ratio['median']:.2f} ({ratio['min']:.2f} .. {ratio['max']:.2f})")
    if options.json:
        with open(options.json, "w", encoding="utf-8") as out:
            json.dump(results, out, indent=2)


if __name__ == "__main__":
    main()
