# SPDX-License-Identifier: GPL-2.0-or-later
"""One thread of a process stands still while the others run: what a worker that hangs looks like."""

import contextlib
import ctypes
import errno
import os
import pathlib

_PTRACE_SEIZE, _PTRACE_INTERRUPT, _PTRACE_DETACH = 0x4206, 0x4207, 17
_WALL = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)
_libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]


def named(pid, name):
    """The thread of that name, for example worker-0."""
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        if (task / "comm").read_text(encoding="ascii").strip() == name:
            return int(task.name)
    raise LookupError(f"process {pid} has no thread {name}")


def _ptrace(request, tid):
    if _libc.ptrace(request, tid, None, None) != 0:
        raise OSError(ctypes.get_errno(), "ptrace")


class Halted:
    """A thread that we trace and do not let run."""

    def __init__(self, tid):
        self._tid = tid
        self._ended = False
        _ptrace(_PTRACE_SEIZE, tid)
        _ptrace(_PTRACE_INTERRUPT, tid)
        os.waitpid(tid, _WALL)

    def ended(self):
        """Whether its process has ended; ask, for nobody else hears of that end before its tracer."""
        if not self._ended:
            seen, status = os.waitpid(self._tid, _WALL | os.WNOHANG)
            self._ended = seen == self._tid and (os.WIFEXITED(status) or os.WIFSIGNALED(status))
        return self._ended

    def release(self):
        if self.ended():
            return
        try:
            _ptrace(_PTRACE_DETACH, self._tid)
        except OSError as error:
            if error.errno != errno.ESRCH:
                raise


@contextlib.contextmanager
def halted(tid):
    """The thread stands still while the block lasts, which one thread of ours enters and leaves."""
    thread = Halted(tid)
    try:
        yield thread
    finally:
        thread.release()
