# SPDX-License-Identifier: GPL-2.0-or-later
"""Work beside the test: what goes wrong in it goes wrong in the test."""

import contextlib
import threading


class Work(threading.Thread):
    """A thread whose result, or exception, is the caller's."""

    def __init__(self, work):
        super().__init__(daemon=True)
        self._work, self._value, self._error = work, None, None
        self.start()

    def run(self):
        try:
            self._value = self._work()
        except BaseException as error:  # pylint: disable=broad-exception-caught
            self._error = error

    def result(self):
        self.join()
        if self._error:
            raise self._error
        return self._value


@contextlib.contextmanager
def repeated(*works):
    """Calls each work(turn), all beside each other, again and again until the block ends, or one
    fails, which fails the block; yields the list of their results."""
    ended, results = threading.Event(), []

    def again(work):
        turn = 0
        try:
            while not ended.is_set():
                results.append(work(turn))
                turn += 1
        except BaseException:
            ended.set()
            raise
    running = [Work(lambda each=work: again(each)) for work in works]
    try:
        yield results
    finally:
        ended.set()
        for each in running:
            each.join()
    for each in running:
        each.result()
