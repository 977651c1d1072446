"""Print the figures of the package, in one run: ``python bench/figures.py``.

It measures the package that this interpreter imports, and says how that was built: only an installed wheel gives honest figures.
The identity service is the sandbox of the command line, ``CDSE_PROGRAM`` or ``cdse-auth``.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import platform
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

import httpx
import workers
from support import PASSWORD, USER, Sandbox, together

import cdse_auth
from cdse_auth import _native

CALLERS = 64
PROCESSES = 8


def build() -> str:
    """Return how the native half was built: the profile wheel leaves no symbols."""
    path = Path(_native.__file__ or "")
    sections = subprocess.run(["readelf", "--wide", "-S", path], check=True, capture_output=True, text=True).stdout
    is_dev = ".symtab" in sections
    return f"{'DEV BUILD, no honest figure of speed' if is_dev else 'profile wheel'}: {path}"


def nanoseconds(call: Callable[[], object], count: int = 200_000, rounds: int = 9) -> float:
    """Return what one call costs in processor time, which other programs disturb least: the median of the rounds."""

    def one_round() -> float:
        turns = range(count)
        began = time.thread_time_ns()
        for _ in turns:
            call()
        return (time.thread_time_ns() - began) / count

    return statistics.median(one_round() for _ in range(rounds))


async def nanoseconds_awaited(call: Callable[[], Coroutine[Any, Any, object]], count: int = 100_000) -> float:
    async def one_round() -> float:
        turns = range(count)
        began = time.thread_time_ns()
        for _ in turns:
            await call()
        return (time.thread_time_ns() - began) / count

    return statistics.median([await one_round() for _ in range(9)])


def milliseconds_to_run(*codes: str, rounds: int = 20) -> list[tuple[float, float]]:
    """Return how long a new interpreter takes for each of the codes, in turns, and its processor time: the medians."""
    took: list[list[tuple[float, float]]] = [[] for _ in codes]

    def used() -> float:
        usage = resource.getrusage(resource.RUSAGE_CHILDREN)
        return usage.ru_utime + usage.ru_stime

    for _ in range(rounds):
        for code, times in zip(codes, took, strict=True):
            began, used_before = time.perf_counter(), used()
            subprocess.run([sys.executable, "-c", code], check=True)
            times.append(((time.perf_counter() - began) * 1000, (used() - used_before) * 1000))
    return [(statistics.median(a for a, _ in times), statistics.median(b for _, b in times)) for times in took]


def longest_stop(work: Callable[[], object]) -> float:
    """Return the longest time, in ms, that another thread did not run meanwhile."""
    longest, is_over = 0.0, False

    def run() -> None:
        nonlocal longest
        last = time.perf_counter()
        while not is_over:
            now = time.perf_counter()
            longest = max(longest, now - last)
            last = now

    thread = threading.Thread(target=run)
    thread.start()
    work()
    is_over = True
    thread.join()
    return longest * 1000


def manager(sandbox: Sandbox, http: httpx.Client | None = None) -> cdse_auth.TokenManager:
    provider = cdse_auth.PasswordAuth(USER, PASSWORD)
    return cdse_auth.TokenManager(provider, http=http, token_url=sandbox.token_url)


def requests(sandbox: Sandbox, work: Callable[[], object]) -> int:
    """Return how many requests for a token the work causes."""
    before = sandbox.counters["token_requests"]
    work()
    return sandbox.counters["token_requests"] - before


def tasks(call: Callable[[], Coroutine[Any, Any, object]]) -> None:
    async def main() -> None:
        await asyncio.gather(*(call() for _ in range(CALLERS)))

    asyncio.run(main())


def threads_refused(of: cdse_auth.TokenManager) -> None:
    given = threading.Barrier(CALLERS)

    def run(_: int) -> str:
        of.authorization_header()
        given.wait()
        return of.force_refresh()

    together(CALLERS, run)


def tasks_refused(of: cdse_auth.TokenManager) -> None:
    async def run(given: asyncio.Semaphore, all_given: asyncio.Event) -> str:
        await of.authorization_header_async()
        await given.acquire()
        if given.locked():
            all_given.set()
        await all_given.wait()
        return await of.force_refresh_async()

    async def main() -> None:
        given, all_given = asyncio.Semaphore(CALLERS), asyncio.Event()
        await asyncio.gather(*(run(given, all_given) for _ in range(CALLERS)))

    asyncio.run(main())


def show(what: str, figure: str) -> None:
    print(f"{what:<72} {figure}")


def speed(sandbox: Sandbox) -> None:
    def empty() -> None:
        pass

    fresh = manager(sandbox)
    fresh.authorization_header()
    nothing = nanoseconds(empty)
    header = nanoseconds(fresh.authorization_header)
    show("an empty Python function", f"{nothing:.0f} ns")
    show("authorization_header(), fresh", f"{header:.0f} ns, {header / nothing:.2f} x the empty function")
    awaited = asyncio.run(nanoseconds_awaited(fresh.authorization_header_async))
    show("await authorization_header_async(), fresh", f"{awaited:.0f} ns")
    bare, imported = milliseconds_to_run("pass", "import cdse_auth")
    took, used = (after - before for before, after in zip(bare, imported, strict=True))
    show("import cdse_auth, over python -c pass", f"{took:.1f} ms (over {bare[0]:.1f}); processor {used:.1f} ms")


def sharing(sandbox: Sandbox) -> None:
    cold = manager(sandbox)
    count = requests(sandbox, lambda: together(CALLERS, lambda _: cold.authorization_header()))
    show(f"{CALLERS} threads without a token: requests", str(count))
    show(f"{CALLERS} threads refused: renewals", str(requests(sandbox, lambda: threads_refused(cold))))
    other = manager(sandbox)
    count = requests(sandbox, lambda: tasks(other.authorization_header_async))
    show(f"{CALLERS} tasks of one thread without a token: requests", str(count))
    show(f"{CALLERS} tasks of one thread refused: renewals", str(requests(sandbox, lambda: tasks_refused(other))))


def processes(sandbox: Sandbox, method: str) -> None:
    context = multiprocessing.get_context(method)
    with tempfile.TemporaryDirectory() as folder:
        store = cdse_auth.FileTokenStore(Path(folder) / "session.json")
        provider = cdse_auth.PasswordAuth(USER, PASSWORD)
        shared = cdse_auth.TokenManager(provider, http=None, token_url=sandbox.token_url, store=store)
        begin, (receiver, sender) = context.Barrier(PROCESSES), context.Pipe(duplex=False)
        started = [context.Process(target=workers.ask, args=(shared, begin, sender)) for _ in range(PROCESSES)]
        for process in started:
            process.start()
        for _ in started:
            receiver.recv()
        for process in started:
            process.join()


def one_expiry(sandbox: Sandbox, program: str) -> None:
    """The command line, a program in Rust, and Python meet one expired token of the session that they share."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ.update(sandbox.environment, CDSE_STATE_DIR=folder)
        command = [program, "auth", "token"]
        sandbox.ask("lifetimes", {"access": 1})
        subprocess.run(command, check=True, capture_output=True)
        sandbox.ask("lifetimes", {"access": 600})
        time.sleep(1.2)
        managers = [cdse_auth.default_manager() for _ in range(4)]

        def ask(nth: int) -> str:
            if nth < len(managers):
                return managers[nth].authorization_header()
            return "Bearer " + subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

        count = requests(sandbox, lambda: together(2 * len(managers), ask))
        show("4 command lines and 4 managers in Python at one expiry: exchanges", str(count))


