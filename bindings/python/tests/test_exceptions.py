"""Exceptions: of which class, with which code, what they say, and that they are those of the package ``cdse`` too."""

from __future__ import annotations

import importlib
import pickle
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from support import PASSWORD, USER, Sandbox

from cdse_auth import AuthProvider, ClientCredentialsAuth, PasswordAuth, RefreshTokenAuth, TokenManager
from cdse_auth import exceptions as ours

SECRETS = (PASSWORD, "s3cret%21", "a-wrong-secret", "a-refresh-token")


def raised(manager: TokenManager) -> ours.AuthError:
    with pytest.raises(ours.AuthError) as info:
        manager.authorization_header()
    text = str(info.value)
    assert not any(secret in text for secret in SECRETS)
    return info.value


def of(sandbox: Sandbox, provider: AuthProvider, http: httpx.Client | None = None) -> TokenManager:
    return TokenManager(provider, http=http, token_url=sandbox.token_url)  # type: ignore[arg-type]


PERSON = PasswordAuth(USER, PASSWORD)
ANSWER = {"kind": "answer"}
JSON = [["content-type", "application/json"]]


@pytest.mark.parametrize("client", ["own", "httpx"])
@pytest.mark.parametrize(
    ("provider", "action", "kind", "code", "says"),
    [
        (PasswordAuth(USER, "a-wrong-secret"), None, ours.TokenRefreshError, "credentials_refused", "wrong user name"),
        (
            ClientCredentialsAuth("sh-client", "a-wrong-secret"),
            None,
            ours.TokenRefreshError,
            "credentials_refused",
            "check",
        ),
        (RefreshTokenAuth("a-refresh-token"), None, ours.SessionEndedError, "login_required", "log in again"),
        (
            PERSON,
            {**ANSWER, "status": 200, "body": "<html>"},
            ours.TokenRefreshError,
            "malformed_answer",
            "invalid response",
        ),
        (
            PERSON,
            {**ANSWER, "status": 302, "headers": [["location", "/"]]},
            ours.TokenRefreshError,
            "configuration",
            "302",
        ),
        (
            PERSON,
            {**ANSWER, "status": 400, "headers": JSON, "body": '{"error": "invalid_scope"}'},
            ours.TokenRefreshError,
            "configuration",
            "invalid_scope",
        ),
        (PERSON, {"kind": "reset", "processed": False}, ours.AuthError, "network", "did not come"),
    ],
)
def test_py5_each_failure_has_its_class_its_code_and_an_advice(
    sandbox: Sandbox,
    http: httpx.Client,
    client: str,
    provider: AuthProvider,
    action: Any,
    kind: type,
    code: str,
    says: str,
) -> None:
    if action is not None:
        sandbox.misbehave(action, times=100)
    if client == "own" and code == "network":
        says = "before it had answered|broke off|was lost|reset"
    error = raised(of(sandbox, provider, http if client == "httpx" else None))
    assert (type(error), error.code) == (kind, code), error
    assert error.is_transient == (code == "network")
    assert re.search(says, str(error))


def test_py5_what_the_client_raised_is_the_cause(sandbox: Sandbox, http: httpx.Client) -> None:
    sandbox.misbehave({"kind": "reset", "processed": True})
    error = raised(of(sandbox, PERSON, http))
    assert isinstance(error.__cause__, httpx.TransportError)
    assert (error.code, error.is_transient) == ("network", True)


def test_py5_what_a_provider_raises_reaches_the_caller(sandbox: Sandbox) -> None:
    class Odd(Exception):
        pass

    class Raises(AuthProvider):
        client_id, can_reauthenticate = "cdse-public", True

        def grant_data(self) -> dict[str, str]:
            raise Odd("the vault is locked")

    manager = of(sandbox, Raises())
    for _ in range(2):
        with pytest.raises(Odd, match="the vault is locked"):
            manager.authorization_header()


def test_py5_a_token_that_is_valid_is_served_although_the_service_is_down(
    sandbox: Sandbox, manager: TokenManager
) -> None:
    header = manager.authorization_header()
    refusal = {**ANSWER, "status": 400, "headers": JSON, "body": '{"error": "invalid_scope"}'}
    sandbox.misbehave(refusal, times=100)
    with pytest.raises(ours.TokenRefreshError, match="invalid_scope"):
        manager.force_refresh()
    assert manager.authorization_header() == header


