"""Forks, and the end of the interpreter."""

from __future__ import annotations

import atexit
import os
import sys

from . import _native

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_native.after_fork_in_child)

atexit.register(_native.settle_all)


def settle_in_worker() -> None:
    """Let a process of ``multiprocessing`` save what is under way: it ends without ``atexit``."""
    if "multiprocessing.util" in sys.modules:
        from multiprocessing import util

        util.Finalize(None, _native.settle_all, exitpriority=0)


settle_in_worker()
