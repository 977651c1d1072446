"""Every Python block of the README and of the other pages, run as it is written, with another address."""

from __future__ import annotations

import inspect
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from types import CodeType
from typing import Any

import httpx
import pytest
from service import needs
from support import MFA, PASSWORD, TOTP_SECRET, USER, Sandbox

ROOT = Path(__file__).parents[1]
REALM = "https://identity.dataspace.copernicus.eu/auth/realms/CDSE"
SERVICE = "https://download.dataspace.copernicus.eu"
PRODUCT = "/odata/v1/Products(ID)/$value"


def blocks(page: str, sandbox: Sandbox) -> Iterator[CodeType]:
    """The blocks of a page, with the addresses of the sandbox."""
    text = (ROOT / page).read_text()
    for block in re.finditer(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        code = block[1].replace(REALM, sandbox.realm_url).replace(SERVICE, sandbox.address)
        assert "copernicus.eu" not in code
        # Tracebacks name the line of the page.
        line = text.count("\n", 0, block.start(1))
        yield compile("\n" * line + code, ROOT / page, "exec")


@pytest.fixture
def login(program: str, state: Path) -> None:
    command = [program, "auth", "login", "--username", USER, "--password-stdin"]
    subprocess.run(command, input=PASSWORD, text=True, check=True, capture_output=True)


@pytest.mark.usefixtures("login")
def test_py9_the_lines_of_the_readme_work(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    values = {
        "CDSE_USERNAME": MFA,
        "CDSE_PASSWORD": PASSWORD,
        "CDSE_TOTP_SECRET": TOTP_SECRET,
        "CDSE_CLIENT_ID": "sh-client",
        "CDSE_CLIENT_SECRET": "sh-secret",
    }
    names: dict[str, Any] = {}
    for nth, block in enumerate(blocks("README.md", sandbox)):
        if nth == 1:
            # The first one uses the login of the command line, which these would replace.
            for name, value in values.items():
                monkeypatch.setenv(name, value)
        exec(block, names)
    assert names["answer"].status_code == 200
    header = names["machine"].authorization_header()
    assert httpx.get(sandbox.address + PRODUCT, headers={"Authorization": header}).status_code == 200
    assert "credentials_refused False" in capsys.readouterr().out
    counters = sandbox.counters
    # The login of the command line, the one with the TOTP secret, and the one that is refused.
    assert counters["password_grants"] == 3
    assert counters["client_credentials_grants"] == 1
    assert counters["refresh_grants"] == 1
    assert counters["sessions_open"] == 1


@pytest.mark.usefixtures("login")
def test_py9_the_lines_of_the_migration_page_work(sandbox: Sandbox) -> None:
    needs("requests", "eodag", whole_module=False)
    names: dict[str, Any] = {}
    for block in blocks("docs/migration.md", sandbox):
        exec(block, names)
    session = names["credentials"].get_session()
    assert session.get(sandbox.address + PRODUCT).status_code == 200
    session.close()


def test_py9_every_name_of_the_readme_exists() -> None:
    import cdse_auth
    from cdse_auth import exceptions

    text = (ROOT / "README.md").read_text()
    for name in re.findall(r"^\| `(\w+Error)` \|", text, re.MULTILINE):
        assert name in exceptions.__all__
    for name in re.findall(r"`manager\.(\w+)|manager\.(\w+)\(", text):
        assert hasattr(cdse_auth.TokenManager, name[0] or name[1])


def documented() -> Iterator[tuple[str, Any]]:
    """What the package offers, and the public methods of it."""
    import cdse_auth

    for name in cdse_auth.__all__:
        offered = getattr(cdse_auth, name)
        yield name, offered
        if inspect.isclass(offered):
            for method, function in vars(offered).items():
                if inspect.isfunction(function) and not method.startswith("_"):
                    yield f"{name}.{method}", function


def test_py9_help_says_what_and_names_every_parameter() -> None:
    for name, offered in documented():
        text = inspect.getdoc(offered)
        assert text, name
        # Fields, which say what they are where they stand; and what one line says.
        if name in ("Status", "TokenSet", "TokenStore.save", "TotpSecret"):
            continue
        parameters = [parameter for parameter in inspect.signature(offered).parameters if parameter != "self"]
        for parameter in parameters:
            assert re.search(rf"^ +{parameter}: ", text, re.MULTILINE), f"{name}: {parameter}"
