"""Services for the faces, and a home without the settings of this machine."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from service import Service
from support import PASSWORD, USER, Sandbox

from cdse_auth import PasswordAuth, TokenManager


@pytest.fixture
def offer() -> Iterator[Callable[..., Service]]:
    """Start a service."""
    running: list[Service] = []

    def start(sandbox: Sandbox | None, **settings: Any) -> Service:
        running.append(Service(sandbox, **settings))
        return running[-1]

    yield start
    for service in running:
        service.stop()


@pytest.fixture
def service(sandbox: Sandbox, offer: Callable[..., Service]) -> Service:
    return offer(sandbox)


@pytest.fixture
def stranger(offer: Callable[..., Service]) -> Service:
    return offer(None)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy", "NETRC"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


@pytest.fixture
def manager(sandbox: Sandbox) -> TokenManager:
    """With the library's own client: no face needs httpx but its own."""
    provider = PasswordAuth(USER, PASSWORD)
    return TokenManager(provider, http=None, token_url=sandbox.token_url)  # type: ignore[arg-type]
