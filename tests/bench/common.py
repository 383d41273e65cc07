# SPDX-License-Identifier: GPL-2.0-or-later
"""What the comparisons' command lines have in common."""

import json
import pathlib
import sys

from lab import netns


def add_arguments(parser):
    parser.add_argument("--family", type=int, default=4, choices=(4, 6))
    parser.add_argument("--patience", type=float, default=30, metavar="SECONDS",
                        help="wait so long before a run for the machine to be quiet; else it is marked not valid")
    parser.add_argument("--profile", type=pathlib.Path, metavar="DIRECTORY",
                        help="also record where the middlebox's core spends its time (perf)")
    parser.add_argument("--json", type=pathlib.Path, metavar="FILE", help="write all figures there")


def keep(report, args):
    if args.json:
        args.json.write_text(json.dumps(report, indent=2) + "\n")


def run(main):
    try:
        main()
    except netns.CommandFailed as failure:
        sys.exit(str(failure))
