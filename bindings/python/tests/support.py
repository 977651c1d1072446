"""The embedded identity service, and what several tests do."""

from __future__ import annotations

import json
import os
import re
import select
import signal
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Callable
from typing import Any

import httpx

from cdse_auth.store import TokenSet, TokenStore

USER = "user@example.com"
MFA = "mfa@example.com"
PASSWORD = "s3cret!"
#: Where the sandbox serves a product.
RESOURCE_PATH = "/odata/v1/Products(a5ab498a-7b2f-4043-ae2a-f95f457e7b3b)/$value"
TOTP_SECRET = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"


class Kept(TokenStore):
    """A store of a program's own, in memory."""

    def __init__(self) -> None:
        self.tokens: TokenSet | None = None

    def load(self) -> TokenSet | None:
        return self.tokens

    def save(self, tokens: TokenSet) -> None:
        self.tokens = tokens

    def clear(self) -> None:
        self.tokens = None


class Sandbox:
    """A running ``cdse sandbox serve``."""

    def __init__(self, program: str, *options: str) -> None:
        self.process = subprocess.Popen(
            [program, "sandbox", "serve", "--rotation", *options],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert self.process.stdout is not None
        self.environment: dict[str, str] = {}
        for line in self.process.stdout:
            name, value = re.fullmatch(r"export (\w+)=(.*)\n", line).groups()  # type: ignore[union-attr]
            self.environment[name] = value.strip("'")
            if name == "CDSE_STATE_DIR":
                break
        self.realm_url = self.environment["CDSE_IDENTITY_URL"]
        self.token_url = f"{self.realm_url}/protocol/openid-connect/token"
        self.address = self.realm_url.removesuffix("/auth/realms/CDSE")

    def ask(self, path: str, body: Any = None, method: str | None = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.address}/sandbox/{path}", data=data, method=method)
        with urllib.request.urlopen(request) as answer:
            text = answer.read()
        return json.loads(text) if text else None

    @property
    def counters(self) -> dict[str, int]:
        counters: dict[str, int] = self.ask("counters")
        return counters

    @property
    def requests(self) -> list[dict[str, Any]]:
        requests: list[dict[str, Any]] = self.ask("requests")
        return requests

    def misbehave(self, action: dict[str, Any], **more: Any) -> None:
        self.ask("faults", {"action": action, **more})

    def accepts(self, header: str) -> bool:
        """Whether the service takes the token."""
        return httpx.get(f"{self.address}{RESOURCE_PATH}", headers={"Authorization": header}).status_code == 200

    def wait_for_request(self) -> None:
        """Return once a request for a token is there, answered or not."""
        wait_until(lambda: bool(self.requests))

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()


def together(count: int, work: Callable[[int], Any]) -> list[Any]:
    """What ``count`` threads that begin at once return."""
    results: list[Any] = [None] * count
    barrier = threading.Barrier(count)

    def run(nth: int) -> None:
        barrier.wait()
        results[nth] = work(nth)

    threads = [threading.Thread(target=run, args=(nth,)) for nth in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def wait_until(condition: Callable[[], bool]) -> None:
    """Return once it holds. The limit of the test ends the wait."""
    while not condition():
        threading.Event().wait(0.005)


def forked(work: Callable[[], Any]) -> Any:
    """What ``work`` returns in a forked child, as JSON; an exception comes as its text. A child that hangs is killed."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            result = work()
        except BaseException as error:
            result = f"{type(error).__name__}: {error}"
        os.write(writing, json.dumps(result).encode())
        os._exit(0)
    os.close(writing)
    try:
        if not select.select([reading], [], [], 15)[0]:
            os.kill(child, signal.SIGKILL)
            return "the child hangs"
        with os.fdopen(reading, closefd=False) as pipe:
            return json.loads(pipe.read() or '"the child has died"')
    finally:
        os.close(reading)
        os.waitpid(child, 0)


def script(text: str, *arguments: str, **options: Any) -> subprocess.Popen[str]:
    """Start an interpreter that runs ``text`` and then ends as any program does."""
    command = [sys.executable, "-X", "faulthandler", "-c", text, *arguments]
    pipe = subprocess.PIPE
    # In a group of its own, with which its children can be killed.
    return subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, start_new_session=True, **options)


def ended(process: subprocess.Popen[str], within: float = 25) -> tuple[int, str, str]:
    """Exit code, output and errors of a process, which is killed if it hangs."""
    try:
        out, err = process.communicate(timeout=within)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        out, err = process.communicate()
        raise AssertionError(f"it hangs: {out}{err}") from None
    return process.returncode, out, err
