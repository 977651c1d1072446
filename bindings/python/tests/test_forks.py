"""A process that is forked: it hangs on nothing that it has inherited, and sends no refresh token of its parent."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
import workers
from support import MFA, PASSWORD, USER, Kept, Sandbox, ended, forked, script

from cdse_auth import FileTokenStore, MemoryTokenStore, PasswordAuth, RefreshTokenAuth, TokenManager, TokenStore

# Python warns where a process with threads is forked; that it works is what is tested.
pytestmark = pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")


def of(sandbox: Sandbox, store: TokenStore, http: httpx.Client | None = None) -> TokenManager:
    return TokenManager(PasswordAuth(USER, PASSWORD), http=http, token_url=sandbox.token_url, store=store)  # type: ignore[arg-type]


def begin(sandbox: Sandbox, work: Callable[[], Any]) -> threading.Thread:
    """Start an exchange whose answer is late, on a thread, and return once the service has done it."""
    sandbox.misbehave({"kind": "delay_answer", "milliseconds": 1000})
    thread = threading.Thread(target=work)
    thread.start()
    sandbox.wait_for_request()
    return thread


@pytest.mark.parametrize("client", ["own", "httpx"])
def test_py3_a_fork_during_an_exchange_begins_a_session_of_its_own(sandbox: Sandbox, client: str) -> None:
    manager = of(sandbox, MemoryTokenStore(), httpx.Client() if client == "httpx" else None)
    thread = begin(sandbox, manager.authorization_header)
    theirs = forked(manager.authorization_header)
    assert thread.is_alive()
    thread.join()
    ours = manager.authorization_header()
    assert theirs != ours
    assert sandbox.accepts(ours)
    assert sandbox.accepts(theirs)
    counters = sandbox.counters
    assert (counters["password_grants"], counters["reuse_detected"]) == (2, 0)


def test_py3_a_fork_during_an_exchange_over_a_file_gets_its_token(sandbox: Sandbox, tmp_path: Path) -> None:
    manager = of(sandbox, FileTokenStore(tmp_path / "session.json"))
    thread = begin(sandbox, manager.authorization_header)
    theirs = forked(manager.authorization_header)
    thread.join()
    assert theirs == manager.authorization_header()
    assert sandbox.counters["token_requests"] == 1


def test_py3_a_child_that_does_nothing_holds_no_lock_of_its_parent(sandbox: Sandbox, tmp_path: Path) -> None:
    path = tmp_path / "session.json"
    manager = of(sandbox, FileTokenStore(path))
    thread = begin(sandbox, manager.authorization_header)
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(writing)
        os.read(reading, 1)
        os._exit(0)
    os.close(reading)
    try:
        thread.join()
        header = manager.force_refresh()
        assert of(sandbox, FileTokenStore(path)).authorization_header() == header
    finally:
        os.close(writing)
        os.waitpid(child, 0)


@pytest.mark.parametrize("store", [MemoryTokenStore, Kept])
def test_py3_a_child_never_sends_the_refresh_token_of_its_parent(
    sandbox: Sandbox, store: Callable[[], TokenStore]
) -> None:
    kept = store()
    manager, unused = of(sandbox, kept), of(sandbox, kept)
    before = manager.authorization_header()

    def anew() -> str:
        manager.clear()
        return manager.force_refresh()

    for child in (manager.force_refresh, unused.force_refresh, anew):
        assert sandbox.accepts(forked(child))
    assert manager.force_refresh() != before
    assert sandbox.accepts(manager.authorization_header())
    counters = sandbox.counters
    assert (counters["reuse_detected"], counters["refresh_grants"], counters["password_grants"]) == (0, 1, 4)


def test_py3_a_refresh_token_alone_stays_with_the_parent(sandbox: Sandbox) -> None:
    store = MemoryTokenStore()
    of(sandbox, store).authorization_header()
    known = store.load()
    assert known is not None
    assert known.refresh_token is not None
    manager = TokenManager(RefreshTokenAuth(known.refresh_token), http=None, token_url=sandbox.token_url)  # type: ignore[arg-type]
    for use in (lambda: None, manager.authorization_header):
        use()
        told = forked(manager.force_refresh)
        kind, why = told.split(": ", 1)
        assert kind in ("ReauthRequiredError", "SessionEndedError")
        assert why.startswith("the given refresh token belongs to the process that forked this one")
        assert "keep the session in a file" in why
    assert sandbox.accepts(manager.force_refresh())
    assert sandbox.counters["reuse_detected"] == 0


def test_py3_a_code_that_was_given_stays_with_the_parent(sandbox: Sandbox, program: str) -> None:
    command = [program, "sandbox", "code", MFA]
    done = subprocess.run(command, env=sandbox.environment, check=True, capture_output=True, text=True)
    code = done.stdout.strip()
    provider = PasswordAuth(MFA, PASSWORD, totp=code)
    manager, unused = (
        TokenManager(provider, http=None, token_url=sandbox.token_url)  # type: ignore[arg-type]
        for _ in range(2)
    )
    manager.authorization_header()
    assert forked(manager.authorization_header).startswith("Bearer ")
    assert "one-time code" in forked(manager.force_refresh)
    assert "one-time code" in forked(unused.authorization_header)
    codes = [dict(request["form"]).get("totp") for request in sandbox.requests]
    assert codes == [code]


def test_py3_a_handler_that_forks_in_a_wait_does_not_leave_the_child_in_it(sandbox: Sandbox) -> None:
    text = """
