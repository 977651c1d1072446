"""Providers, stores and HTTP clients that misbehave: a Python exception that says what to do, and nothing worse."""

from __future__ import annotations

import gc
import threading
import zlib
from collections.abc import Callable, Generator, Iterator
from datetime import datetime, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import product
from typing import Any

import httpx
import pytest
from support import PASSWORD, USER, Kept, Sandbox, together

from cdse_auth import AuthProvider, MemoryTokenStore, PasswordAuth, TokenManager
from cdse_auth.exceptions import AuthError, TokenRefreshError
from cdse_auth.store import TokenSet

FORM = PasswordAuth(USER, PASSWORD).grant_data()


def of(
    sandbox: Sandbox, provider: Any = None, http: Any = None, store: Any = None, url: str | None = None
) -> TokenManager:
    provider = PasswordAuth(USER, PASSWORD) if provider is None else provider
    return TokenManager(provider, http=http, token_url=url or sandbox.token_url, store=store)


def told(manager: TokenManager, kind: type[BaseException], says: str | None = None) -> BaseException:
    """What is raised. It says what is wrong, and tells no secret."""
    with pytest.raises(kind, match=says) as info:
        manager.authorization_header()
    assert PASSWORD not in str(info.value)
    assert "s3cret%21" not in str(info.value)
    return info.value


class Provider(AuthProvider):
    client_id, can_reauthenticate = "cdse-public", True

    def __init__(self, form: Any) -> None:
        self.form = form

    def grant_data(self) -> dict[str, str]:
        return self.form() if callable(self.form) else self.form  # type: ignore[no-any-return]


# Providers


@pytest.mark.parametrize(
    ("form", "kind", "says"),
    [
        (None, TypeError, r"grant_data\(\) must return a dict of str, not NoneType"),
        (list(FORM.items()), TypeError, "not list"),
        ({**FORM, "password": 5}, TypeError, r"grant_data\(\) must return a str for \"password\""),
        ({**FORM, "password": PASSWORD.encode()}, TypeError, 'a str for "password"'),
        ({**FORM, "password": "\ud800"}, TypeError, 'a str for "password"'),
        ({5: "five"}, TypeError, "keys are str"),
        ({**FORM, "totp": 123456}, TypeError, 'a str for "totp"'),
        ({**FORM, "grant_type": "magic"}, ValueError, 'names the grant "magic"; CDSE knows password'),
        ({"username": USER}, ValueError, "must name a grant_type"),
        ({}, ValueError, "must name a grant_type"),
    ],
)
def test_py6_a_form_that_is_none_is_refused(untouched: Sandbox, form: Any, kind: type[Exception], says: str) -> None:
    manager = of(untouched, Provider(form))
    # The failed reading must not keep another one from it.
    told(manager, kind, says)
    told(manager, kind, says)
    assert untouched.counters["token_requests"] == 0


@pytest.mark.parametrize("kind", [ValueError, SystemExit, KeyboardInterrupt, MemoryError])
def test_py6_what_a_provider_raises_is_raised(untouched: Sandbox, kind: type[BaseException]) -> None:
    def form() -> None:
        raise kind("the vault is locked")

    told(of(untouched, Provider(form)), kind, "the vault is locked")


def test_py6_a_provider_that_uses_its_own_manager_does_not_wait_for_itself(untouched: Sandbox) -> None:
    manager: TokenManager
    provider = Provider(lambda: {**FORM, "password": manager.authorization_header()})
    manager = of(untouched, provider)
    told(manager, RuntimeError, "used by its own provider")


def test_py6_a_function_for_codes_that_fails_is_told(sandbox: Sandbox) -> None:
    def code() -> str:
        raise LookupError("no telephone here")

    provider = PasswordAuth("mfa@example.com", PASSWORD, totp=code)  # type: ignore[arg-type]
    told(of(sandbox, provider), LookupError, "no telephone here")
    other = PasswordAuth("mfa@example.com", PASSWORD, totp=lambda: 5)  # type: ignore[arg-type]
    told(of(sandbox, other), TypeError)
    third = PasswordAuth("mfa@example.com", PASSWORD, totp=5)  # type: ignore[arg-type]
    told(of(sandbox, third), TypeError, "totp must be a str of digits, a TotpSecret, or a function")


def test_py6_an_object_that_stands_for_another_keeps_its_own_methods(sandbox: Sandbox) -> None:
    class Vault:
        """Everything but the password is of another provider."""

        def __init__(self) -> None:
            self.inner = PasswordAuth(USER, "not-the-password")

        def __getattr__(self, name: str) -> Any:
            return getattr(self.inner, name)

        def grant_data(self) -> dict[str, str]:
            return {**self.inner.grant_data(), "password": PASSWORD}

    class Watched:
        def __init__(self) -> None:
            self.inner = MemoryTokenStore()
            self.saved = 0

        def __getattr__(self, name: str) -> Any:
            return getattr(self.inner, name)

        def save(self, tokens: TokenSet) -> None:
            self.saved += 1
            self.inner.save(tokens)

    store = Watched()
    manager = of(sandbox, Vault(), store=store)
    assert sandbox.accepts(manager.authorization_header())
    assert store.saved == 1