def stops(sandbox: Sandbox) -> None:
    def obtain(http: httpx.Client | None) -> float:
        # Long enough for whoever does not let go of the interpreter to be noticed.
        sandbox.misbehave({"kind": "delay", "milliseconds": 200})
        return longest_stop(manager(sandbox, http).authorization_header)

    with httpx.Client() as client:
        own, theirs = (max(obtain(http) for _ in range(5)) for http in (None, client))
    show("longest stop of another thread while a token is obtained", f"{own:.1f} ms")
    show("  by an httpx.Client", f"{theirs:.1f} ms")
    nothing = max(longest_stop(lambda: time.sleep(0.2)) for _ in range(5))
    show("  while this thread only sleeps: what the machine does by itself", f"{nothing:.1f} ms")


def main() -> None:
    program = os.environ.get("CDSE_PROGRAM") or shutil.which("cdse-auth")
    if program is None:
        raise SystemExit("set CDSE_PROGRAM to the command line, or install cdse-auth-cli")
    load = os.getloadavg()[0]
    print(f"{build()}\nCPython {platform.python_version()}, {os.cpu_count()} CPUs, load {load:.1f}\n")
    sandbox = Sandbox(program)
    try:
        speed(sandbox)
        sharing(sandbox)
        for method in ("spawn", "fork", "forkserver"):
            count = requests(sandbox, lambda method=method: processes(sandbox, method))  # type: ignore[misc]
            show(f"{PROCESSES} processes over one file, {method}: requests", str(count))
        one_expiry(sandbox, program)
        stops(sandbox)
    finally:
        sandbox.stop()


# Processes that are started anew import this file.
if __name__ == "__main__":
    main()
