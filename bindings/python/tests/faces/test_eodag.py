"""The plugin, as eodag finds and uses it."""

from __future__ import annotations

import re
import sys
import zipfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from service import Redirect, Service, needs
from support import PASSWORD, USER, Sandbox

needs("eodag")

PROJECT = Path(__file__).parents[2] / "pyproject.toml"


@pytest.fixture
def archive() -> bytes:
    file = BytesIO()
    with zipfile.ZipFile(file, "w") as content:
        content.writestr("product/data", "of the product")
    return file.getvalue()


@pytest.fixture
def account(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CDSE_USERNAME", USER)
    monkeypatch.setenv("CDSE_PASSWORD", PASSWORD)


@pytest.fixture
def gateway(
    service: Service, sandbox: Sandbox, home: Path, state: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Any]:
    """eodag, where this package is installed and the user has chosen the plugin."""
    installed = home / "site"
    (installed / "cdse_auth-0.dist-info").mkdir(parents=True)
    [group, entry] = re.search(r'\[project\.entry-points\."(.+)"\]\n(.+)\n', PROJECT.read_text()).groups()  # type: ignore[union-attr]
    text = "[{}]\n{}\n".format(group, entry.replace('"', ""))
    (installed / "cdse_auth-0.dist-info" / "entry_points.txt").write_text(text)
    (installed / "cdse_auth-0.dist-info" / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: cdse-auth\nVersion: 0\n"
    )
    monkeypatch.setattr(sys, "path", [str(installed), *sys.path])

    def start(**settings: str) -> Any:
        from eodag import EODataAccessGateway
        from eodag.plugins.authentication.base import Authentication

        # Only eodag imports it, by its entry point, and with no session of another test.
        sys.modules.pop("cdse_auth.eodag", None)
        others = [plugin for plugin in Authentication.plugins if plugin.__name__ != "CdseAuth"]
        monkeypatch.setattr(Authentication, "plugins", others)
        more = "".join(f"        {name}: {value}\n" for name, value in settings.items())
        (home / "eodag.yml").write_text(
            f"cop_dataspace:\n    auth:\n        type: CdseAuth\n        matching_url: {service.url}\n{more}"
        )
        monkeypatch.setenv("EODAG_CFG_FILE", str(home / "eodag.yml"))
        return EODataAccessGateway()

    return start


def product(gateway: Any, url: str) -> Any:
    from eodag import EOProduct

    properties = {"id": "a", "title": "a", "geometry": "POINT (0 0)", "eodag:download_link": url}
    found = EOProduct("cop_dataspace", properties, collection="S2_MSI_L2A")
    plugins = gateway._plugins_manager
    download = plugins.get_download_plugin(found)
    found.register_downloader(download, plugins.get_auth_plugin(download, found))
    return found


@pytest.mark.usefixtures("account")
def test_py7_a_product_is_downloaded_though_the_token_is_refused(
    gateway: Callable[..., Any],
    service: Service,
    sandbox: Sandbox,
    home: Path,
    archive: bytes,
) -> None:
    service.answers["/product"] = archive
    found = product(gateway(hosts=f"[{service.host!r}]"), f"{service.url}/product")
    service.refused.add(found.downloader_auth.authenticate()._manager.authorization_header())
    path = found.download(output_dir=str(home), extract=False)
    assert Path(path).read_bytes() == archive
    assert len(set(service.tokens("/product"))) == 2
    assert None not in service.tokens("/product")


@pytest.mark.usefixtures("account")
def test_py7_a_download_takes_no_token_to_a_stranger(
    gateway: Callable[..., Any],
    service: Service,
    stranger: Service,
    home: Path,
    archive: bytes,
) -> None:
    service.answers["/product"] = Redirect(f"{stranger.url}/product")
    stranger.open["/product"] = archive
    found = product(gateway(hosts=f"[{service.host!r}]"), f"{service.url}/product")
    found.download(output_dir=str(home), extract=False)
    assert None not in service.tokens("/product")
    assert set(stranger.tokens("/product")) == {None}


def test_py7_without_a_login_eodag_says_where_it_was_looked(gateway: Callable[..., Any], service: Service) -> None:
    from eodag.utils.exceptions import AuthenticationError

    found = product(gateway(), f"{service.url}/product")
    with pytest.raises(AuthenticationError, match="cdse-auth auth login"):
        found.downloader_auth.authenticate()


@pytest.mark.usefixtures("account")
@pytest.mark.parametrize(
    ("setting", "value", "said"), [("hosts", "[a/b]", "is not a host"), ("profile", "../x", "name")]
)
def test_py7_a_wrong_setting_is_told(
    gateway: Callable[..., Any],
    service: Service,
    setting: str,
    value: str,
    said: str,
) -> None:
    from eodag.utils.exceptions import MisconfiguredError

    found = product(gateway(**{setting: value}), f"{service.url}/product")
    with pytest.raises(MisconfiguredError, match=said):
        found.downloader_auth.authenticate()
