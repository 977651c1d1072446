"""What type checkers see: the package itself, its stubs, and a program that uses it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from service import needs

# Types of other libraries are part of those of the faces.
needs("mypy", "aiohttp", "eodag", "fsspec", "openeo", "pystac_client", "requests", "sentinelhub")

ROOT = Path(__file__).parents[1]

PROGRAM = """\
import httpx
from cdse_auth import (
    FileTokenStore, PasswordAuth, Status, TokenManager, TokenSet, TokenStore, TotpSecret, default_manager
)
from cdse_auth.exceptions import AuthError
from pathlib import Path
from typing import assert_type

class Mine(TokenStore):
    def load(self) -> TokenSet | None: return None
    def save(self, tokens: TokenSet) -> None: ...
    def clear(self) -> None: ...

for totp in ("123456", TotpSecret("GEZDGNBVGY3TQOJQ"), lambda: "123456", None):
    PasswordAuth("user", "password", totp=totp)
provider = PasswordAuth("user", "password")
for http in (httpx.Client(), None):
    TokenManager(provider, http=http, token_url="https://localhost/token", store=Mine())
manager = default_manager()
assert_type(manager.authorization_header(), str)
assert_type(manager.status(), Status)
assert_type(AuthError().code, str)

async def main() -> None:
    assert_type(await manager.authorization_header_async(), str)
"""

MISTAKES = """\
from cdse_auth import PasswordAuth, TokenManager, TotpSecret
PasswordAuth("user", "password", totp=123456)
TokenManager(PasswordAuth("user", "password"), http="https://localhost", token_url="")
TotpSecret(b"GEZDGNBVGY3TQOJQ")
"""


def check(tool: str, *arguments: object, cache: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "MYPYPATH": str(ROOT / "python"), "MYPY_CACHE_DIR": str(cache)}
    command = [sys.executable, "-m", tool, *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("mypy")


def test_py9_the_package_and_a_program_that_uses_it_are_typed(cache: Path, tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    done = check("mypy", "--python-version=3.11", "--strict", "python/cdse_auth", program, cache=cache)
    assert done.returncode == 0, done.stdout
    program.write_text(MISTAKES)
    done = check("mypy", "--python-version=3.11", "--strict", "python/cdse_auth", program, cache=cache)
    assert [line.split(":")[1] for line in done.stdout.splitlines() if ": error:" in line] == ["2", "3", "4"]


def test_py9_the_stubs_say_what_is_there(cache: Path) -> None:
    done = check("mypy.stubtest", "cdse_auth", "--mypy-config-file=pyproject.toml", cache=cache)
    assert done.returncode == 0, done.stdout