def test_py5_a_service_that_is_down_is_told_once_waiting_did_not_help(sandbox: Sandbox) -> None:
    sandbox.misbehave({**ANSWER, "status": 503}, times=100)
    error = raised(of(sandbox, PERSON))
    assert (type(error), error.code, error.is_transient) == (ours.TokenRefreshError, "service_unavailable", True)
    assert sandbox.counters["token_requests"] > 1


def test_py5_classes_are_related_as_an_except_clause_expects() -> None:
    assert issubclass(ours.AuthError, ours.CdseError)
    assert issubclass(ours.TokenRefreshError, ours.AuthError)
    assert issubclass(ours.ReauthRequiredError, ours.AuthError)
    assert issubclass(ours.SessionEndedError, ours.ReauthRequiredError)
    assert issubclass(ours.SessionEndedError, ours.TokenRefreshError)
    assert issubclass(ours.NotLoggedInError, ours.ReauthRequiredError)


THEIRS = """
class CdseError(Exception): ...
class AuthError(CdseError): ...
class TokenRefreshError(AuthError): ...
class ReauthRequiredError(AuthError): ...
"""


@pytest.fixture
def theirs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A package of the other one's name, on disk, and imported."""
    (tmp_path / "cdse").mkdir()
    (tmp_path / "cdse" / "__init__.py").touch()
    (tmp_path / "cdse" / "exceptions.py").write_text(THEIRS)
    monkeypatch.syspath_prepend(tmp_path)
    yield importlib.import_module("cdse.exceptions")
    for name in ("cdse.exceptions", "cdse"):
        del sys.modules[name]


def test_py5_where_cdse_is_imported_its_except_clauses_fit_too(sandbox: Sandbox, theirs: Any) -> None:
    refused = raised(of(sandbox, PasswordAuth(USER, "a-wrong-secret")))
    assert isinstance(refused, ours.TokenRefreshError)
    assert isinstance(refused, theirs.TokenRefreshError)
    assert not isinstance(refused, theirs.ReauthRequiredError)
    assert refused.code == "credentials_refused"
    # That package calls a refused refresh token by one name, and one that is known to have ended by the other.
    over = raised(of(sandbox, RefreshTokenAuth("a-refresh-token")))
    assert isinstance(over, ours.SessionEndedError)
    assert isinstance(over, theirs.TokenRefreshError)
    assert isinstance(over, theirs.ReauthRequiredError)
    sandbox.misbehave({"kind": "reset", "processed": False})
    lost = raised(of(sandbox, PERSON))
    assert isinstance(lost, theirs.AuthError)
    assert not isinstance(lost, theirs.TokenRefreshError)


def test_py5_where_cdse_was_imported_anew_its_new_classes_count(sandbox: Sandbox, theirs: Any) -> None:
    raised(of(sandbox, PasswordAuth(USER, "a-wrong-secret")))
    del sys.modules["cdse.exceptions"]
    anew = importlib.import_module("cdse.exceptions")
    assert anew.TokenRefreshError is not theirs.TokenRefreshError
    assert isinstance(raised(of(sandbox, PasswordAuth(USER, "a-wrong-secret"))), anew.TokenRefreshError)


def test_py5_another_package_of_that_name_hides_no_error(sandbox: Sandbox, theirs: Any) -> None:
    theirs.TokenRefreshError = "a text"
    del theirs.ReauthRequiredError
    assert type(raised(of(sandbox, PasswordAuth(USER, "a-wrong-secret")))) is ours.TokenRefreshError
    assert type(raised(of(sandbox, RefreshTokenAuth("a-refresh-token")))) is ours.SessionEndedError


def test_py5_without_cdse_there_is_none_of_it(sandbox: Sandbox) -> None:
    assert "cdse" not in sys.modules
    error = raised(of(sandbox, PasswordAuth(USER, "a-wrong-secret")))
    assert {kind.__module__ for kind in type(error).__mro__} == {"cdse_auth.exceptions", "builtins"}


@pytest.mark.parametrize("both", [False, True])
def test_py5_an_exception_can_be_sent_to_another_process(
    sandbox: Sandbox, both: bool, request: pytest.FixtureRequest
) -> None:
    if both:
        request.getfixturevalue("theirs")
    error = raised(of(sandbox, PasswordAuth(USER, "a-wrong-secret")))
    again = pickle.loads(pickle.dumps(error))
    assert isinstance(again, ours.TokenRefreshError)
    assert (str(again), again.code, again.is_transient) == (str(error), error.code, error.is_transient)
