"""Valid access tokens for the Copernicus Data Space Ecosystem.

One session is shared by every thread, task and process, renewed before it ends, and given back at logout.

>>> import cdse_auth
>>> manager = cdse_auth.default_manager()          # the login of the command line   # doctest: +SKIP
>>> manager.authorization_header()                                                    # doctest: +SKIP
'Bearer eyJ...'
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from . import _lifetime as _lifetime
from . import exceptions as exceptions
from .manager import Status, TokenManager, default_manager
from .providers import AuthProvider, ClientCredentialsAuth, PasswordAuth, RefreshTokenAuth, TotpSecret
from .store import FileTokenStore, MemoryTokenStore, TokenStore

if TYPE_CHECKING:
    from .store import TokenSet

__all__ = [
    "AuthProvider",
    "ClientCredentialsAuth",
    "FileTokenStore",
    "MemoryTokenStore",
    "PasswordAuth",
    "RefreshTokenAuth",
    "Status",
    "TokenManager",
    "TokenSet",
    "TokenStore",
    "TotpSecret",
    "default_manager",
]

# What brings other packages with it is imported when it is asked for (PEP 562).
_LATER = {"TokenSet": "store"}


def __getattr__(name: str) -> Any:
    if name in _LATER:
        return getattr(importlib.import_module(f".{_LATER[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_LATER])
