"""One request by the program's own HTTP client: what came, or what it raised and whether anything had left."""

from __future__ import annotations

import sys
import time
from typing import Any

Sent = tuple[int, list[tuple[str, str]], bytes, "BaseException | None", bool]

#: An answer of the identity service is some kilobytes; what is longer is not one.
_LARGEST = 1 << 20


def send(client: Any, method: str, url: str, headers: dict[str, str], body: bytes, timeout: float) -> Sent:
    """Send one request, with neither the client's own credentials nor its redirects: its ``auth`` may be our own manager.

    Raises:
        Exception: The client cannot be used; nothing was sent, and another try would end in the same way.
    """
    httpx = sys.modules.get("httpx")
    if httpx is None or not isinstance(client, httpx.Client):
        raise TypeError(f"http must be an httpx.Client or None, not {type(client).__name__}")
    if client.is_closed:
        raise RuntimeError("the httpx.Client of the token manager is closed; keep it open while the manager is used")
    limits = httpx.Timeout(timeout, connect=min(5.0, timeout / 2))
    request = client.build_request(method, url, headers=headers, content=body, timeout=limits)
    if "authorization" not in headers:
        # One of the client's own.
        request.headers.pop("authorization", None)
    end = time.monotonic() + timeout
    try:
        response = client.send(request, auth=None, follow_redirects=False, stream=True)
        try:
            content = _read(response, end)
        finally:
            response.close()
        return response.status_code, list(response.headers.items()), content, None, True
    except httpx.HTTPStatusError as error:
        # An event hook of the program's has raised for an answer that came.
        response = error.response
        content = response.content if response.is_closed and hasattr(response, "_content") else b""
        return response.status_code, list(response.headers.items()), content, None, True
    except BaseException as error:
        return 0, [], b"", error, not isinstance(error, _unsent(httpx))


def _read(response: Any, end: float) -> bytes:
    """The body, as far as it can be an answer. The client's own limit is for each read, not for all of them."""
    content = bytearray()
    for chunk in response.iter_bytes():
        content += chunk
        if len(content) > _LARGEST:
            break
        if time.monotonic() > end:
            raise TimeoutError("the answer took too long")
    return bytes(content)


def _unsent(httpx: Any) -> tuple[type[BaseException], ...]:
    return httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol, httpx.ProxyError
