"""For httpx: ``httpx.Client(auth=CdseAuth(manager))``, and ``httpx.AsyncClient`` likewise."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator
from http import HTTPStatus

import httpx

from ._face import Face

__all__ = ["CdseAuth"]


class CdseAuth(Face, httpx.Auth):
    __doc__ = Face.__doc__

    def sync_auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Send the request with a token, and once more with another one if the service refuses it."""
        if self._admits_request(request):
            _put(request, self._header(None))
        response = yield request
        # A redirect has left the token behind if it leads to another host: that may be one of CDSE, too.
        while self._is_refusal(response):
            refused = response.request.headers.get("Authorization")
            header = self._header(refused)
            if not _put(response.request, header) or not _is_whole(response.request):
                return
            response = yield response.request
            if refused is not None:
                return

    async def async_auth_flow(self, request: httpx.Request) -> AsyncGenerator[httpx.Request, httpx.Response]:
        """:meth:`sync_auth_flow` for asyncio."""
        if self._admits_request(request):
            _put(request, await self._header_async(None))
        response = yield request
        while self._is_refusal(response):
            refused = response.request.headers.get("Authorization")
            header = await self._header_async(refused)
            if not _put(response.request, header) or not _is_whole(response.request):
                return
            response = yield response.request
            if refused is not None:
                return

    def _admits_request(self, request: httpx.Request) -> bool:
        return self._admits(request.url.scheme, request.url.host, request.url.port)

    def _is_refusal(self, response: httpx.Response) -> bool:
        return response.status_code == HTTPStatus.UNAUTHORIZED and self._admits_request(response.request)


def _is_whole(request: httpx.Request) -> bool:
    # The body of a generator or a file is gone once it is sent.
    return isinstance(request.stream, httpx.ByteStream)


def _put(request: httpx.Request, header: str | None) -> bool:
    if header is not None:
        request.headers["Authorization"] = header
    return header is not None
