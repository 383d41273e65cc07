# SPDX-License-Identifier: GPL-2.0-or-later
"""Medians and spreads of interleaved runs. A figure is a ratio within one round, since both saw the
same machine; the absolute ones prove nothing alone."""

import statistics


def summary(values):
    return {"median": statistics.median(values), "min": min(values), "max": max(values), "values": values}


def show(title, figures, ratios, first):
    """`figures` and `ratios`: {peer: [value of each round]}."""
    print(f"\n{title}\n  {'':<12}{'median':>12}{'min':>12}{'max':>12}")
    for name, values in figures.items():
        of = summary(values)
        print(f"  {name:<12}{of['median']:12.4g}{of['min']:12.4g}{of['max']:12.4g}")
    for name, values in ratios.items():
        of = summary(values)
        print(f"  {first} / {name}: {of['median']:.2f} (of the rounds: {of['min']:.2f} .. {of['max']:.2f})")
