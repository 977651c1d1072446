"""One request by the program's own HTTP client: what came, or what it raised and whether anything had left."""

from __future__ import annotations

import sys
from typing import Any

Sent = tuple[int, list[tuple[str, str]], bytes, "BaseException | None", bool]


def send(client: Any, method: str, url: str, headers: dict[str, str], body: bytes, timeout: float) -> Sent:
    """Send one request, with neither the client's own credentials nor its redirects: its ``auth`` may be our own manager."""
    httpx = sys.modules.get("httpx")
    if httpx is None or not isinstance(client, httpx.Client):
        kind = type(client).__name__
        error = TypeError(f"http must be an httpx.Client or None, not {kind}")
        return 0, [], b"", error, False
    limits = httpx.Timeout(timeout, connect=min(5.0, timeout / 2))
    try:
        request = client.build_request(method, url, headers=headers, content=body, timeout=limits)
        request.headers.pop("authorization", None) if "authorization" not in headers else None
        response = client.send(request, auth=None, follow_redirects=False)
        return response.status_code, list(response.headers.items()), response.content, None, True
    except BaseException as error:
        return 0, [], b"", error, not isinstance(error, _unsent(httpx))


def _unsent(httpx: Any) -> tuple[type[BaseException], ...]:
    return httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol, httpx.ProxyError
