# SPDX-License-Identifier: GPL-2.0-or-later
"""What a client sees with and without synward during a flood, and what the daemon does meanwhile."""

import argparse
import dataclasses
import sys
import textwrap
import threading
import time

from . import lab as labs
from . import network, quiet, synward
from .metrics import Difference

FLOOD_PPS = 100_000
CLIENTS_PPS = 100  # real connections per second
SECONDS = 10
PATIENCE = 8  # seconds a client waits for its page
SLOW_FLOOD_PPS = 8_000
WIDTH = 78


@dataclasses.dataclass
class Scene:
    name: str
    result: dict
    reached: int  # packets of the flood that reached the server


def say(text="", end="\n"):
    print(textwrap.fill(text, WIDTH) if text else "", end=end, flush=True)


def title(text):
    print(f"\n{text}\n{'-' * len(text)}", flush=True)


def clients(lab, family):
    return lab.load(CLIENTS_PPS * SECONDS, family=family, rate=CLIENTS_PPS, concurrency=CLIENTS_PPS * PATIENCE,
                    timeout=PATIENCE)


def scene(name, lab, family, flooded):
    before = lab.flood_at_server()
    if flooded:
        with lab.flood(FLOOD_PPS, family=family):
            time.sleep(1)  # the flood's own start-up: it is to be there before the clients are
            result = clients(lab, family)
    else:
        result = clients(lab, family)
    say(f"  {name}: {result['ok']} of {result['connections']} pages loaded")
    return Scene(name, result, lab.flood_at_server() - before)


def ordinary_server(lab, cookies):
    """A web server as Debian installs it: its kernel's own queue, with or without its cookies."""
    lab.server.set_sysctls({"net.ipv4.tcp_syncookies": cookies, "net.ipv4.tcp_max_syn_backlog": 1024,
                            "net.core.somaxconn": 4096})


class Watch(threading.Thread):
    """Prints a line a second of what the daemon counts."""

    def __init__(self, daemon):
        super().__init__(daemon=True)
        self._daemon = daemon
        self._ended = threading.Event()
        print("\n  time   half-open queue                      SYN/s   SYN-ACK/s  again/s  redeemed/s", flush=True)

    def run(self):
        start, at, before = time.monotonic(), time.monotonic(), self._daemon.metrics()
        shown, silent = None, 0
        while not self._ended.wait(1):
            now, after = time.monotonic(), self._daemon.metrics()
            line = self._line(now - at, before, after)
            silent = silent + 1 if line == shown else 0
            if silent % 5 == 0:  # nothing new is said every five seconds
                print(f"  {at - start:3.0f} s  {line}", flush=True)
            shown, before, at = line, after, now

    @staticmethod
    def _line(took, before, after):
        web = {"protected_service": "web"}
        change = Difference(before, after)
        entries = after.total("half_open_connections", **web)
        limit = after.total("half_open_limit", **web)
        filled = round(20 * entries / limit) if limit else 0
        rate = [change.total(name, **web) / took for name in (
            "syns_received_total", "synacks_sent_total", "synack_retransmits_total", "cookies_redeemed_total")]
        return (f"[{'#' * filled:<20}] {entries:6.0f}/{limit:.0f}"
                f"  {rate[0]:8.0f}   {rate[1]:9.0f}  {rate[2]:7.0f}  {rate[3]:10.0f}")

    def stop(self):
        self._ended.set()
        self.join()


def defended(lab, family):
    daemon = lab.protect(synward.Synward())
    watch = Watch(daemon)
    watch.start()
    try:
        with lab.flood(SLOW_FLOOD_PPS, family=family):
            time.sleep(6)
        done = scene("flood, with synward", lab, family, flooded=True)
        settle(daemon)
    finally:
        watch.stop()
        lab.unprotect()
    return done


def settle(daemon):
    """Until the half-open queue is empty: its entries live for 31 seconds."""
    end = time.monotonic() + 45
    while daemon.metrics().total("half_open_connections") > 0 and time.monotonic() < end:
        time.sleep(0.5)


def table(scenes):
    title("What the clients saw")
    print(f"  {'':<44} {'loaded':>8} {'median':>9} {'p99':>9} {'worst':>9}   flood at server")
    for entry in scenes:
        share = 100 * entry.result["ok"] / entry.result["connections"]
        times = entry.result["total_ms"] or {}
        shown = [f"{times[key]:.1f} ms" if times else "-" for key in ("median", "p99", "max")]
        print(f"  {entry.name:<44} {share:7.1f}% {shown[0]:>9} {shown[1]:>9} {shown[2]:>9}   {entry.reached:>15,}")
    failures = {entry.name: entry.result["failed"] for entry in scenes if entry.result["failed"]}
    for name, failed in failures.items():
        print(f"  {name}: {', '.join(f'{count} {reason}' for reason, count in failed.items())}")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ipv6", action="store_true", help="the same over IPv6")
    family = 6 if parser.parse_args().ipv6 else 4
    labs.end_on_signals()
    title("A web server, its clients, and a flood")
    say(f"Three network namespaces: clients, a middlebox, and a server with a real nginx. {CLIENTS_PPS} clients a "
        f"second load a page from {network.endpoint(family)} for {SECONDS} s; each gives up after {PATIENCE} s. "
        f"The flood is {FLOOD_PPS} SYNs a second, from sources that do not exist.")
    print()
    with labs.Lab(nginx_backlog=511) as lab:
        ordinary_server(lab, cookies=0)
        scenes = [scene("calm, without synward", lab, family, flooded=False),
                  scene("flood, without synward, no SYN cookies", lab, family, flooded=True)]
        ordinary_server(lab, cookies=1)
        scenes.append(scene("flood, without synward, server's SYN cookies", lab, family, flooded=True))
        ordinary_server(lab, cookies=0)
        title("With synward, second by second")
        say(f"First {SLOW_FLOOD_PPS} SYNs a second: each gets a SYN-ACK with a cookie and an entry in the half-open "
            "queue, which fills. Then the full flood: the queue is full, and SYNs are answered from the cookie "
            "alone. The clients redeem their cookies throughout; the server sees only them. When the flood ends, "
            "entries are asked once more, expire, and the queue empties.")
        scenes.append(defended(lab, family))
        table(scenes)
    say()
    say("Without synward the flood reaches the server: it fills the server's queue of half-open connections, where "
        "real clients then find no room, unless the server's own SYN cookies answer, which costs the server's time. "
        "With synward the server sees only clients that have proved their address.")
    if (busy := quiet.busy_share()) > 0.1:
        say()
        say(f"Something else keeps this machine {100 * busy:.0f} % busy: the figures are worse than they would be.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