def test_py6_subclasses_of_everything_work_together(sandbox: Sandbox, http: httpx.Client) -> None:
    class Person(PasswordAuth):
        def grant_data(self) -> dict[str, str]:
            return {**super().grant_data(), "scope": "openid"}

    class Logged(MemoryTokenStore):
        def __init__(self) -> None:
            super().__init__()
            self.saved = 0

        def save(self, tokens: TokenSet) -> None:
            self.saved += 1
            super().save(tokens)

    class Manager(TokenManager):
        asked = 0

        def authorization_header(self) -> str:
            self.asked += 1
            return super().authorization_header()

    store = Logged()
    manager = Manager(Person(USER, PASSWORD), http=http, token_url=sandbox.token_url, store=store)
    assert sandbox.accepts(manager.authorization_header())
    assert sandbox.accepts(manager.force_refresh())
    assert (manager.asked, store.saved) == (1, 2)
    assert ["scope", "openid"] in sandbox.requests[0]["form"]
    counters = sandbox.counters
    assert (counters["password_grants"], counters["refresh_grants"]) == (1, 1)


# Stores


class Store(Kept):
    """One of its methods is replaced."""

    def __init__(self, **methods: Callable[..., Any]) -> None:
        super().__init__()
        vars(self).update(methods)


def fail(*_: object) -> None:
    raise OSError(28, "No space left on device")


def test_py6_a_store_that_cannot_load_is_told(untouched: Sandbox) -> None:
    told(of(untouched, store=Store(load=fail)), OSError, "No space left")
    assert untouched.counters["token_requests"] == 0


def test_py6_a_store_that_cannot_save_costs_a_warning(sandbox: Sandbox) -> None:
    manager = of(sandbox, store=Store(save=fail))
    with pytest.warns(UserWarning, match=r"save\(\) failed: OSError: .*No space left.*; the token is used, and lost"):
        header = manager.authorization_header()
    assert sandbox.accepts(header)
    assert manager.authorization_header() == header
    assert sandbox.counters["token_requests"] == 1


def test_py6_a_store_that_cannot_clear_is_told(sandbox: Sandbox) -> None:
    manager = of(sandbox, store=Store(clear=fail))
    manager.authorization_header()
    with pytest.raises(OSError, match="No space left"):
        manager.clear()


@pytest.mark.parametrize("garbage", [{"access_token": "a"}, "a", 5, b"", object(), [], True])
def test_py6_a_store_that_returns_garbage_is_told(untouched: Sandbox, garbage: Any) -> None:
    name = type(garbage).__name__
    says = rf"the token store's load\(\) must return a TokenSet or None, not {name}"
    told(of(untouched, store=Store(load=lambda: garbage)), TypeError, says)


def test_py6_tokens_that_cannot_be_are_an_exception_or_replaced(sandbox: Sandbox) -> None:
    ends = (datetime.min, datetime.max.replace(tzinfo=timezone.utc), datetime(1970, 1, 1))
    for access, end in product(["", "two words", "a\nb", "ü", "\x00", "a" * 100_000], ends):
        tokens = TokenSet(access_token=access, access_expiry=end, refresh_token="", refresh_expiry=end)
        manager = of(sandbox, store=Store(load=lambda tokens=tokens: tokens))
        try:
            header = manager.authorization_header()
        except (AuthError, ValueError, OverflowError) as error:
            assert str(error)  # noqa: PT017
        else:
            assert header == f"Bearer {access}" or sandbox.accepts(header)


def test_py6_a_store_that_uses_its_own_manager_does_not_wait_for_itself(sandbox: Sandbox) -> None:
    manager: TokenManager
    manager = of(sandbox, store=Store(load=lambda: manager.authorization_header()))
    told(manager, RuntimeError, "used by its own provider, store or HTTP client")
    other: TokenManager
    other = of(sandbox, store=Store(save=lambda _: other.force_refresh()))
    with pytest.warns(UserWarning, match="used by its own provider, store or HTTP client"):
        assert sandbox.accepts(other.authorization_header())


def test_py6_a_store_that_no_method_is_left_of_is_told(untouched: Sandbox) -> None:
    told(of(untouched, store=object()), AttributeError, "load")


