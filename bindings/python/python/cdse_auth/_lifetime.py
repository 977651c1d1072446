"""Forks, and the end of the interpreter."""

from __future__ import annotations

import atexit
import os
import sys

from . import _native

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_native.after_fork_in_child)

atexit.register(_native.settle_all)


_worker: int | None = None


def settle_in_worker() -> None:
    """Let a process of ``multiprocessing`` save what is under way when it ends: it ends without ``atexit``.

    It forgets when it starts what was registered with it before. So this is called when a manager is first used.
    """
    global _worker
    process = sys.modules.get("multiprocessing.process")
    if process is None or process.parent_process() is None or _worker == os.getpid():
        return
    from multiprocessing import util

    _worker = os.getpid()
    util.Finalize(None, _native.settle_all, exitpriority=0)
