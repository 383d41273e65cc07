# SPDX-License-Identifier: GPL-2.0-or-later
"""Combinations of which every two values of two factors occur together in one, at least."""

import itertools
import random


def _pairs(row):
    return set(itertools.combinations(row.items(), 2))


def pairwise(factors, seed=1):
    """[{factor: value}]; greedy, and the same for the same seed."""
    chance = random.Random(seed)
    wanted = {pair for (one, these), (other, those) in itertools.combinations(factors.items(), 2)
              for pair in itertools.product([(one, value) for value in these], [(other, value) for value in those])}
    rows = []
    while wanted:
        tries = []
        for _ in range(30):
            must = dict(chance.choice(sorted(wanted, key=repr)))  # so that each row is of some use
            tries.append({name: must.get(name, chance.choice(values)) for name, values in factors.items()})
        best = max(tries, key=lambda row: len(_pairs(row) & wanted))
        wanted -= _pairs(best)
        rows.append(best)
    return rows
