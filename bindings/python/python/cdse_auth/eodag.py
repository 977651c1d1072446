"""For eodag: the authentication plugin ``CdseAuth``, which eodag finds by itself once this package is installed.

.. code-block:: yaml

    cop_dataspace:
        auth:
            type: CdseAuth
            profile: work                       # optional: a profile of the command line
            hosts: ["127.0.0.1:8080"]           # optional: further hosts that may have a token
"""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING

from eodag.plugins.authentication.base import Authentication
from eodag.utils.exceptions import AuthenticationError, MisconfiguredError

from .exceptions import AuthError
from .manager import default_manager
from .requests import CdseAuth as _CdseAuth

if TYPE_CHECKING:
    from .manager import TokenManager

__all__ = ["CdseAuth"]

_managers: dict[str | None, TokenManager] = {}
_lock = Lock()


class CdseAuth(Authentication):
    """Authenticate by the login of the command line; see :func:`cdse_auth.default_manager`."""

    def authenticate(self) -> _CdseAuth:
        """Return what gives requests to CDSE, and to the ``hosts`` of the configuration, a token.

        Raises:
            AuthenticationError: There is no login; the message says where it was looked.
            MisconfiguredError: The configuration names a profile or a host that is none.
        """
        try:
            return _CdseAuth(_manager(getattr(self.config, "profile", None)), hosts=getattr(self.config, "hosts", ()))
        except AuthError as error:
            raise AuthenticationError(str(error)) from error
        except ValueError as error:
            raise MisconfiguredError(str(error)) from error


def _manager(profile: str | None) -> TokenManager:
    """All plugins share one session."""
    with _lock:
        if profile not in _managers:
            _managers[profile] = default_manager(profile)
        return _managers[profile]
