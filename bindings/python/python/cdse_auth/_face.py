"""What all faces of other libraries share: who may get a token, and the header that follows a refusal."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import ip_address
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from .exceptions import AuthError

if TYPE_CHECKING:
    from .manager import TokenManager

#: CDSE's domain: a token goes to its hosts, and to those that the caller names.
_DOMAIN = "dataspace.copernicus.eu"
_PORTS = {"https": 443, "http": 80}


class Face:
    """Give the requests of another library a token.

    A token goes to the hosts of CDSE (``*.dataspace.copernicus.eu``) and to those in ``hosts``, over https; over http
    only to this machine, and only if it is named. Any other request goes without one, and so does a redirect to
    such a host.

    As safe in threads, tasks and forked processes as its manager.

    Parameters:
        manager: Where the token comes from.
        hosts: Further hosts that may have it, such as ``"proxy.example.org"`` or ``"127.0.0.1:8080"``. Without a port
            the default one is meant.

    Raises:
        ValueError: One of ``hosts`` is not a host.
    """

    def __init__(self, manager: TokenManager, *, hosts: Iterable[str] = ()) -> None:
        self._manager = manager
        self._hosts = frozenset(_host(name) for name in ([hosts] if isinstance(hosts, str) else hosts))

    def _admits(self, scheme: str, host: str | None, port: int | None) -> bool:
        """Return whether a request to this address may carry a token."""
        host, default = (host or "").lower(), _PORTS.get(scheme)
        is_default = port in (None, default)
        names = {(host, None), (host, default)} if is_default else {(host, port)}
        is_named = not names.isdisjoint(self._hosts)
        if scheme == "https":
            return is_named or (is_default and f".{host}".endswith(f".{_DOMAIN}"))
        return scheme == "http" and is_named and _is_loopback(host)

    def _header(self, refused: str | None) -> str | None:
        """Return a header; after a refusal another one, or ``None`` where a new token was refused, too."""
        if refused is None:
            return self._manager.authorization_header()
        try:
            return self._manager.refuse(refused)
        except AuthError as error:
            if _is_final(error):
                return None
            raise

    async def _header_async(self, refused: str | None) -> str | None:
        if refused is None:
            return await self._manager.authorization_header_async()
        try:
            return await self._manager.refuse_async(refused)
        except AuthError as error:
            if _is_final(error):
                return None
            raise


def _is_final(error: AuthError) -> bool:
    # What the service answered says more than that it keeps refusing.
    return error.code == "still_refused"


def _host(name: str) -> tuple[str, int | None]:
    error = ValueError(f"{name!r} is not a host; name one as in 'proxy.example.org' or '127.0.0.1:8080'")
    try:
        parts = urlsplit(f"//{name}")
        host, port = parts.hostname, parts.port
    except ValueError:
        raise error from None
    if not host or parts.netloc != name or "@" in name:
        raise error
    return host, port


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
