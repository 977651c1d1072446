"""A login that asks, in a notebook or a terminal."""

from __future__ import annotations

import getpass

from . import _native
from .exceptions import NotLoggedInError, ReauthRequiredError, _class
from .manager import TokenManager, default_manager

__all__ = ["login"]


def login(username: str | None = None, *, profile: str | None = None) -> TokenManager:
    """Log in, if nobody is, and return the manager of the login.

    It asks for the user name, the password and, last, the one-time code, each with nothing shown but the name. The session is
    stored where the command line stores its own: every program of this user has it from then on, and a cell of a notebook that is
    run again asks nothing.

    Parameters:
        username: The user name, where it is known.
        profile: A profile by its name, in place of the one that is in use.

    Raises:
        TokenRefreshError: The service refused the user name, the password or the code.
        NotLoggedInError: There is nobody to ask.
        AuthError: The service cannot be reached, or the session cannot be stored.
        ValueError: ``profile`` is not a name.
    """
    try:
        manager = default_manager(profile)
        if username is None or manager.status().username == username:
            manager.authorization_header()
            return manager
    except ReauthRequiredError:
        pass
    try:
        name = input("CDSE user name: ") if username is None else username
        password = getpass.getpass(f"Password of {name}: ")
        code = getpass.getpass("One-time code (leave it empty if the account has none): ").strip()
    except (EOFError, OSError) as error:
        raise _nobody() from error
    except Exception as error:
        # A notebook that runs without a person at it raises a class of its own.
        if type(error).__name__ == "StdinNotImplementedError":
            raise _nobody() from error
        raise
    _native.log_in(name, password, code or None, profile)
    return default_manager(profile)


def _nobody() -> BaseException:
    kind = _class(NotLoggedInError.__name__)
    return kind("there is nobody to ask; set CDSE_USERNAME and CDSE_PASSWORD, or log in with `cdse-auth auth login`")
