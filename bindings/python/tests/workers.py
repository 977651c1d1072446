"""What other processes of a test run. They import this, and neither pytest nor an HTTP client."""

from __future__ import annotations

import threading
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Barrier
from multiprocessing.synchronize import Event as Signal

from cdse_auth import TokenManager


def ask(manager: TokenManager, begin: Barrier, results: Connection) -> None:
    """Ask for a header at once with the others."""
    begin.wait()
    results.send(manager.authorization_header())


def leave(manager: TokenManager, may_end: Signal) -> None:
    """End while a token is being obtained."""
    threading.Thread(target=manager.authorization_header, daemon=True).start()
    may_end.wait()


def header(manager: TokenManager) -> str:
    return manager.authorization_header()


class Counted(TokenManager):
    """A subclass with parameters of its own."""

    def __init__(self, manager: TokenManager, label: str) -> None:
        provider, token_url, store, skew = manager._arguments
        super().__init__(provider, http=None, token_url=token_url, store=store, expiry_skew=skew)  # type: ignore[arg-type]
        self.label = label