import os, signal, sys
from cdse_auth import PasswordAuth, TokenManager
from cdse_auth.exceptions import AuthError
children = []
signal.signal(signal.SIGUSR1, lambda *_: children.append(os.fork()))
manager = TokenManager(PasswordAuth(sys.argv[2], sys.argv[3]), http=None, token_url=sys.argv[1])
try:
    manager.authorization_header()
except AuthError as error:
    print(error.is_transient, manager.authorization_header()[:7], flush=True)
else:
    os.waitpid(children[0], 0)
    print("parent", flush=True)
"""
    sandbox.misbehave({"kind": "delay_answer", "milliseconds": 1000})
    process = script(text, sandbox.token_url, USER, PASSWORD)
    sandbox.wait_for_request()
    process.send_signal(signal.SIGUSR1)
    code, out, err = ended(process)
    assert (code, out.splitlines()) == (0, ["True Bearer ", "parent"]), err


def test_py3_a_storm_of_forks_among_busy_threads(serve: Callable[..., Sandbox], tmp_path: Path) -> None:
    sandbox = serve("--session-limit", "1000")
    memory, file = of(sandbox, MemoryTokenStore()), of(sandbox, FileTokenStore(tmp_path / "session.json"))
    stop, raised = threading.Event(), []

    def busy(manager: TokenManager) -> None:
        try:
            while not stop.is_set():
                manager.authorization_header()
                manager.force_refresh()
        except BaseException as error:
            raised.append(error)

    threads = [threading.Thread(target=busy, args=(manager,)) for manager in (memory, file) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        for nth in range(40):
            assert forked((memory, file)[nth % 2].authorization_header).startswith("Bearer ")
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert not raised
    assert sandbox.counters["reuse_detected"] == 0


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_py3_a_child_of_multiprocessing_saves_what_it_began(sandbox: Sandbox, tmp_path: Path, method: str) -> None:
    context = multiprocessing.get_context(method)
    path = tmp_path / "session.json"
    may_end = context.Event()
    sandbox.misbehave({"kind": "delay_answer", "milliseconds": 1000})
    manager = of(sandbox, FileTokenStore(path))
    process = context.Process(target=workers.leave, args=(manager, may_end))  # type: ignore[attr-defined]
    process.start()
    sandbox.wait_for_request()
    may_end.set()
    process.join()
    assert process.exitcode == 0
    saved = FileTokenStore(path).load()
    assert saved is not None
    assert sandbox.accepts(saved.authorization_header)


REUSE = """
import os, sys
if sys.argv[4] == "without":
    os.register_at_fork = lambda **_: None
from cdse_auth import PasswordAuth, TokenManager
manager = TokenManager(PasswordAuth(sys.argv[2], sys.argv[3]), http=None, token_url=sys.argv[1])
manager.authorization_header()
while manager.status().renewing:
    pass
child = os.fork()
if child:
    os.waitpid(child, 0)
manager.force_refresh()
if not child:
    os._exit(0)
"""


@pytest.mark.parametrize("hook", ["with", "without"])
def test_py3_a_child_sends_no_token_of_its_parent_also_without_the_hook(sandbox: Sandbox, hook: str) -> None:
    # The library sees a fork by itself, in any program; tests/breaks/x6.patch takes that away.
    ended(script(REUSE, sandbox.token_url, USER, PASSWORD, hook))
    counters = sandbox.counters
    assert (counters["reuse_detected"], counters["password_grants"]) == (0, 2)
