"""The interface page, item by item."""

from __future__ import annotations

import inspect
import json
import os
import stat
from datetime import datetime, timedelta, timezone
from pathlib import Path

import httpx
import pydantic
import pytest
from support import MFA, PASSWORD, TOTP_SECRET, USER, Sandbox

from cdse_auth import TotpSecret
from cdse_auth.exceptions import AuthError, ReauthRequiredError, TokenRefreshError
from cdse_auth.manager import TokenManager
from cdse_auth.providers import AuthProvider, ClientCredentialsAuth, PasswordAuth, RefreshTokenAuth
from cdse_auth.store import FileTokenStore, MemoryTokenStore, TokenSet, TokenStore

NOW = datetime(2026, 1, 1, tzinfo=timezone.utc)


def tokens(access: float = 600, refresh: float | None = 3600) -> TokenSet:
    now = datetime.now(timezone.utc)
    return TokenSet(
        access_token="an-access-token",
        access_expiry=now + timedelta(seconds=access),
        refresh_token=None if refresh is None else "a-refresh-token",
        refresh_expiry=None if refresh is None else now + timedelta(seconds=refresh),
    )


@pytest.mark.parametrize(
    ("what", "signature"),
    [
        (AuthProvider.grant_data, "(self) -> 'dict[str, str]'"),
        (
            PasswordAuth,
            "(username: 'str', password: 'str', *, totp: 'str | None' = None, client_id: 'str' = 'cdse-public') -> 'None'",
        ),
        (RefreshTokenAuth, "(refresh_token: 'str', *, client_id: 'str' = 'cdse-public') -> 'None'"),
        (ClientCredentialsAuth, "(client_id: 'str', client_secret: 'str') -> 'None'"),
        (
            TokenManager,
            "(provider: 'AuthProvider', *, http: 'Client', token_url: 'str', store: 'TokenStore | None' = None,"
            " expiry_skew: 'float' = 30.0) -> 'None'",
        ),
        (TokenManager.authorization_header, "(self) -> 'str'"),
        (TokenManager.force_refresh, "(self) -> 'str'"),
        (TokenManager.clear, "(self) -> 'None'"),
        (TokenSet.access_valid, "(self, skew: 'float' = 0.0) -> 'bool'"),
        (TokenSet.refresh_valid, "(self, skew: 'float' = 0.0) -> 'bool'"),
        (TokenStore.load, "(self) -> 'TokenSet | None'"),
        (TokenStore.save, "(self, tokens: 'TokenSet') -> 'None'"),
        (TokenStore.clear, "(self) -> 'None'"),
        (MemoryTokenStore, "() -> 'None'"),
        (FileTokenStore, "(path: 'Path') -> 'None'"),
    ],
)
def test_py1_signatures_are_those_of_the_page(what: object, signature: str) -> None:
    assert str(inspect.signature(what)) == signature  # type: ignore[arg-type]
    assert inspect.getdoc(what)


def test_py1_bases_are_those_of_the_page() -> None:
    for abstract, method in ((AuthProvider, "grant_data"), (TokenStore, "load")):
        assert inspect.isabstract(abstract)
        assert getattr(abstract, method).__isabstractmethod__
    assert all(issubclass(kind, AuthProvider) for kind in (PasswordAuth, RefreshTokenAuth, ClientCredentialsAuth))
    assert all(issubclass(kind, TokenStore) for kind in (MemoryTokenStore, FileTokenStore))
    assert issubclass(TokenSet, pydantic.BaseModel)
    assert isinstance(TokenSet.authorization_header, property)


def test_py1_a_provider_only_supplies_the_fields() -> None:
    form = PasswordAuth("me", "pw", totp="123456").grant_data()
    assert form == {
        "client_id": "cdse-public",
        "grant_type": "password",
        "username": "me",
        "password": "pw",
        "totp": "123456",
    }
    assert "totp" not in PasswordAuth("me", "pw").grant_data()
    form = RefreshTokenAuth("r", client_id="other").grant_data()
    assert form == {"client_id": "other", "grant_type": "refresh_token", "refresh_token": "r"}
    form = ClientCredentialsAuth("c", "s").grant_data()
    assert form == {"client_id": "c", "client_secret": "s", "grant_type": "client_credentials"}
    assert [p.can_reauthenticate for p in (PasswordAuth, RefreshTokenAuth, ClientCredentialsAuth)] == [
        True,
        False,
        True,
    ]


