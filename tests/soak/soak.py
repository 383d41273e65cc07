# SPDX-License-Identifier: GPL-2.0-or-later
"""Rounds of everything at once, until the time is over: short connections, bulk both ways, resets,
floods of SYNs and of bogus acknowledgements, every malformed packet, and now and then a reload."""

import argparse
import concurrent.futures
import hashlib
import random
import re
import signal
import socket
import struct
import sys
import time

from lab import lab as labs
from lab import malformed, network, servers, synward
from lab.capture import raw_socket

BULK_MEBIBYTES = 16
WARM_UP = 0.25  # of the time: tables fill, allocators settle
GROWTH = 1.10   # of the resident memory after that
REPORT = re.compile(r"ERROR: \w+Sanitizer|WARNING: ThreadSanitizer|runtime error:")


def short_connections(lab, family):
    result = lab.load(300, family=family, concurrency=50, timeout=60)
    assert result["ok"] == 300, result


def bulk(lab, family, path, digest):
    url = f"http://{network.endpoint(family)}/bulk"
    got = lab.client.run("curl", "-sSgf", "--max-time", 300, url, text=False, timeout=320).stdout
    assert hashlib.sha256(got).hexdigest() == digest
    lab.client.run("curl", "-sSgf", "--max-time", 300, "-T", path,
                   f"http://{network.endpoint(family)}/upload/bulk{family}", timeout=320)


def resets(lab, family, count=100):
    """Connections that the client breaks off in every stage."""
    kind = socket.AF_INET if family == 4 else socket.AF_INET6
    for number in range(count):
        with lab.client.socket(kind) as sock:
            sock.settimeout(30)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            sock.connect((network.SERVICE[family], 80))
            if number % 3 == 1:
                sock.sendall(b"GET /page HTTP/1.1\r\n")
            elif number % 3 == 2:
                sock.sendall(b"GET /page HTTP/1.1\r\nHost: lab\r\n\r\n")
                sock.recv(10)


def bad_packets(lab, frames):
    with raw_socket(lab.client, "c0") as send:
        for frame in random.sample(frames, len(frames)):
            send(frame)


def one_round(lab, frames, path, digest):
    """Everything at once; each part raises what went wrong."""
    with concurrent.futures.ThreadPoolExecutor() as pool:
        parts = [pool.submit(bad_packets, lab, frames)]
        for family in (4, 6):
            parts += [pool.submit(short_connections, lab, family), pool.submit(resets, lab, family),
                      pool.submit(bulk, lab, family, path, digest)]
        for part in parts:
            part.result()


def resident(lab):
    return lab.defence.metrics().total("process_resident_memory_bytes")


def soak(lab, minutes):
    path = lab.nginx.make_file("bulk", BULK_MEBIBYTES)
    digest = servers.sha256(path)
    frames = [frame for *_, frame, _ in malformed.kinds()]
    start, rounds, settled = time.monotonic(), 0, None
    end = start + 60 * minutes
    while time.monotonic() < end:
        mode, family = ("syn", "ack")[rounds % 2], (4, 6)[rounds // 2 % 2]
        with lab.flood(5000, family=family, mode=mode):
            if rounds % 10 == 5:
                lab.defence.process.send_signal(signal.SIGHUP)
            one_round(lab, frames, path, digest)
        rounds += 1
        assert lab.defence.metrics().total("synward_config_last_reload_successful") == 1, lab.defence.log()
        memory = resident(lab)
        if settled is None and time.monotonic() - start > WARM_UP * 60 * minutes:
            settled = memory
        print(f"  {time.monotonic() - start:6.0f} s  round {rounds:4}  resident {memory / 2**20:7.1f} MiB", flush=True)
        assert settled is None or memory < settled * GROWTH, f"memory grew from {settled} to {memory} bytes"
        assert lab.defence.process.poll() is None, lab.defence.log()
    got = lab.defence.metrics()
    print(f"{rounds} rounds; {got.total('synward_connections_spliced_total'):.0f} connections spliced, "
          f"{got.total('synward_syns_received_total'):.0f} SYNs, "
          f"{got.total('synward_dropped_packets_total'):.0f} packets dropped by reason; no lost connection")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=30)
    args = parser.parse_args()
    labs.end_on_signals()
    # A sanitized daemon on a busy machine may keep a backend waiting for longer than the usual 5 s.
    patient = synward.Synward(half_open={"backlog": 4096}, splice={"connect_timeout": "30s"})
    with labs.Lab(patient) as lab:
        try:
            soak(lab, args.minutes)
        except BaseException:
            # What the daemon knows of it goes with the lab.
            print(lab.defence.log()[-5000:])
            print("\n".join(line for line in lab.defence.metrics().text.splitlines()
                            if line.startswith("synward_") and not line.endswith(" 0")))
            raise
        finally:
            log = lab.defence.log()
            if REPORT.search(log):
                print(log)
                sys.exit("a sanitizer has reported")
    return 0


if __name__ == "__main__":
    sys.exit(main())
