# SPDX-License-Identifier: GPL-2.0-or-later
"""Waiting for a condition, never for a time."""

import time


def until(condition, what, timeout=10.0, every=0.02):
    """Returns the first true value of condition(); fails with `what` after the timeout."""
    deadline = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {timeout:g} s in vain for: {what}")
        time.sleep(every)
