"""Token management."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ._native import Core, Pending
from .store import MemoryTokenStore

if TYPE_CHECKING:
    import asyncio

    from httpx import Client

    from ._status import Status
    from .providers import AuthProvider
    from .store import TokenStore

__all__ = ["Status", "TokenManager", "default_manager"]


def __getattr__(name: str) -> Any:
    # Of the standard library, dataclasses take longest to import.
    if name == "Status":
        from ._status import Status

        globals()[name] = Status
        return Status
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


class TokenManager:
    """Obtain and keep an access token valid for the configured provider.

    Thread-safe, and safe in tasks: any number of them cause one request when the token ends. A renewal runs on a thread of the
    library, begins before the token ends, and is saved even if its caller is gone (Ctrl-C, a cancelled task).

    Fork-safe: the child shares the file of a :class:`~cdse_auth.store.FileTokenStore`, or opens a session of its own where the
    session was in memory. Pickled with a store that can be, it goes to other processes.

    Parameters:
        provider: How the first token is obtained. It is read at the first use.
        http: The client that sends the requests, without its own ``auth``, and following no redirect; ``None`` for the
            library's own, which needs no Python while it waits.
        token_url: The token endpoint: https, or this machine itself.
        store: Where the session is kept. Defaults to the memory of this process.
        expiry_skew: How many seconds before its end a token counts as ended, at most a quarter of its life.
    """

    def __init__(
        self,
        provider: AuthProvider,
        *,
        http: Client | None,
        token_url: str,
        store: TokenStore | None = None,
        expiry_skew: float = 30.0,
    ) -> None:
        store = MemoryTokenStore() if store is None else store
        self._made_by: Callable[[], TokenManager] | None = None
        self._arguments = (provider, token_url, store, expiry_skew)
        self._set_core(Core(provider, http, token_url, store, expiry_skew))

    # Type checkers see what it takes; the signature is that of the interface page.
    __init__.__annotations__["http"] = "Client"

    def _set_core(self, core: Core) -> None:
        self._core = core
        # One look-up less on the way to a fresh header.
        self._header = core.header

    def authorization_header(self) -> str:
        """Return a valid ``Authorization`` header value, refreshing if needed.

        Returns:
            ``Bearer`` and the token. While it is fresh this waits for nothing.

        Raises:
            AuthError: No token could be obtained; never while one is valid. The message says what to do.
        """
        return self._header()

    def force_refresh(self) -> str:
        """Force a token renewal, used after an unexpected ``401`` response.

        It asks for a newer token than the one that this thread or task was given last: of any number of callers whose token
        was refused, one causes a renewal.

        Returns:
            ``Bearer`` and the new token.

        Raises:
            AuthError: The renewal failed. A token that is still valid stays in use.
        """
        return self._core.force_refresh()

    def clear(self) -> None:
        """Discard any cached tokens.

        The session at the service is not ended: :meth:`logout` does that.

        Raises:
            AuthError: The store could not be cleared.
        """
        self._core.clear()

    def header_for(self, min_validity: float) -> str:
        """Return a header whose token is valid for some time yet.

        Parameters:
            min_validity: For how many seconds at least; at most as long as new tokens live.

        Raises:
            AuthError: The token is valid for less and cannot be renewed.
            ValueError: ``min_validity`` is negative.
        """
        return self._core.header_for(min_validity)

    def refuse(self, header: str) -> str:
        """Return another header than the one that a service answered with ``401``.

        Where another caller has renewed the token already, this causes no request.

        Parameters:
            header: The header that was sent.

        Raises:
            AuthError: There is no other one. ``code`` is ``still_refused`` where the refused token had just replaced another
                refused one.
        """
        return self._core.refuse(header)

    def logout(self) -> None:
        """End the session at the identity service and remove it here.

        Raises:
            AuthError: The service could not be reached: what was stored here is removed all the same.
        """
        self._core.logout()

    def status(self) -> Status:
        """Return what is known of the session, without a request."""
        from datetime import datetime, timezone

        from ._status import Status

        def moment(seconds: float | None) -> datetime | None:
            return None if seconds is None else datetime.fromtimestamp(seconds, timezone.utc)

        known = self._core.status()
        known["access_expiry"] = moment(known["access_expiry"])
        known["session_expiry"] = moment(known["session_expiry"])
        return Status(**known)

    async def authorization_header_async(self) -> str:
        """Do as :meth:`authorization_header` does, without blocking the event loop.

        A task that is cancelled loses nothing: the renewal goes on and is saved.

        Raises:
            AuthError: As there.
        """
        header = self._core.fresh()
        if header is not None:
            return header
        return await _result(self._core.start_header())

    async def force_refresh_async(self) -> str:
        """Do as :meth:`force_refresh` does, without blocking the event loop.

        Raises:
            AuthError: As there.
        """
        return await _result(self._core.start_force_refresh())

    async def header_for_async(self, min_validity: float) -> str:
        """Do as :meth:`header_for` does, without blocking the event loop.

        Parameters:
            min_validity: As there.

        Raises:
            AuthError: As there.
            ValueError: As there.
        """
        return await _result(self._core.start_header_for(min_validity))

    async def refuse_async(self, header: str) -> str:
        """Do as :meth:`refuse` does, without blocking the event loop.

        Parameters:
            header: The header that was sent.

        Raises:
            AuthError: As there.
        """
        return await _result(self._core.start_refuse(header))

    def __reduce__(self) -> Any:
        """For another process: with the library's own HTTP client there, for a client belongs to its process."""
        if self._made_by is not None:
            return self._made_by, ()
        more = {name: value for name, value in vars(self).items() if name not in _OWN}
        return _rebuilt, (type(self), *self._arguments), more

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self._arguments[0]!r}>" if self._made_by is None else "<TokenManager>"


