"""For aiohttp: ``aiohttp.ClientSession(middlewares=[CdseAuth(manager)])``."""

from __future__ import annotations

from http import HTTPStatus

from aiohttp import ClientHandlerType, ClientRequest, ClientResponse
from aiohttp.hdrs import AUTHORIZATION

from ._face import Face

__all__ = ["CdseAuth"]


class CdseAuth(Face):
    __doc__ = Face.__doc__

    async def __call__(self, request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
        """Send the request with a token, and once more with another one if the service refuses it.

        aiohttp calls this for each request of a chain of redirects.
        """
        if not self._admits(request.url.scheme, request.url.host, request.url.port):
            return await handler(request)
        header = await self._header_async(None)
        if header is None:
            return await handler(request)
        request.headers[AUTHORIZATION] = header
        response = await handler(request)
        if response.status != HTTPStatus.UNAUTHORIZED:
            return response
        other = await self._header_async(header)
        # The body of a generator is gone once it is sent.
        if other is None or getattr(request.body, "consumed", False):
            return response
        response.release()
        request.headers[AUTHORIZATION] = other
        return await handler(request)
