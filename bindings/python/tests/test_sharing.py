"""One renewal for every thread, task and process, and for the command line."""

from __future__ import annotations

import asyncio
import multiprocessing
import pickle
import subprocess
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import httpx
import pytest
import workers
from support import PASSWORD, USER, Sandbox, together, wait_until

import cdse_auth
from cdse_auth import AuthProvider, FileTokenStore, MemoryTokenStore, PasswordAuth, TokenManager

MANY = 64

# Python warns where a process with threads is forked; that it works is what is tested.
pytestmark = pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")


def file_manager(sandbox: Sandbox, path: Path) -> TokenManager:
    store = FileTokenStore(path / "session.json")
    return TokenManager(PasswordAuth(USER, PASSWORD), http=None, token_url=sandbox.token_url, store=store)  # type: ignore[arg-type]


async def tasks(
    work: Callable[[Callable[[], Awaitable[None]]], Awaitable[str]], met: Callable[[], object] = lambda: None
) -> list[str]:
    """What many tasks return. Each is handed what makes it wait for all the others, once, and for ``met``."""
    here, everybody = 0, asyncio.Event()

    async def meet() -> None:
        nonlocal here
        here += 1
        if here == MANY:
            await asyncio.to_thread(met)
            everybody.set()
        await everybody.wait()

    return await asyncio.gather(*(work(meet) for _ in range(MANY)))


def test_py2_cold_threads_cause_one_request(sandbox: Sandbox, manager: TokenManager) -> None:
    headers = together(MANY, lambda _: manager.authorization_header())
    assert len(set(headers)) == 1
    assert sandbox.counters["token_requests"] == 1


def test_py2_cold_tasks_of_one_thread_cause_one_request(sandbox: Sandbox, manager: TokenManager) -> None:
    async def work(meet: Callable[[], Awaitable[None]]) -> str:
        await meet()
        return await manager.authorization_header_async()

    assert len(set(asyncio.run(tasks(work)))) == 1
    assert sandbox.counters["token_requests"] == 1


def test_py2_refused_threads_cause_one_renewal(sandbox: Sandbox, manager: TokenManager) -> None:
    served = threading.Barrier(MANY)

    def work(_: int) -> tuple[str, str]:
        refused = manager.authorization_header()
        served.wait()
        return refused, manager.force_refresh()

    results = together(MANY, work)
    assert len(set(results)) == 1
    assert results[0][0] != results[0][1]
    assert sandbox.counters["refresh_grants"] == 1
    assert sandbox.accepts(results[0][1])


@pytest.mark.parametrize("obtains", ["sync", "async"])
@pytest.mark.parametrize("renews", ["sync", "async"])
def test_py2_refused_tasks_of_one_thread_cause_one_renewal(
    sandbox: Sandbox, manager: TokenManager, obtains: str, renews: str
) -> None:
    async def work(meet: Callable[[], Awaitable[None]]) -> str:
        if obtains == "sync":
            refused = manager.authorization_header()
        else:
            refused = await manager.authorization_header_async()
        await meet()
        other = manager.force_refresh() if renews == "sync" else await manager.force_refresh_async()
        assert other != refused
        return other

    assert len(set(asyncio.run(tasks(work)))) == 1
    counters = sandbox.counters
    assert (counters["password_grants"], counters["refresh_grants"]) == (1, 1)


def test_py2_refused_threads_and_tasks_together_cause_one_renewal(sandbox: Sandbox, manager: TokenManager) -> None:
    served = threading.Barrier(5)

    def thread(nth: int) -> set[str]:
        if nth:
            manager.authorization_header()
            served.wait()
            return {manager.force_refresh()}

        async def work(meet: Callable[[], Awaitable[None]]) -> str:
            await manager.authorization_header_async()
            await meet()
            return await manager.force_refresh_async()

        return set(asyncio.run(tasks(work, served.wait)))

    results = together(5, thread)
    assert len(set().union(*results)) == 1
    assert sandbox.counters["refresh_grants"] == 1


def test_py2_a_provider_is_read_once_by_all_threads(sandbox: Sandbox, http: httpx.Client) -> None:
    class Asking(AuthProvider):
        client_id, can_reauthenticate, asked = "cdse-public", True, 0

        def grant_data(self) -> dict[str, str]:
            self.asked += 1
            # As a question at the terminal does: it lets the other threads run.
            sandbox.counters  # noqa: B018
            return PasswordAuth(USER, PASSWORD).grant_data()

    provider = Asking()
    manager = TokenManager(provider, http=http, token_url=sandbox.token_url)
    assert len(set(together(MANY, lambda _: manager.authorization_header()))) == 1
    assert provider.asked == 1


def test_py2_cancelled_tasks_lose_nothing(sandbox: Sandbox, manager: TokenManager) -> None:
    sandbox.misbehave({"kind": "delay_answer", "milliseconds": 500})

    async def work() -> str:
        waiting = [asyncio.ensure_future(manager.authorization_header_async()) for _ in range(MANY)]
        await asyncio.to_thread(sandbox.wait_for_request)
        for task in waiting:
            task.cancel()
        results = await asyncio.gather(*waiting, return_exceptions=True)
        assert all(isinstance(result, asyncio.CancelledError) for result in results)
        return await manager.authorization_header_async()

    assert sandbox.accepts(asyncio.run(work()))
    assert sandbox.counters["token_requests"] == 1


