"""For sentinelhub: ``authenticate(SentinelHubRequest(...), manager)``, or a catalogue in place of the request."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import requests
from sentinelhub.api.base import SentinelHubService
from sentinelhub.base import DataRequest
from sentinelhub.constants import SHConstants
from sentinelhub.download.models import DownloadRequest
from sentinelhub.download.sentinelhub_client import SentinelHubDownloadClient

from .requests import CdseAuth

if TYPE_CHECKING:
    from .manager import TokenManager

__all__ = ["CdseDownloadClient", "authenticate"]

_Target = TypeVar("_Target", DataRequest, SentinelHubService)


class CdseDownloadClient(SentinelHubDownloadClient):
    """Download with tokens of a manager in place of a session of ``sh_client_id`` and ``sh_client_secret``.

    A token goes to the hosts of CDSE and to ``hosts``; see :class:`cdse_auth.requests.CdseAuth`. A session of
    sentinelhub's own would send it wherever a data collection has its service, to other companies, too.

    Parameters:
        manager: Where the token comes from.
        hosts: Further hosts that may have it.
        kwargs: What ``SentinelHubDownloadClient`` takes.

    Raises:
        ValueError: One of ``hosts`` is not a host.
    """

    def __init__(self, manager: TokenManager, *, hosts: Iterable[str] = (), **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._auth = CdseAuth(manager, hosts=hosts)

    def _do_download(self, request: DownloadRequest) -> requests.Response:
        return requests.request(
            request.request_type.value,
            url=request.url or "",
            json=request.post_values,
            headers={**SHConstants.HEADERS, **request.headers},
            timeout=self.config.download_timeout_seconds,
            auth=self._auth if request.use_session else None,
        )


def authenticate(target: _Target, manager: TokenManager, *, hosts: Iterable[str] = ()) -> _Target:
    """Let a request (``SentinelHubRequest``, ...) or a service (``SentinelHubCatalog``, ...) use tokens of ``manager``.

    Parameters:
        target: The request or the service.
        manager: Where the token comes from.
        hosts: Further hosts that may have it.

    Returns:
        The same request or service.

    Raises:
        ValueError: One of ``hosts`` is not a host.
    """
    client = partial(CdseDownloadClient, manager, hosts=hosts)
    if isinstance(target, SentinelHubService):
        target.client = client(config=target.config)
    else:
        target.download_client_class = client
    return target
