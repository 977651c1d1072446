"""What this package raises.

Where the package ``cdse`` is imported too, its exceptions of the same names are raised at once: an ``except`` clause fits either
way. What a provider or a store of yours raises reaches the caller as it is.
"""

from __future__ import annotations

import sys
from typing import Any

__all__ = [
    "AuthError",
    "CdseError",
    "NotLoggedInError",
    "ReauthRequiredError",
    "SessionEndedError",
    "TokenRefreshError",
]


class CdseError(Exception):
    """Base class of all errors."""


class AuthError(CdseError):
    """No token could be obtained. The message says what happened and what to do."""

    #: The kind of the error in one word, as the command line's ``--json`` has it.
    code: str = ""
    #: Whether waiting helps.
    is_transient: bool = False


class TokenRefreshError(AuthError):
    """The identity service refused: the credentials, the client, or for now everybody."""


class ReauthRequiredError(AuthError):
    """There is no session, and none can be opened without new credentials."""


class SessionEndedError(ReauthRequiredError, TokenRefreshError):
    """The session has ended, or the service does not know it any more."""


class NotLoggedInError(ReauthRequiredError):
    """Nobody has logged in: the message says where it was looked."""


#: The classes of both packages, by the classes of ``cdse`` that were there: a test may import it anew.
_both: dict[tuple[str, type], type[AuthError]] = {}
_THEIRS = {
    "NotLoggedInError": ("ReauthRequiredError",),
    "SessionEndedError": ("ReauthRequiredError", "TokenRefreshError"),
}


def _class(name: str) -> type[AuthError]:
    ours: type[AuthError] = globals()[name]
    theirs = sys.modules.get("cdse.exceptions")
    if theirs is None:
        return ours
    bases: tuple[Any, ...] = tuple(getattr(theirs, base, None) for base in _THEIRS.get(name, (name,)))
    if not all(isinstance(base, type) and issubclass(base, Exception) for base in bases):
        # Another package of that name.
        return ours
    key = (name, bases[0])
    if key not in _both:

        def reduce(self: AuthError) -> tuple[Any, ...]:
            # Pickle looks for a class by its name, and finds ours alone.
            return _made, (name, str(self), self.code, self.is_transient)

        members = {"__module__": __name__, "__doc__": ours.__doc__, "__reduce__": reduce}
        _both[key] = type(name, (ours, *bases), members)
    return _both[key]


def _made(name: str, message: str, code: str, is_transient: bool) -> AuthError:
    # The package's program is called so; `cdse` belongs to another package.
    error = _class(name)(message.replace("cdse auth ", "cdse-auth auth "))
    error.code = code
    error.is_transient = is_transient
    return error
