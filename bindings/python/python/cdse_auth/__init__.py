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
from .manager import TokenManager, default_manager
from .providers import AuthProvider, ClientCredentialsAuth, PasswordAuth, RefreshTokenAuth, TotpSecret
from .store import FileTokenStore, MemoryTokenStore, TokenStore

if TYPE_CHECKING:
    from ._header_file import header_file
    from ._login import login
    from .manager import Status
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
    "header_file",
    "login",
]

# What brings other packages with it is imported when it is asked for (PEP 562).
_LATER = {"Status": "manager", "TokenSet": "store", "header_file": "_header_file", "login": "_login"}
_FACES = {"aiohttp", "eodag", "fsspec", "httpx", "openeo", "pystac_client", "requests", "sentinelhub"}


def __getattr__(name: str) -> Any:
    if name in _LATER:
        return getattr(importlib.import_module(f".{_LATER[name]}", __name__), name)
    if name in _FACES:
        return importlib.import_module(f".{name}", __name__)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_LATER])
