"""What is known of a session."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class Status:
    """A snapshot of a session, without secrets."""

    #: The user name, as given; ``None`` for an OAuth client.
    username: str | None
    #: The OAuth client id.
    client_id: str
    #: How the session is obtained: ``password``, ``client_credentials``, ``refresh_token`` or ``access_token``.
    grant: str
    #: Whether a caller gets a token without a login.
    logged_in: bool
    #: Whether the session can be renewed, as far as is known here.
    refreshable: bool
    #: Whether the token is being renewed.
    renewing: bool
    #: When the access token ends.
    access_expiry: datetime | None
    #: When the session ends, unless it is renewed; ``None`` where no end is known.
    session_expiry: datetime | None
    #: Why the last renewal failed, if it did.
    last_error: str | None
    #: What was noticed and is no reason to fail.
    problems: list[str]


Status.__module__ = "cdse_auth.manager"