def test_py6_a_store_that_is_slow_holds_nobody_up(sandbox: Sandbox) -> None:
    saving, go_on = threading.Event(), threading.Event()
    kept: list[TokenSet] = []

    def save(tokens: TokenSet) -> None:
        saving.set()
        go_on.wait()
        kept.append(tokens)

    manager = of(sandbox, store=Store(save=save, load=lambda: kept[-1] if kept else None))
    thread = threading.Thread(target=manager.authorization_header)
    thread.start()
    saving.wait()
    # It runs on a thread of the library; this one goes on.
    assert thread.is_alive()
    go_on.set()
    thread.join()
    assert len(kept) == 1


# HTTP clients


@pytest.mark.parametrize("client", [42, "httpx", object(), httpx.AsyncClient(), httpx.Client])
def test_py6_a_client_that_is_none_is_refused_at_once(untouched: Sandbox, client: Any) -> None:
    name = type(client).__name__
    told(of(untouched, http=client), TypeError, f"http must be an httpx.Client or None, not {name}")
    assert untouched.counters["token_requests"] == 0


def test_py6_a_client_that_is_closed_is_refused_at_once(untouched: Sandbox, http: httpx.Client) -> None:
    http.close()
    told(of(untouched, http=http), RuntimeError, "httpx.Client of the token manager is closed; keep it open")


@pytest.mark.parametrize("kind", [RuntimeError, SystemExit, KeyboardInterrupt, httpx.ReadTimeout, ValueError])
def test_py6_what_a_client_raises_is_the_cause(untouched: Sandbox, kind: type[BaseException]) -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        raise kind("the cable is cut")

    with httpx.Client(transport=httpx.MockTransport(handler)) as http:
        error = told(of(untouched, http=http), AuthError, f"did not come: {kind.__name__}: the cable is cut")
    assert isinstance(error.__cause__, kind)


def test_py6_an_exception_that_quotes_the_request_is_told_by_its_name(untouched: Sandbox) -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        raise RuntimeError(f"could not send {request.content!r}")

    with httpx.Client(transport=httpx.MockTransport(handler)) as http:
        manager = of(untouched, http=http)
        told(manager, AuthError, "did not come: RuntimeError;")
        assert "s3cret" not in repr(manager.status())


def test_py6_a_client_follows_no_redirect(sandbox: Sandbox) -> None:
    action = {"kind": "answer", "status": 307, "headers": [["location", f"{sandbox.address}/elsewhere"]]}
    sandbox.misbehave(action)
    with httpx.Client(follow_redirects=True) as http:
        told(of(sandbox, http=http), TokenRefreshError, "a redirect, HTTP 307, which is not followed")
    assert [request["path"] for request in sandbox.requests if "elsewhere" in request["path"]] == []


class Bearer(httpx.Auth):
    def __init__(self) -> None:
        self.manager: TokenManager

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        request.headers["Authorization"] = self.manager.authorization_header()
        yield request


def test_py6_a_client_may_have_the_manager_as_its_auth(sandbox: Sandbox) -> None:
    auth = Bearer()
    with httpx.Client(auth=auth, headers={"authorization": "Bearer of-the-client"}) as http:
        auth.manager = of(sandbox, http=http)
        assert len(set(together(8, lambda _: auth.manager.authorization_header()))) == 1
        assert sandbox.accepts(http.build_request("GET", "/").headers.get("x", auth.manager.authorization_header()))
    [request] = [request for request in sandbox.requests if request["endpoint"] == "token"]
    assert request["authorization"] is False


def test_py6_an_event_hook_that_asks_the_manager_does_not_wait_for_itself(sandbox: Sandbox) -> None:
    manager: TokenManager

    def authorize(request: httpx.Request) -> None:
        request.headers["Authorization"] = manager.authorization_header()

    with httpx.Client(event_hooks={"request": [authorize]}) as http:
        manager = of(sandbox, http=http)
        told(manager, AuthError, "let an event hook of the client pass over requests to the token address")


@pytest.mark.parametrize(
    "body", [b"", b"null", b"[]", b"{", b"\xff\xfe", b'{"access_token": 5}', b'{"access_token": "a b"}', b"[" * 100_000]
)
def test_py6_bytes_that_are_no_answer_are_told(untouched: Sandbox, body: bytes) -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, content=body)

    with httpx.Client(transport=httpx.MockTransport(handler)) as http:
        told(of(untouched, http=http), TokenRefreshError, "invalid response")


def test_py6_an_answer_that_never_ends_is_not_read_to_its_end(sandbox: Sandbox, http: httpx.Client) -> None:
    size = 1 << 40
    sandbox.misbehave({"kind": "endless", "status": 200, "content_type": "application/json", "bytes": size})
    told(of(sandbox, http=http), TokenRefreshError, "invalid response")


