"""Signals and the end of the interpreter: nothing is lost, nothing hangs."""

from __future__ import annotations

import signal
import subprocess
import time
from pathlib import Path

import pytest
from support import Sandbox, ended, script, wait_until

from cdse_auth import FileTokenStore

BEGIN = """
import asyncio, atexit, contextlib, sys, threading
import httpx
from cdse_auth import FileTokenStore, PasswordAuth, TokenManager
from cdse_auth.exceptions import AuthError
url, path, kind = sys.argv[1:4]
http = httpx.Client() if kind == "httpx" else None
def make():
    store = FileTokenStore(path)
    return TokenManager(PasswordAuth("user@example.com", "s3cret!"), http=http, token_url=url, store=store)
def say(*what):
    print(*what, flush=True)
"""


def start(sandbox: Sandbox, path: Path, text: str, kind: str = "own") -> subprocess.Popen[str]:
    return script(BEGIN + text, sandbox.token_url, str(path), kind)


def line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline()


def saved(sandbox: Sandbox, path: Path) -> bool:
    """Whether the one exchange is in the file, and is good."""
    tokens = FileTokenStore(path).load()
    return (
        tokens is not None and sandbox.accepts(tokens.authorization_header) and sandbox.counters["token_requests"] == 1
    )


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "session.json"


@pytest.fixture
def late(sandbox: Sandbox) -> Sandbox:
    sandbox.misbehave({"kind": "delay_answer", "milliseconds": 1000})
    return sandbox


KEPT = "manager = make(); manager.authorization_header()"
# The manager is gone when the interpreter ends.
DROPPED = "make().authorization_header()"
TASK = "asyncio.run(make().authorization_header_async())"


@pytest.mark.parametrize(
    ("ask", "kind"),
    [(KEPT, "own"), (KEPT, "httpx"), (DROPPED, "own"), (TASK, "httpx")],
    ids=["kept", "kept-httpx", "dropped", "task-httpx"],
)
def test_py4_ctrl_c_ends_the_wait_and_the_exchange_is_saved(late: Sandbox, path: Path, ask: str, kind: str) -> None:
    text = f"""
def main():
    {ask}
try:
    main()
except KeyboardInterrupt:
    pass
else:
    say("not interrupted")
say("interrupted", FileTokenStore(path).load())
"""
    process = start(late, path, text, kind)
    late.wait_for_request()
    process.send_signal(signal.SIGINT)
    assert line(process) == "interrupted None\n"
    assert late.requests[0]["finished"] is None, "the answer was there already"
    code, out, err = ended(process)
    assert (code, out, err) == (0, "", "")
    assert saved(late, path)


def test_py4_an_uncaught_ctrl_c_ends_the_program_as_any(late: Sandbox, path: Path) -> None:
    process = start(late, path, "make().authorization_header()")
    late.wait_for_request()
    process.send_signal(signal.SIGINT)
    code, _, err = ended(process)
    assert code == -signal.SIGINT
    assert err.rstrip().endswith("KeyboardInterrupt")
    assert saved(late, path)


def test_py4_a_second_ctrl_c_ends_the_wait_at_the_end(sandbox: Sandbox, path: Path) -> None:
    sandbox.misbehave({"kind": "stall", "processed": False})
    text = """
atexit.register(lambda: say("ending"))
try:
    make().authorization_header()
except KeyboardInterrupt:
    pass
"""
    process = start(sandbox, path, text)
    sandbox.wait_for_request()
    process.send_signal(signal.SIGINT)
    assert line(process) == "ending\n"

    def is_over() -> bool:
        process.send_signal(signal.SIGINT)
        return process.poll() is not None

    begun = time.monotonic()
    wait_until(is_over)
    # The service would be waited for, for 20 s. One signal more may come when Python has given up its own handler.
    assert time.monotonic() - begun < 10
    assert ended(process)[0] in (0, -signal.SIGINT)


def test_py4_a_handler_of_another_signal_runs_in_the_wait(late: Sandbox, path: Path) -> None:
    text = """
import signal
def stop(*_):
    raise SystemExit(3)
signal.signal(signal.SIGTERM, stop)
make().authorization_header()
"""
    process = start(late, path, text)
    late.wait_for_request()
    process.send_signal(signal.SIGTERM)
    assert ended(process) == (3, "", "")
    assert saved(late, path)


