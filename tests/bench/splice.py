# SPDX-License-Identifier: GPL-2.0-or-later
"""Through an established splice, everything of the middlebox on one core, interleaved with peers:
keep-alive requests, one bulk stream, and new connections with the worst one.

Clients and servers share the other core and are often the slower part; so beside the rate there is
what the middlebox's core could do: the work done, by the seconds that this core was busy.
"""

import argparse
import contextlib
import dataclasses
import json
import re

from lab import lab as labs
from lab import network, quiet

from . import common, figures, machine, profile
from .peers import PEERS

BULK_MEBIBYTES = 1024
SMALL_BYTES = 64


def per_core(work, action):
    """The action's result, and its work per second that the middlebox's core was busy."""
    before = quiet.busy_seconds(machine.MIDDLEBOX_CPU)
    result = action()
    return result, work(result) / max(quiet.busy_seconds(machine.MIDDLEBOX_CPU) - before, 0.01)


def requests(lab, args):
    """64-byte answers over 32 connections that are kept alive."""
    (lab.nginx.root / "small").write_bytes(b"x" * SMALL_BYTES)
    url = f"http://{network.endpoint(args.family)}/small"
    done, capacity = per_core(lambda done: int(re.search(r"(\d+) requests in", done.stdout).group(1)),
                              lambda: lab.client.run("wrk", "-t1", "-c32", f"-d{args.seconds}s", url,
                                                     timeout=args.seconds + 60))
    assert "Non-2xx" not in done.stdout and "Socket errors" not in done.stdout, done.stdout
    return {"requests/s": float(re.search(r"Requests/sec:\s+([\d.]+)", done.stdout).group(1)),
            "requests per busy second": capacity}


def bulk(lab, args):
    lab.nginx.make_file("bulk", BULK_MEBIBYTES)
    url = f"http://{network.endpoint(args.family)}/bulk"
    done, capacity = per_core(lambda _: BULK_MEBIBYTES * 2**20 * 8 / 1e9,
                              lambda: lab.client.run("curl", "-sSgf", "-o", "/dev/null", "-w",
                                                     "%{speed_download}", url, timeout=300))
    return {"bulk Gbit/s": float(done.stdout) * 8 / 1e9, "bulk Gbit per busy second": capacity}


def connections(lab, args):
    """HTTP connections of one request each, 50 at once."""
    result, capacity = per_core(lambda _: args.connections,
                                lambda: lab.load(args.connections, family=args.family, concurrency=50, timeout=60))
    assert result["ok"] == args.connections, result
    return {"connections/s": args.connections / result["seconds"], "connections per busy second": capacity,
            "worst connection ms": result["total_ms"]["max"]}


PARTS = {"requests": requests, "bulk": bulk, "connections": connections}


def measure(name, part, args, profile_file=None):
    is_quiet = quiet.wait_for_quiet(args.patience)
    others = machine.napi_threads()
    # Without TSO, or veth would receive what a TCP sends where the sender runs, NAPI thread or not:
    # the middlebox's work would be the generator's. GRO stays, as on a real network card.
    with labs.Lab(options=dataclasses.replace(machine.options("threaded"), tso=False, sink="nft")) as lab:
        machine.pin(lab, "threaded", others)
        lab.protect(PEERS[name]("threaded"))
        PARTS[part](lab, argparse.Namespace(**{**vars(args), "seconds": 1, "connections": 500}))  # warm-up
        recording = (profile.recording(profile_file, machine.MIDDLEBOX_CPU) if profile_file
                     else contextlib.nullcontext())
        with recording:
            return PARTS[part](lab, args), is_quiet


def compare(part, args):
    runs, valid = {name: [] for name in args.peers}, True
    for number in range(args.rounds):
        for name in args.peers:
            got, is_quiet = measure(name, part, args)
            valid = valid and is_quiet
            runs[name].append(got)
            print(f"  {part} {number + 1}/{args.rounds} {name:<10} "
                  + ", ".join(f"{key} {value:.4g}" for key, value in got.items())
                  + ("" if is_quiet else "   (machine busy: not valid)"), flush=True)
    first, *rest = args.peers
    result = {}
    for figure in runs[first][0]:
        of_peers = {name: [run[figure] for run in done] for name, done in runs.items()}
        ratios = {other: [mine / theirs for mine, theirs in zip(of_peers[first], of_peers[other])]
                  for other in rest}
        figures.show(figure, of_peers, ratios, first)
        result[figure] = {"peers": of_peers, "ratios": ratios}
    if not valid:
        print("  NOT VALID: something else ran on this machine meanwhile")
    return {"valid": valid, "figures": result}


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peers", nargs="+", default=["synward", "haproxy", "plain"], choices=sorted(PEERS),
                        help="the first is compared with each other one")
    parser.add_argument("--parts", nargs="+", default=list(PARTS), choices=sorted(PARTS))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=4, help="of the requests")
    parser.add_argument("--connections", type=int, default=10_000)
    common.add_arguments(parser)
    return parser.parse_args()


def main():
    args = arguments()
    labs.end_on_signals()
    machine.require_two_cores()
    report = {"machine": machine.describe(), "family": args.family, "parts": {}}
    print(json.dumps(report["machine"]), flush=True)
    for part in args.parts:
        report["parts"][part] = compare(part, args)
        if args.profile:
            args.profile.mkdir(parents=True, exist_ok=True)
            file = args.profile / f"{part}-{args.peers[0]}.perf"
            measure(args.peers[0], part, args, profile_file=file)
            print(f"\n{part}, {args.peers[0]}: where the core spends its time\n{profile.summary(file)}")
    common.keep(report, args)


if __name__ == "__main__":
    common.run(main)