@pytest.mark.parametrize("method", ["spawn", "fork", "forkserver"])
def test_py2_processes_over_one_file_cause_one_request(sandbox: Sandbox, tmp_path: Path, method: str) -> None:
    context = multiprocessing.get_context(method)
    manager = file_manager(sandbox, tmp_path)
    begin = context.Barrier(8)
    channels = [context.Pipe(duplex=False) for _ in range(8)]
    processes = [
        context.Process(target=workers.ask, args=(manager, begin, sender))  # type: ignore[attr-defined]
        for _, sender in channels
    ]
    for process in processes:
        process.start()
    headers = {receiver.recv() for receiver, _ in channels}
    for process in processes:
        process.join()
    assert len(headers) == 1
    assert sandbox.counters["token_requests"] == 1
    assert manager.authorization_header() in headers


def test_py9_a_pickled_manager_works_in_a_worker(sandbox: Sandbox, tmp_path: Path) -> None:
    manager = file_manager(sandbox, tmp_path)
    header = manager.authorization_header()
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        assert pool.submit(workers.header, manager).result() == header
    assert sandbox.counters["token_requests"] == 1


def test_py9_a_manager_over_memory_is_not_pickled(manager: TokenManager) -> None:
    with pytest.raises(
        TypeError, match="belongs to its process and cannot be sent to another one; use a FileTokenStore"
    ):
        pickle.dumps(manager)
    with pytest.raises(TypeError, match="FileTokenStore"):
        pickle.dumps(MemoryTokenStore())


def test_py9_a_subclass_keeps_what_it_has_when_it_is_pickled(sandbox: Sandbox, tmp_path: Path) -> None:
    counted = workers.Counted(file_manager(sandbox, tmp_path), "the third")
    header = counted.authorization_header()
    again = pickle.loads(pickle.dumps(counted))
    assert (type(again), again.label, again.authorization_header()) == (workers.Counted, "the third", header)
    assert sandbox.counters["token_requests"] == 1


def cdse(program: str, *arguments: str, stdin: str = "") -> subprocess.Popen[str]:
    pipe = subprocess.PIPE
    process = subprocess.Popen([program, "auth", *arguments], stdin=pipe, stdout=pipe, stderr=pipe, text=True)
    assert process.stdin is not None
    process.stdin.write(stdin)
    process.stdin.close()
    process.stdin = None
    return process


def finished(process: subprocess.Popen[str]) -> str:
    out, err = process.communicate()
    assert process.returncode == 0, err
    return out


@pytest.mark.usefixtures("state")
def test_py8_the_login_of_the_command_line_is_joined(sandbox: Sandbox, program: str) -> None:
    finished(cdse(program, "login", "--username", USER, "--password-stdin", stdin=PASSWORD))
    manager = cdse_auth.default_manager()
    header = manager.authorization_header()
    assert sandbox.accepts(header)
    assert f"Bearer {finished(cdse(program, 'token')).strip()}" == header
    assert manager.status().username == USER
    assert sandbox.counters["token_requests"] == 1
    again = pickle.loads(pickle.dumps(manager))
    assert again.authorization_header() == header
    renewed = manager.force_refresh()
    assert f"Bearer {finished(cdse(program, 'token')).strip()}" == renewed
    counters = sandbox.counters
    assert (counters["password_grants"], counters["refresh_grants"], counters["sessions_open"]) == (1, 1, 1)


@pytest.mark.usefixtures("state")
def test_py8_command_line_and_python_renew_once_at_one_expiry(sandbox: Sandbox, program: str) -> None:
    sandbox.ask("lifetimes", {"access": 2})
    finished(cdse(program, "login", "--username", USER, "--password-stdin", stdin=PASSWORD))
    managers = [cdse_auth.default_manager() for _ in range(4)]
    sandbox.ask("lifetimes", {"access": 600})
    wait_until(lambda: not managers[0].status().renewing and _is_over(managers[0]))
    programs = [cdse(program, "token") for _ in range(4)]
    headers = set(together(4, lambda nth: managers[nth].authorization_header()))
    headers |= {f"Bearer {finished(process).strip()}" for process in programs}
    assert len(headers) == 1
    counters = sandbox.counters
    assert (counters["password_grants"], counters["refresh_grants"], counters["reuse_detected"]) == (1, 1, 0)


def _is_over(manager: TokenManager) -> bool:
    from datetime import datetime, timezone

    expiry = manager.status().access_expiry
    return expiry is not None and expiry < datetime.now(timezone.utc)


@pytest.mark.usefixtures("state")
def test_py8_without_a_login_it_says_where_it_looked() -> None:
    with pytest.raises(cdse_auth.exceptions.NotLoggedInError, match="cdse-auth auth login"):
        cdse_auth.default_manager()
