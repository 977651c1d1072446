"""For openEO: ``connection = authenticate(openeo.connect(url), manager)``."""

from __future__ import annotations

from collections.abc import Iterable
from http import HTTPStatus
from typing import TYPE_CHECKING

import requests

from .requests import CdseAuth as _CdseAuth

if TYPE_CHECKING:
    from openeo.rest.connection import Connection

    from .manager import TokenManager

__all__ = ["CdseAuth", "authenticate"]


class CdseAuth(_CdseAuth):
    __doc__ = _CdseAuth.__doc__

    _prefix = "Bearer oidc/CDSE/"

    def _is_refusal(self, response: requests.Response) -> bool:
        # The openEO API has its own word for a token that has ended.
        is_forbidden = response.status_code == HTTPStatus.FORBIDDEN
        return super()._is_refusal(response) or (is_forbidden and b"TokenInvalid" in response.content)


def authenticate(connection: Connection, manager: TokenManager, *, hosts: Iterable[str] = ()) -> Connection:
    """Let each request of a connection carry a token of ``manager``.

    A token goes to the hosts of CDSE and to ``hosts``; see :class:`CdseAuth`.

    Parameters:
        connection: The connection, as ``openeo.connect`` returns it.
        manager: Where the token comes from.
        hosts: Further hosts that may have it.

    Returns:
        The connection.

    Raises:
        ValueError: One of ``hosts`` is not a host.
    """
    connection.auth = CdseAuth(manager, hosts=hosts)
    return connection
