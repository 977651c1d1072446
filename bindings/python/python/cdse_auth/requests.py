"""For requests: ``requests.get(url, auth=CdseAuth(manager))``, or as the ``auth`` of a session."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.auth import AuthBase
from requests.utils import rewind_body

from ._face import Face

__all__ = ["CdseAuth"]

# A chain of redirects has left the token behind, and then the token is refused.
_REPEATS = 2


class CdseAuth(Face, AuthBase):
    __doc__ = Face.__doc__

    #: What stands before the token.
    _prefix = "Bearer "

    def __call__(self, r: requests.PreparedRequest) -> requests.PreparedRequest:
        """Give the request a token, and let it be sent again with another one if the service refuses it."""
        if self._admits_url(r.url):
            self._put(r, self._header(None))
        r.hooks["response"].append(self._answered)
        return r

    def _answered(self, response: requests.Response, **settings: Any) -> requests.Response:
        """The hook: requests calls it for each response, those with redirects and those that follow them, too."""
        for _ in range(_REPEATS):
            if not self._is_refusal(response) or not self._admits_url(response.request.url):
                break
            refused = self._token_of(response.request)
            request = response.request.copy()
            if not self._put(request, self._header(refused)) or not _rewind(request):
                break
            # Takes the connection back into the pool.
            _ = response.content
            response.close()
            repeated: requests.Response = response.connection.send(request, **settings)
            repeated.history.append(response)
            repeated.request = request
            response = repeated
            if refused is not None:
                break
        return response

    def _is_refusal(self, response: requests.Response) -> bool:
        return response.status_code == HTTPStatus.UNAUTHORIZED

    def _admits_url(self, url: str | None) -> bool:
        parts = urlsplit(url or "")
        return self._admits(parts.scheme, parts.hostname, parts.port)

    def _put(self, request: requests.PreparedRequest, header: str | None) -> bool:
        if header is not None:
            request.headers["Authorization"] = _Hidden(self._prefix + header.removeprefix("Bearer "))
        return header is not None

    def _token_of(self, request: requests.PreparedRequest) -> str | None:
        value = request.headers.get("Authorization")
        if not isinstance(value, str) or not value.startswith(self._prefix):
            return None
        return "Bearer " + value.removeprefix(self._prefix)


class _Hidden(str):
    """A header value: what is built on requests likes to log all headers of a request."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'Bearer ...'"


def _rewind(request: requests.PreparedRequest) -> bool:
    """Return whether the body can be sent again, and do what it takes."""
    if request.body is None or isinstance(request.body, (str, bytes)):
        return True
    if not isinstance(getattr(request, "_body_position", None), int):
        return False
    rewind_body(request)
    return True
