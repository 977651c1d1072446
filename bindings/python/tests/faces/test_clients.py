"""Each library against a service that knows the sandbox's tokens, and a stranger."""

from __future__ import annotations

import importlib
import pickle
from collections.abc import Callable
from pathlib import Path

import pytest
from service import Redirect, Service, needs
from support import PASSWORD, USER, Sandbox

from cdse_auth import FileTokenStore, PasswordAuth, TokenManager

from .clients import CLIENTS, Fetch

OPENEO_ROOT = {"api_version": "1.2.0", "backend_version": "1", "stac_version": "1.0.0", "endpoints": [], "links": []}


@pytest.fixture(params=CLIENTS)
def name(request: pytest.FixtureRequest) -> str:
    needs(*CLIENTS[request.param][0], whole_module=False)
    return request.param


@pytest.fixture
def fetch(name: str) -> Fetch:
    return CLIENTS[name][1]


@pytest.fixture
def services(name: str, offer: Callable[..., Service]) -> Callable[[Sandbox | None], Service]:
    """Services of the kind that the library talks to."""

    def start(sandbox: Sandbox | None) -> Service:
        service = offer(sandbox, is_openeo=name == "openeo")
        service.open.update({"/": OPENEO_ROOT, "/.well-known/openeo": {"versions": []}})
        return service

    return start


@pytest.fixture
def service(services: Callable[..., Service], sandbox: Sandbox) -> Service:
    return services(sandbox)


@pytest.fixture
def stranger(services: Callable[..., Service]) -> Service:
    return services(None)


def header(name: str, manager: TokenManager) -> str:
    """What a request of this library has for authorization."""
    text = manager.authorization_header()
    return text.replace("Bearer ", "Bearer oidc/CDSE/") if name == "openeo" else text


def test_py7_the_first_request_has_a_token(
    fetch: Fetch, service: Service, sandbox: Sandbox, manager: TokenManager
) -> None:
    for _ in range(2):
        assert fetch(manager, [service.host], f"{service.url}/product") == (200, b"a product")
    assert None not in service.tokens("/product")
    assert sandbox.counters["token_requests"] == 1


def test_py7_a_token_that_has_ended_for_the_service_is_renewed(
    fetch: Fetch, service: Service, sandbox: Sandbox, manager: TokenManager
) -> None:
    manager.authorization_header()
    sandbox.ask("advance", {"seconds": 700})
    assert fetch(manager, [service.host], f"{service.url}/product") == (200, b"a product")
    assert sandbox.counters["token_requests"] == 2


def test_py7_a_refused_token_is_replaced_once(
    name: str, fetch: Fetch, service: Service, sandbox: Sandbox, manager: TokenManager
) -> None:
    refused = header(name, manager)
    service.refused.add(refused)
    assert fetch(manager, [service.host], f"{service.url}/product") == (200, b"a product")
    assert service.tokens("/product")[:2] == [refused, header(name, manager)]
    assert sandbox.counters["token_requests"] == 2


def test_py7_a_service_that_refuses_every_token_has_the_last_word(
    name: str, fetch: Fetch, services: Callable[..., Service], sandbox: Sandbox, manager: TokenManager
) -> None:
    service = services(None)
    for _ in range(3):
        assert fetch(manager, [service.host], f"{service.url}/product")[0] == (403 if name == "openeo" else 401)
    # The session is not used up by it, whatever the number of requests.
    assert sandbox.counters["token_requests"] == 2


def test_py7_a_redirect_takes_no_token_to_a_stranger(
    fetch: Fetch, service: Service, stranger: Service, manager: TokenManager
) -> None:
    service.answers["/away"] = Redirect(f"{stranger.url}/product")
    assert fetch(manager, [service.host], f"{service.url}/away")[0] == 401
    assert None not in service.tokens("/away")
    assert stranger.tokens("/product")
    assert {seen.authorization for seen in stranger.seen} == {None}


def test_py7_a_redirect_after_a_refusal_takes_no_token_to_a_stranger(
    name: str, fetch: Fetch, service: Service, stranger: Service, manager: TokenManager
) -> None:
    service.answers["/away"] = Redirect(f"{stranger.url}/product", status=307)
    service.refused.add(header(name, manager))
    assert fetch(manager, [service.host], f"{service.url}/away")[0] == 401
    assert len(set(service.tokens("/away"))) == 2
    assert stranger.tokens("/product")
    assert {seen.authorization for seen in stranger.seen} == {None}


def test_py7_a_redirect_to_another_host_of_the_services_is_followed_with_a_token(
    name: str, fetch: Fetch, service: Service, services: Callable[..., Service], sandbox: Sandbox, manager: TokenManager
) -> None:
    other = services(sandbox)
    other.refused.add(header(name, manager))
    service.answers["/moved"] = Redirect(f"{other.url}/product")
    assert fetch(manager, [service.host, other.host], f"{service.url}/moved") == (200, b"a product")
    assert sandbox.counters["token_requests"] == 2


def test_py7_a_host_that_nobody_named_gets_no_token(
    fetch: Fetch, service: Service, sandbox: Sandbox, manager: TokenManager
) -> None:
    for hosts in ([], ["127.0.0.1"], ["127.0.0.1:1"], [service.host.replace("127.0.0.1", "localhost")]):
        assert fetch(manager, hosts, f"{service.url}/product")[0] == 401
    assert {seen.authorization for seen in service.seen} == {None}
    assert sandbox.counters["token_requests"] == 0


def test_py7_a_login_that_fails_says_what_to_do(fetch: Fetch, service: Service, sandbox: Sandbox) -> None:
    wrong = PasswordAuth(USER, "wrong")
    manager = TokenManager(wrong, http=None, token_url=sandbox.token_url)  # type: ignore[arg-type]
    with pytest.raises(Exception) as raised:  # noqa: PT011
        fetch(manager, [service.host], f"{service.url}/product")
    # fsspec and pystac-client make an error of their own of everything.
    said = f"{raised.value} {raised.value.__cause__}"
    assert "wrong user name, password or one-time code" in said
    assert service.tokens("/product") == []


@pytest.mark.parametrize("module", ["httpx", "requests", "aiohttp", "openeo"])
def test_py7_what_has_a_stored_session_can_be_sent_to_a_worker(module: str, sandbox: Sandbox, home: Path) -> None:
    needs(module, whole_module=False)
    kind = importlib.import_module(f"cdse_auth.{module}").CdseAuth
    store = FileTokenStore(home / "session.json")
    provider = PasswordAuth(USER, PASSWORD)
    manager = TokenManager(provider, http=None, token_url=sandbox.token_url, store=store)  # type: ignore[arg-type]
    auth = kind(manager, hosts=["127.0.0.1:1"])
    sent = pickle.loads(pickle.dumps(auth))
    assert sent._header(None) == auth._header(None)
    assert sent._admits("http", "127.0.0.1", 1)
    assert sandbox.counters["token_requests"] == 1
