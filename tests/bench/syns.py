# SPDX-License-Identifier: GPL-2.0-or-later
"""SYNs answered per second by one core: synward and a peer, interleaved A B A B.

A figure is a ratio of one run on one machine; the absolute ones prove nothing alone.
"""

import argparse
import json
import time

from lab import lab as labs
from lab import quiet

from . import common, machine, profile
from .figures import summary
from .peers import PEERS

WARM_UP = 1.0  # seconds


def measure(name, mode, args, profile_file=None):
    """One run in a lab of its own: what arrived at the middlebox and what it answered, per second."""
    is_quiet = quiet.wait_for_quiet(args.patience)
    others = machine.napi_threads()
    with labs.Lab(options=machine.options(mode)) as lab:
        machine.pin(lab, mode, others)
        lab.protect(PEERS[name](mode))
        with lab.flood(args.rate, family=args.family, seconds=args.seconds + 4 * WARM_UP + 5,
                       cpu=machine.GENERATOR_CPU, engine="xdp"):
            time.sleep(WARM_UP)
            if profile_file:
                with profile.recording(profile_file, machine.MIDDLEBOX_CPU):
                    time.sleep(args.seconds)
            start, before = time.monotonic(), lab.packets("m0")
            time.sleep(args.seconds)
            after, took = lab.packets("m0"), time.monotonic() - start
    is_quiet = is_quiet and quiet.busy_share() < 0.1
    return {"arrived": (after[0] - before[0]) / took, "answered": (after[1] - before[1]) / took,
            "quiet": is_quiet}


def compare(mode, args):
    """Pairs of runs; the ratio is taken within each pair, as both saw the same machine."""
    runs = {name: [] for name in args.peers}
    for number in range(args.pairs):
        for name in args.peers:
            run = measure(name, mode, args)
            runs[name].append(run)
            print(f"  {mode} {number + 1}/{args.pairs} {name:<10} {run['answered']:10.0f} SYN/s answered "
                  f"of {run['arrived']:10.0f} that arrived"
                  f"{'' if run['quiet'] else '   (machine busy: not valid)'}", flush=True)
    result = {name: {key: summary([run[key] for run in runs[name]]) for key in ("answered", "arrived")}
              for name in args.peers}
    first, *rest = args.peers
    ratios = {other: summary([mine["answered"] / max(theirs["answered"], 1)
                              for mine, theirs in zip(runs[first], runs[other])]) for other in rest}
    valid = all(run["quiet"] for done in runs.values() for run in done)
    return {"valid": valid, "peers": result, "ratio_of": first, "ratios": ratios}


def show(mode, result):
    print(f"\n{mode}: SYNs answered per second, one core\n  {'':<12}{'median':>10}{'min':>10}{'max':>10}")
    for name, figures in result["peers"].items():
        answered = figures["answered"]
        print(f"  {name:<12}{answered['median']:10.0f}{answered['min']:10.0f}{answered['max']:10.0f}")
    for other, ratio in result["ratios"].items():
        print(f"  {result['ratio_of']} / {other}: {ratio['median']:.2f} (of the pairs: {ratio['min']:.2f} .. "
              f"{ratio['max']:.2f})")
    if not result["valid"]:
        print("  NOT VALID: something else ran on this machine meanwhile")


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peers", nargs="+", default=["synward", "synproxy"], choices=sorted(PEERS),
                        help="the first is compared with each other one")
    parser.add_argument("--modes", nargs="+", default=list(machine.MODES), choices=machine.MODES,
                        help="where packets are received: pinned NAPI threads, or softirq (RPS)")
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=4, help="of one measurement")
    parser.add_argument("--rate", type=int, default=1_000_000, help="SYNs offered per second; 0: all that goes")
    common.add_arguments(parser)
    return parser.parse_args()


def main():
    args = arguments()
    labs.end_on_signals()
    machine.require_two_cores()
    report = {"machine": machine.describe(), "rate": args.rate, "family": args.family, "modes": {}}
    print(f"{json.dumps(report['machine'])}; {args.rate} SYN/s offered, IPv{args.family}", flush=True)
    for mode in args.modes:
        report["modes"][mode] = compare(mode, args)
        show(mode, report["modes"][mode])
        if args.profile:
            args.profile.mkdir(parents=True, exist_ok=True)
            for name in args.peers:
                file = args.profile / f"{mode}-{name}.perf"
                measure(name, mode, args, profile_file=file)
                print(f"\n{mode}, {name}: where the core spends its time\n{profile.summary(file)}")
    common.keep(report, args)


if __name__ == "__main__":
    common.run(main)