def test_py1_a_token_set_knows_when_it_ends() -> None:
    fresh, ended = tokens(), tokens(access=-1, refresh=-1)
    assert fresh.authorization_header == "Bearer an-access-token"
    assert (fresh.access_valid(), fresh.access_valid(skew=601), ended.access_valid()) == (True, False, False)
    assert (fresh.refresh_valid(), fresh.refresh_valid(skew=3601), ended.refresh_valid()) == (True, False, False)
    assert not tokens(refresh=None).refresh_valid()


def test_py1_a_header_is_obtained_once_and_refreshed_on_demand(sandbox: Sandbox, manager: TokenManager) -> None:
    header = manager.authorization_header()
    assert header.startswith("Bearer ")
    assert manager.authorization_header() is header
    assert sandbox.accepts(header)
    other = manager.force_refresh()
    assert other != header
    assert manager.authorization_header() == other
    counters = sandbox.counters
    assert (counters["password_grants"], counters["refresh_grants"], counters["sessions_open"]) == (1, 1, 1)


def test_py1_a_second_forced_refresh_is_one(sandbox: Sandbox, manager: TokenManager) -> None:
    headers = [manager.force_refresh() for _ in range(3)]
    assert len(set(headers)) == 3
    assert sandbox.counters["reuse_detected"] == 0


def test_py1_clear_discards_the_tokens(sandbox: Sandbox, http: httpx.Client) -> None:
    store = MemoryTokenStore()
    manager = TokenManager(PasswordAuth(USER, PASSWORD), http=http, token_url=sandbox.token_url, store=store)
    header = manager.authorization_header()
    assert store.load() is not None
    manager.clear()
    assert store.load() is None
    assert manager.authorization_header() != header
    assert sandbox.counters["password_grants"] == 2


def test_py1_each_grant_reaches_the_service(sandbox: Sandbox, http: httpx.Client) -> None:
    store = MemoryTokenStore()
    url = sandbox.token_url
    TokenManager(PasswordAuth(USER, PASSWORD), http=http, token_url=url, store=store).authorization_header()
    known = store.load()
    assert known is not None
    assert known.refresh_token is not None
    resumed = TokenManager(RefreshTokenAuth(known.refresh_token), http=http, token_url=url)
    assert sandbox.accepts(resumed.authorization_header())
    machine = TokenManager(ClientCredentialsAuth("sh-client", "sh-secret"), http=http, token_url=url)
    assert sandbox.accepts(machine.authorization_header())
    counters = sandbox.counters
    grants = ("password_grants", "refresh_grants", "client_credentials_grants")
    assert [counters[grant] for grant in grants] == [1, 1, 1]


def test_py1_a_code_is_sent_once_and_a_secret_logs_in_at_any_time(sandbox: Sandbox, http: httpx.Client) -> None:
    url = sandbox.token_url
    secret = TotpSecret(TOTP_SECRET)
    unattended = TokenManager(PasswordAuth(MFA, PASSWORD, totp=secret), http=http, token_url=url)
    assert sandbox.accepts(unattended.authorization_header())
    wrong = TokenManager(PasswordAuth(MFA, PASSWORD, totp="000000"), http=http, token_url=url)
    for _ in range(2):
        with pytest.raises(AuthError):
            wrong.authorization_header()
    assert [dict(request["form"]).get("totp") for request in sandbox.requests].count("000000") == 1


