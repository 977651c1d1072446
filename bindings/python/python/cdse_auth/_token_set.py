"""The live credentials."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

from pydantic import BaseModel, Field

UTC = timezone.utc


class TokenSet(BaseModel):
    """A set of OAuth tokens together with their absolute expiry times.

    Its ``repr`` shows no token.
    """

    access_token: str = Field(repr=False)
    access_expiry: datetime
    refresh_token: str | None = Field(default=None, repr=False)
    refresh_expiry: datetime | None = None
    token_type: str = "Bearer"

    @property
    def authorization_header(self) -> str:
        """The value to send in the ``Authorization`` request header."""
        return f"{self.token_type} {self.access_token}"

    def access_valid(self, skew: float = 0.0) -> bool:
        """Return whether the access token is still usable.

        Parameters:
            skew: Treat the token as expired this many seconds early.
        """
        return datetime.now(UTC) < self.access_expiry - timedelta(seconds=skew)

    def refresh_valid(self, skew: float = 0.0) -> bool:
        """Return whether a refresh token grant can still succeed.

        Parameters:
            skew: Treat the token as expired this many seconds early.
        """
        if self.refresh_token is None or self.refresh_expiry is None:
            return False
        return datetime.now(UTC) < self.refresh_expiry - timedelta(seconds=skew)


TokenSet.__module__ = "cdse_auth.store"