#: What a manager makes anew in another process; a subclass may have more.
_OWN = frozenset({"_made_by", "_arguments", "_core", "_header"})


def _rebuilt(
    kind: type[TokenManager], provider: AuthProvider, token_url: str, store: TokenStore, skew: float
) -> TokenManager:
    # A subclass may have other parameters; what it has set is set again.
    manager = kind.__new__(kind)
    TokenManager.__init__(manager, provider, http=None, token_url=token_url, store=store, expiry_skew=skew)
    return manager


class _DefaultManager:
    """Makes the manager of a profile; it can be sent to another process."""

    def __init__(self, profile: str | None) -> None:
        self.profile = profile

    def __call__(self) -> TokenManager:
        manager = TokenManager.__new__(TokenManager)
        manager._made_by = self
        manager._arguments = ()  # type: ignore[assignment]
        manager._set_core(Core.default(self.profile))
        return manager


def default_manager(profile: str | None = None) -> TokenManager:
    """Return the manager that the command line would use: of the variables ``CDSE_*``, or else of a profile's login.

    ``cdse-auth auth login`` once, then this anywhere: the session is shared with the command line and with every other program.

    Parameters:
        profile: A profile by its name, in place of the one that is in use.

    Raises:
        NotLoggedInError: There is no login; the message says where it was looked.
        AuthError: A variable or a stored file cannot be used; the message names it.
        ValueError: ``profile`` is not a name.
    """
    return _DefaultManager(profile)()


async def _result(pending: Pending) -> str:
    # Whoever is here has imported it; it takes longer to import than all the rest.
    import asyncio

    loop = asyncio.get_running_loop()
    while True:
        woken: asyncio.Future[None] = loop.create_future()
        value = pending.poll(_Waking(loop, woken))
        if value is not None:
            return value[0]
        await woken


class _Waking:
    """Wakes a task, from any thread."""

    __slots__ = ("_loop", "_woken")

    def __init__(self, loop: asyncio.AbstractEventLoop, woken: asyncio.Future[None]) -> None:
        self._loop = loop
        self._woken = woken

    def __call__(self) -> None:
        self._loop.call_soon_threadsafe(self._wake)

    def _wake(self) -> None:
        if not self._woken.done():
            self._woken.set_result(None)
