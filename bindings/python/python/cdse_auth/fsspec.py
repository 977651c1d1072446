"""For fsspec: ``fsspec.open(url, **options(manager))``, and whatever takes ``storage_options`` for https."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from .aiohttp import CdseAuth

if TYPE_CHECKING:
    from .manager import TokenManager

__all__ = ["options"]


def options(manager: TokenManager, *, hosts: Iterable[str] = ()) -> dict[str, Any]:
    """Return the options with which fsspec's HTTP file system gives its requests a token.

    A token goes to the hosts of CDSE and to ``hosts``; see :class:`cdse_auth.aiohttp.CdseAuth`. fsspec keeps a file
    system for as long as the process runs, one for each call of this: call it once.

    Parameters:
        manager: Where the token comes from.
        hosts: Further hosts that may have it.

    Raises:
        ValueError: One of ``hosts`` is not a host.
    """
    return {"client_kwargs": {"middlewares": (CdseAuth(manager, hosts=hosts),)}}
