#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Rules that a compiler does not know: which layer may include which, what proxy/ may not do, and
that nothing is forgotten. Prints FILE:LINE: WHAT for each breach; exit 1 if there is any."""

import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]

# A file includes its own layer and lower numbers, never higher.
LAYERS = [
    ("proxy/shared/", 0),
    ("proxy/wire/", 1),
    ("proxy/engine/", 4),
    ("proxy/counters", 2),
    ("proxy/time.h", 0),
    ("proxy/tcp/state.h", 0),
    ("proxy/", 3),
    ("daemon/io/", 5),
    ("config/", 6),
    ("daemon/", 7),
]
# config/ sees addresses, and nothing else of the program.
CONFIG_SEES = ("config/", "proxy/wire/address.h")
# daemon/io knows the kernel, not the operator's settings nor the engine.
IO_SEES = ("daemon/io/", "proxy/wire/", "proxy/shared/", "proxy/time.h")

# No system call, clock, lock, log, exception or heap on the packet path.
BANNED_IN_PROXY = re.compile(
    r"\b(throw|try|catch|std::mutex|std::thread|clock_gettime|system_clock|steady_clock|printf|"
    r"std::cout|std::cerr|getenv|malloc|sendto|recvfrom)\b")
ALLOWED = {"proxy/flow/zeroed_array.h"}  # allocates at start, and may fail there

LINES_MAX = 300


def layer(path):
    return next((number for prefix, number in LAYERS if path.startswith(prefix)), None)


def tracked(*patterns):
    done = subprocess.run(["git", "ls-files", "--", *patterns], cwd=ROOT, check=True,
                          capture_output=True, text=True)
    return [path for path in done.stdout.splitlines() if (ROOT / path).exists()]


def check_include(path, included):
    mine, theirs = layer(path), layer(included)
    if mine is None or theirs is None:
        return None
    if theirs > mine:
        return f"includes {included}, which is a layer below it"
    if path.startswith("config/") and not included.startswith(CONFIG_SEES):
        return f"config/ may not see {included}"
    if path.startswith("daemon/io/") and not included.startswith(IO_SEES):
        return f"daemon/io may not see {included}"
    return None


def check_line(path, line):
    include = re.match(r'#include "([^"]+)"', line)
    if include:
        return check_include(path, include.group(1))
    code = line.split("//")[0]
    if path.startswith("proxy/") and path not in ALLOWED and not line.lstrip().startswith(("*", "/*")):
        banned = BANNED_IN_PROXY.search(code)
        if banned:
            return f"proxy/ may not use {banned.group(0)}"
    return None


def conflict_markers():
    """What a merge left behind; no compiler sees it in prose, YAML or a shell script's here-document."""
    done = subprocess.run(["git", "grep", "-nIE", "^(<{7}|>{7}|[|]{7}) "], cwd=ROOT, check=False,
                          capture_output=True, text=True)
    for line in done.stdout.splitlines():
        path, number, _ = line.split(":", 2)
        yield path, int(number), "has the mark of an unresolved merge"


def breaches():
    yield from conflict_markers()
    sources = tracked("proxy", "daemon", "config")
    for path in sources:
        if not path.endswith((".h", ".cc", ".c")):
            continue
        lines = (ROOT / path).read_text(encoding="utf-8").splitlines()
        if not any("SPDX-License-Identifier" in line for line in lines[:2]):
            yield path, 1, "has no SPDX-License-Identifier"
        if len(lines) > LINES_MAX:
            yield path, len(lines), f"has {len(lines)} lines, {LINES_MAX} are the limit"
        for number, line in enumerate(lines, 1):
            what = check_line(path, line)
            if what:
                yield path, number, what


def main():
    found = list(breaches())
    for path, number, what in found:
        print(f"{path}:{number}: {what}")
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