def test_py1_a_function_is_asked_for_a_code_once_per_login(sandbox: Sandbox, http: httpx.Client, program: str) -> None:
    import subprocess

    asked = []

    def ask() -> str:
        asked.append(1)
        command = [program, "sandbox", "code", MFA]
        return subprocess.run(
            command, env=sandbox.environment, check=True, capture_output=True, text=True
        ).stdout.strip()

    provider = PasswordAuth(MFA, PASSWORD, totp=ask)
    manager = TokenManager(provider, http=http, token_url=sandbox.token_url)
    manager.authorization_header()
    manager.force_refresh()
    assert len(asked) == 1


def test_py1_a_file_store_is_private_and_shared(sandbox: Sandbox, http: httpx.Client, tmp_path: Path) -> None:
    path = tmp_path / "session.json"
    first, second = (
        TokenManager(PasswordAuth(USER, PASSWORD), http=http, token_url=sandbox.token_url, store=FileTokenStore(path))
        for _ in range(2)
    )
    assert first.authorization_header() == second.authorization_header()
    assert sandbox.counters["token_requests"] == 1
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600


def test_py1_a_file_store_alone_keeps_what_it_is_given(tmp_path: Path) -> None:
    store = FileTokenStore(tmp_path / "session.json")
    assert store.load() is None
    store.save(tokens())
    again = FileTokenStore(tmp_path / "session.json").load()
    assert again is not None
    assert (again.access_token, again.refresh_token) == ("an-access-token", "a-refresh-token")
    assert abs(again.access_expiry - tokens().access_expiry) < timedelta(seconds=5)
    store.clear()
    assert store.load() is None
    (tmp_path / "session.json").write_text("{ this is no session")
    assert store.load() is None


def test_py1_a_file_that_the_package_cdse_wrote_is_read(sandbox: Sandbox, http: httpx.Client, tmp_path: Path) -> None:
    path = tmp_path / "session.json"
    text = tokens().model_dump_json()
    assert set(json.loads(text)) == {"access_token", "access_expiry", "refresh_token", "refresh_expiry", "token_type"}
    path.write_text(text)
    path.chmod(0o600)
    manager = TokenManager(
        PasswordAuth(USER, PASSWORD), http=http, token_url=sandbox.token_url, store=FileTokenStore(path)
    )
    assert manager.authorization_header() == "Bearer an-access-token"
    assert sandbox.counters["token_requests"] == 0


def test_py1_a_refresh_token_whose_session_has_ended_is_not_sent(sandbox: Sandbox, http: httpx.Client) -> None:
    store = MemoryTokenStore()
    store.save(tokens(access=-60, refresh=-1))
    manager = TokenManager(RefreshTokenAuth("a-refresh-token"), http=http, token_url=sandbox.token_url, store=store)
    with pytest.raises(ReauthRequiredError):
        manager.authorization_header()
    assert sandbox.counters["token_requests"] == 0


def test_py1_a_token_that_is_due_and_cannot_be_renewed_is_served(sandbox: Sandbox, http: httpx.Client) -> None:
    store = MemoryTokenStore()
    store.save(tokens(access=20, refresh=-1))
    manager = TokenManager(RefreshTokenAuth("a-refresh-token"), http=http, token_url=sandbox.token_url, store=store)
    assert manager.authorization_header() == "Bearer an-access-token"


def test_py1_a_refusal_of_the_service_is_told(sandbox: Sandbox, http: httpx.Client) -> None:
    manager = TokenManager(PasswordAuth(USER, "wrong"), http=http, token_url=sandbox.token_url)
    with pytest.raises(TokenRefreshError, match="wrong user name, password or one-time code"):
        manager.authorization_header()


def test_py1_no_repr_shows_a_secret(manager: TokenManager) -> None:
    manager.authorization_header()
    shown = [
        manager,
        PasswordAuth(USER, PASSWORD, totp="123456"),
        RefreshTokenAuth("a-refresh-token"),
        ClientCredentialsAuth("sh-client", "sh-secret"),
        tokens(),
        TotpSecret(TOTP_SECRET),
        manager.status(),
    ]
    for secret in (PASSWORD, "123456", "a-refresh-token", "sh-secret", "an-access-token", TOTP_SECRET, "eyJ"):
        assert secret not in repr(shown)