THREAD = """
def quietly(manager):
    with contextlib.suppress(AuthError):
        manager.authorization_header()
threading.Thread(target=quietly, args=(make(),), daemon=True).start()
sys.stdin.readline()
"""
CANCELLED = """
async def soon():
    task = asyncio.ensure_future(make().authorization_header_async())
    await asyncio.to_thread(sys.stdin.readline)
asyncio.run(soon())
"""


@pytest.mark.parametrize(
    ("ask", "kind"),
    [(THREAD, "own"), (THREAD, "httpx"), (CANCELLED, "own")],
    ids=["thread", "thread-httpx", "cancelled"],
)
def test_py4_the_end_of_the_interpreter_waits_for_an_exchange(late: Sandbox, path: Path, ask: str, kind: str) -> None:
    process = script(BEGIN + ask, late.token_url, str(path), kind, stdin=subprocess.PIPE)
    late.wait_for_request()
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()
    assert ended(process) == (0, "", "")
    assert saved(late, path)


def test_py4_atexit_handlers_get_a_header_or_are_told(sandbox: Sandbox, path: Path) -> None:
    text = """
manager = make()
def report(manager=manager):
    say(manager.authorization_header()[:7])
atexit.register(report)
"""
    before = """
import atexit
def last():
    try:
        say(manager.authorization_header())
    except Exception as error:
        say(type(error).__name__, error.code, error)
atexit.register(last)
"""
    code, out, err = ended(script(before + BEGIN + text, sandbox.token_url, str(path), "own"))
    assert (code, err) == (0, "")
    assert out.splitlines() == ["Bearer ", "AuthError shut_down the token manager was shut down; make a new one"]


@pytest.mark.parametrize("kind", ["own", "httpx"])
def test_py4_daemon_threads_do_not_trouble_the_end(sandbox: Sandbox, path: Path, kind: str) -> None:
    text = """
manager = make()
manager.authorization_header()
def busy(work):
    try:
        while True:
            work()
    except Exception:
        pass
for work in (manager.authorization_header, manager.force_refresh, manager.status) * 4:
    threading.Thread(target=busy, args=(work,), daemon=True).start()
"""
    for _ in range(2):
        assert ended(start(sandbox, path, text, kind)) == (0, "", "")
    assert sandbox.counters["reuse_detected"] == 0


def test_py4_tasks_that_are_left_do_not_trouble_the_end(late: Sandbox, path: Path) -> None:
    text = """
loop = asyncio.new_event_loop()
tasks = [loop.create_task(make().authorization_header_async()) for _ in range(4)]
loop.run_until_complete(asyncio.sleep(0))
loop._check_closed()
for task in tasks:
    task._log_destroy_pending = False
"""
    code, _, err = ended(start(late, path, text))
    assert code == 0
    assert "panic" not in err
    assert saved(late, path)


def test_py4_a_sub_interpreter_cannot_import_it_and_is_told_why(sandbox: Sandbox, path: Path) -> None:
    text = """
try:
    import _interpreters as interpreters
except ImportError:
    import _xxsubinterpreters as interpreters
import cdse_auth
code = '''
try:
    import cdse_auth
except ImportError as error:
    print("ImportError:", error, flush=True)
else:
    print("imported", flush=True)
'''
for options in ({}, {"isolated": False}) if sys.version_info < (3, 13) else (("isolated",), ("legacy",)):
    made = interpreters.create(**options) if isinstance(options, dict) else interpreters.create(*options)
    failed = interpreters.run_string(made, code)
    if failed is not None:
        say(failed)
    interpreters.destroy(made)
say(make().authorization_header()[:7])
"""
    code, out, err = ended(start(sandbox, path, text))
    lines = out.splitlines()
    assert (code, lines[-1], len(lines)) == (0, "Bearer ", 3), out + err
    assert all(line.startswith("ImportError:") and "interpreter" in line for line in lines[:-1]), out
