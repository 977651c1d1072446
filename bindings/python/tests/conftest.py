"""The embedded identity service for each test, over a socket."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from support import PASSWORD, USER, Sandbox

import cdse_auth


@pytest.fixture(scope="session")
def program() -> str:
    """The command line, as it was built: ``CDSE_PROGRAM`` says where it is."""
    return os.environ["CDSE_PROGRAM"]


@pytest.fixture
def serve(program: str) -> Iterator[Callable[..., Sandbox]]:
    """Start a sandbox with options."""
    running: list[Sandbox] = []

    def start(*options: str) -> Sandbox:
        running.append(Sandbox(program, *options))
        return running[-1]

    yield start
    for sandbox in running:
        sandbox.stop()


@pytest.fixture
def sandbox(serve: Callable[..., Sandbox]) -> Sandbox:
    return serve()


@pytest.fixture(scope="session")
def untouched(program: str) -> Iterator[Sandbox]:
    """One sandbox for all tests that send it nothing."""
    sandbox = Sandbox(program)
    yield sandbox
    sandbox.stop()


@pytest.fixture
def http() -> Iterator[httpx.Client]:
    with httpx.Client() as client:
        yield client


@pytest.fixture
def manager(sandbox: Sandbox, http: httpx.Client) -> cdse_auth.TokenManager:
    return cdse_auth.TokenManager(cdse_auth.PasswordAuth(USER, PASSWORD), http=http, token_url=sandbox.token_url)


@pytest.fixture
def state(sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A state folder of its own, as the command line and ``default_manager()`` see it, and nothing else of this machine."""
    for name in [name for name in os.environ if name.startswith("CDSE_") and name != "CDSE_PROGRAM"]:
        monkeypatch.delenv(name)
    for name in ("NETRC", "XDG_STATE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("CDSE_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("CDSE_IDENTITY_URL", sandbox.realm_url)
    return tmp_path / "state"
