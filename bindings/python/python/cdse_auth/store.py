"""Token storage.

The :class:`TokenSet` holds the live credentials, and :class:`TokenStore` defines how they are persisted. The library defaults to
an in memory store so that importing and using the client never touches the filesystem.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

from ._native import FileStore, MemoryStore

if TYPE_CHECKING:
    from pathlib import Path

    from ._token_set import TokenSet

__all__ = ["FileTokenStore", "MemoryTokenStore", "TokenSet", "TokenStore"]

_Fields = tuple[str, float, "str | None", "float | None"]


def __getattr__(name: str) -> Any:
    # It brings pydantic with it, which takes longer to import than all the rest.
    if name == "TokenSet":
        from ._token_set import TokenSet

        globals()[name] = TokenSet
        return TokenSet
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


class TokenStore(ABC):
    """Abstract storage for a :class:`TokenSet`.

    A subclass is called on any thread, by one at a time for each manager. What :meth:`load` raises reaches the caller; a
    :meth:`save` that raises causes a warning, and the token is used.
    """

    @abstractmethod
    def load(self) -> TokenSet | None:
        """Return the stored tokens, or ``None`` when nothing is stored."""

    @abstractmethod
    def save(self, tokens: TokenSet) -> None:
        """Persist the given tokens, replacing anything stored before."""

    @abstractmethod
    def clear(self) -> None:
        """Remove any stored tokens."""


class _NativeStore(TokenStore):
    """A store of the library's own."""

    _store: FileStore | MemoryStore

    @property
    def _native_store(self) -> FileStore | MemoryStore | None:
        """What a manager uses in place of the methods, unless a subclass of the package's own stores overrides one."""
        own = next(kind for kind in type(self).__mro__ if kind.__module__ == __name__)
        methods = ("load", "save", "clear")
        return self._store if all(getattr(type(self), name) is getattr(own, name) for name in methods) else None

    def load(self) -> TokenSet | None:
        """Return the stored tokens, or ``None`` when nothing is stored."""
        fields = self._store.load()
        return None if fields is None else _tokens(fields)

    def save(self, tokens: TokenSet) -> None:
        """Persist the given tokens, replacing anything stored before."""
        refresh_expiry = None if tokens.refresh_expiry is None else tokens.refresh_expiry.timestamp()
        self._store.save((tokens.access_token, tokens.access_expiry.timestamp(), tokens.refresh_token, refresh_expiry))

    def clear(self) -> None:
        """Remove any stored tokens."""
        self._store.clear()


class MemoryTokenStore(_NativeStore):
    """Keep tokens in memory for the lifetime of the process.

    A process that is forked begins with an empty one: a refresh token may work only once, and its parent will use it.
    """

    def __init__(self) -> None:
        self._store = MemoryStore()

    def __reduce__(self) -> Any:
        raise TypeError(
            "a MemoryTokenStore belongs to its process and cannot be sent to another one; "
            "use a FileTokenStore, which processes share"
        )


class FileTokenStore(_NativeStore):
    """Persist tokens to a JSON file with owner only permissions.

    This lets a command line login survive across separate process invocations. The file is written with mode ``0o600`` so that
    other users cannot read the stored tokens. Any number of processes can share it: when the token ends, one of them renews it.
    It can be pickled, and used after a fork.

    Parameters:
        path: The file. Its folder is made when the first token is saved.
    """

    def __init__(self, path: Path) -> None:
        # Of what this package needs, the largest part that most programs have no use for.
        from pathlib import Path

        self._path = Path(path)
        self._store = FileStore(self._path)

    @property
    def path(self) -> Path:
        """Where the file is."""
        return self._path

    def load(self) -> TokenSet | None:
        """Return the stored tokens, or ``None`` when nothing is stored or the file cannot be used."""
        try:
            return super().load()
        except (OSError, ValueError):
            return None

    def __reduce__(self) -> tuple[type[FileTokenStore], tuple[Path]]:
        return type(self), (self._path,)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self._path)!r})"


def _tokens(fields: _Fields) -> TokenSet:
    from datetime import datetime, timezone

    from ._token_set import TokenSet

    access, end, refresh, refresh_end = fields
    return TokenSet(
        access_token=access,
        access_expiry=datetime.fromtimestamp(end, timezone.utc),
        refresh_token=refresh,
        refresh_expiry=None if refresh_end is None else datetime.fromtimestamp(refresh_end, timezone.utc),
    )