def test_py6_an_answer_that_is_packed_is_not_unpacked_to_its_end(untouched: Sandbox) -> None:
    unpacked = 0

    class Bomb(httpx.SyncByteStream):
        def __iter__(self) -> Iterator[bytes]:
            nonlocal unpacked
            packer = zlib.compressobj(wbits=31)
            for _ in range(100):
                unpacked += 1
                yield packer.compress(bytes(1 << 20)) + packer.flush(zlib.Z_SYNC_FLUSH)

    def handler(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, headers={"content-encoding": "gzip"}, stream=Bomb())

    with httpx.Client(transport=httpx.MockTransport(handler)) as http:
        told(of(untouched, http=http), AuthError)
    assert unpacked < 10


@pytest.mark.parametrize("answer", [None, "text", 5])
def test_py6_a_client_that_returns_no_response_is_told(untouched: Sandbox, answer: Any) -> None:
    class Odd(httpx.Client):
        def send(self, *_: Any, **__: Any) -> Any:
            return answer

    with Odd() as http:
        told(of(untouched, http=http), AuthError, "AttributeError")


@pytest.mark.parametrize("status", [99, 1000, 70_000, "200"])
def test_py6_a_status_that_does_not_exist_is_told(sandbox: Sandbox, status: Any) -> None:
    class Odd(httpx.Client):
        def send(self, *arguments: Any, **more: Any) -> Any:
            response = super().send(*arguments, **more)
            response.status_code = status
            return response

    with Odd() as http:
        told(of(sandbox, http=http), AuthError)


def test_py6_a_client_of_a_program_may_have_raised_for_the_status(sandbox: Sandbox) -> None:
    def check(response: httpx.Response) -> None:
        response.read()
        response.raise_for_status()

    with httpx.Client(event_hooks={"response": [check]}) as http:
        manager = of(sandbox, PasswordAuth(USER, "not-the-password"), http=http)
        told(manager, TokenRefreshError, "wrong user name, password or one-time code")


class Silent(BaseHTTPRequestHandler):
    """Sends a byte now and then: each read is in time, and the whole is not."""

    def do_POST(self) -> None:
        self.send_response(200)
        self.end_headers()
        try:
            while not self.server.over.wait(0.2):  # type: ignore[attr-defined]
                self.wfile.write(b" ")
                self.wfile.flush()
        except OSError:
            pass

    def log_message(self, *_: Any) -> None:
        pass


def test_py6_an_answer_that_trickles_in_is_given_up(untouched: Sandbox, http: httpx.Client) -> None:
    from cdse_auth import _http

    server = ThreadingHTTPServer(("127.0.0.1", 0), Silent)
    server.over = threading.Event()  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        url = f"http://127.0.0.1:{server.server_address[1]}/token"
        # The library's own limit is 20 s.
        status, _, _, raised, was_sent = _http.send(http, "POST", url, {}, b"", 1.0)
        assert (status, type(raised), was_sent) == (0, TimeoutError, True)
    finally:
        server.over.set()  # type: ignore[attr-defined]
        server.shutdown()
        server.server_close()
        thread.join()


# Everything


def test_py6_garbage_collection_may_run_python_code_at_any_time(sandbox: Sandbox, http: httpx.Client) -> None:
    manager = of(sandbox, http=http)
    manager.authorization_header()

    class Cycle:
        def __init__(self) -> None:
            self.me = self

        def __del__(self) -> None:
            manager.authorization_header()

    before = gc.get_threshold()
    gc.set_threshold(1)
    try:

        def work(_: int) -> int:
            for _ in range(200):
                Cycle()
                manager.authorization_header()
            manager.force_refresh()
            return 1

        assert together(4, work) == [1] * 4
    finally:
        gc.set_threshold(*before)


@pytest.mark.parametrize("header", ["", "a\nb", "\x00", "ü", "Bearer", "Bearer of-somebody-else"])
def test_py6_a_header_that_is_none_is_refused(sandbox: Sandbox, manager: TokenManager, header: str) -> None:
    manager.authorization_header()
    try:
        assert sandbox.accepts(manager.refuse(header))
    except ValueError as error:
        assert "Authorization header value" in str(error)  # noqa: PT017


@pytest.mark.parametrize("seconds", [-1.0, float("nan"), float("inf"), -float("inf"), 1e300])
def test_py6_a_time_that_is_none_is_refused(manager: TokenManager, seconds: float) -> None:
    with pytest.raises(ValueError, match="min_validity must be a number of seconds that is not negative"):
        manager.header_for(seconds)


@pytest.mark.parametrize("url", ["", "nonsense", "ftp://127.0.0.1/", "http://example.com/token", "http://[", "\x00"])
def test_py6_an_address_that_is_none_is_refused(untouched: Sandbox, url: str) -> None:
    manager = TokenManager(PasswordAuth(USER, PASSWORD), http=None, token_url=url)  # type: ignore[arg-type]
    with pytest.raises(AuthError) as info:
        manager.authorization_header()
    assert info.value.code == "configuration"
