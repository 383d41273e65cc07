# SPDX-License-Identifier: GPL-2.0-or-later
"""A step of guest.py: what an operator saves while synward runs."""

from lab import netns


def a_saved_ruleset_loads_again(peers):
    """what `nft list ruleset` prints while it runs loads in a fresh namespace"""
    saved = netns.run(["nft", "list", "ruleset"]).stdout
    if " bypass" not in saved:
        raise AssertionError(f"packets would wait for a daemon that is not there:\n{saved}")
    fresh = netns.Namespace("synlab-fresh")
    try:
        # As it is the tables go with nft; without the flag they stay, with nobody at the queues.
        for text in (saved, saved.replace("flags owner", "")):
            for options in (("-c",), ()):
                fresh.run("nft", *options, "-f", "-", input=text)
        tables = fresh.run("nft", "list", "tables").stdout.split("\n")
    finally:
        fresh.close()
    if "table ip synward" not in tables or "table ip6 synward" not in tables:
        raise AssertionError(f"loaded: {tables}")
    print(f"     {len(saved.splitlines())} lines saved and loaded", flush=True)
