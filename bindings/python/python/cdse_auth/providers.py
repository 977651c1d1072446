"""Authentication providers.

A provider describes how to obtain the first token from the CDSE identity service. It does not perform any network request
itself; it only supplies the form fields for the grant. The :class:`~cdse_auth.manager.TokenManager` owns the actual exchange
and the subsequent refreshes.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable

from ._native import TotpSecret

__all__ = [
    "DEFAULT_CLIENT_ID",
    "AuthProvider",
    "ClientCredentialsAuth",
    "PasswordAuth",
    "RefreshTokenAuth",
    "TotpSecret",
]

#: The public client of the Copernicus Data Space Ecosystem.
DEFAULT_CLIENT_ID = "cdse-public"


class AuthProvider(ABC):
    """Base class for the supported OAuth grant types.

    A subclass is read once, when its manager is first used: ``client_id``, ``can_reauthenticate`` and :meth:`grant_data`. Where
    the form has a one-time code (``totp``), :meth:`grant_data` is called again for each further login, on a thread of the
    library. Its exceptions reach the caller as they are.
    """

    #: The OAuth client id.
    client_id: str
    #: Whether a new session can be opened at any time.
    can_reauthenticate: bool

    @abstractmethod
    def grant_data(self) -> dict[str, str]:
        """Return the form fields for the initial token request."""


class PasswordAuth(AuthProvider):
    """Authenticate with a username and password (resource owner grant).

    Parameters:
        username: The user name, sent as it is.
        password: The password.
        totp: The second factor, if the account has one: the digits of a code, which are sent once and within a minute; a
            :class:`TotpSecret`, with which sessions can be opened unattended; or a function that asks for the digits whenever a
            session must be opened.
        client_id: Another client than CDSE's public one.
    """

    can_reauthenticate = True

    def __init__(
        self,
        username: str,
        password: str,
        *,
        totp: str | TotpSecret | Callable[[], str] | None = None,
        client_id: str = DEFAULT_CLIENT_ID,
    ) -> None:
        self.client_id = client_id
        self._username = username
        self._password = password
        self._totp = totp

    # Type checkers see what it takes; the signature is that of the interface page.
    __init__.__annotations__["totp"] = "str | None"

    def grant_data(self) -> dict[str, str]:
        """Return the form fields for the initial token request, with the one-time code if it was given as digits."""
        form = {
            "client_id": self.client_id,
            "grant_type": "password",
            "username": self._username,
            "password": self._password,
        }
        if isinstance(self._totp, str):
            form["totp"] = self._totp
        return form

    @property
    def _parts(self) -> Callable[[], tuple[dict[str, str], str | TotpSecret | Callable[[], str] | None]] | None:
        """The form and the source of its codes, unless a subclass makes its own form."""
        if type(self).grant_data is not PasswordAuth.grant_data:
            return None
        return lambda: (self.grant_data(), self._totp)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._username!r}, ...)"


class RefreshTokenAuth(AuthProvider):
    """Authenticate with a refresh token obtained elsewhere.

    A full re authentication is not possible because the original credentials are not held, so once the refresh token expires
    the session ends.

    Parameters:
        refresh_token: The token. It is sent once; from then on the store has its successors.
        client_id: The client that the token was issued to.
    """

    can_reauthenticate = False

    def __init__(self, refresh_token: str, *, client_id: str = DEFAULT_CLIENT_ID) -> None:
        self.client_id = client_id
        self._refresh_token = refresh_token

    def grant_data(self) -> dict[str, str]:
        """Return the form fields for the initial token request."""
        return {
            "client_id": self.client_id,
            "grant_type": "refresh_token",
            "refresh_token": self._refresh_token,
        }

    def __repr__(self) -> str:
        return f"{type(self).__name__}(...)"


class ClientCredentialsAuth(AuthProvider):
    """Authenticate a registered machine client (client credentials grant).

    No refresh token is issued for this grant. When the access token expires the manager simply requests a new one, which this
    provider always can do.

    Parameters:
        client_id: The id of the client.
        client_secret: Its secret.
    """

    can_reauthenticate = True

    def __init__(self, client_id: str, client_secret: str) -> None:
        self.client_id = client_id
        self._client_secret = client_secret

    def grant_data(self) -> dict[str, str]:
        """Return the form fields for the initial token request."""
        return {
            "client_id": self.client_id,
            "client_secret": self._client_secret,
            "grant_type": "client_credentials",
        }

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.client_id!r}, ...)"
