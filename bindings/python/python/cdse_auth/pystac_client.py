"""For pystac-client: ``pystac_client.Client.open(url, modifier=request_modifier(manager))``."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import requests

from .requests import CdseAuth

if TYPE_CHECKING:
    from .manager import TokenManager

__all__ = ["request_modifier"]


def request_modifier(
    manager: TokenManager, *, hosts: Iterable[str] = ()
) -> Callable[[requests.Request], requests.Request]:
    """Return what gives each request of a STAC client a token; its ``request_modifier``.

    A token goes to the hosts of CDSE and to ``hosts``; see :class:`cdse_auth.requests.CdseAuth`.

    Parameters:
        manager: Where the token comes from.
        hosts: Further hosts that may have it.

    Raises:
        ValueError: One of ``hosts`` is not a host.
    """
    auth = CdseAuth(manager, hosts=hosts)

    def modify(request: requests.Request) -> requests.Request:
        request.auth = auth
        return request

    return modify
