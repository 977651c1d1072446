"""Who may get a token."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest

from cdse_auth import TokenManager
from cdse_auth._face import Face


@pytest.mark.parametrize(
    ("url", "hosts", "admitted"),
    [
        ("https://catalogue.dataspace.copernicus.eu/x", [], True),
        ("https://CATALOGUE.Dataspace.Copernicus.EU:443/x", [], True),
        ("https://dataspace.copernicus.eu/x", [], True),
        ("http://catalogue.dataspace.copernicus.eu/x", [], False),
        ("http://catalogue.dataspace.copernicus.eu/x", ["catalogue.dataspace.copernicus.eu"], False),
        ("https://catalogue.dataspace.copernicus.eu:8443/x", [], False),
        ("https://catalogue.dataspace.copernicus.eu:8443/x", ["catalogue.dataspace.copernicus.eu:8443"], True),
        ("https://evildataspace.copernicus.eu/x", [], False),
        ("https://dataspace.copernicus.eu.example.org/x", [], False),
        ("https://catalogue.dataspace.copernicus.eu@example.org/x", [], False),
        ("https://example.org/dataspace.copernicus.eu", [], False),
        ("https://copernicus.eu/", [], False),
        ("https://proxy.example.org/x", ["proxy.example.org"], True),
        ("https://proxy.example.org:443/x", ["Proxy.Example.org"], True),
        ("https://proxy.example.org/x", ["proxy.example.org:443"], True),
        ("https://proxy.example.org:444/x", ["proxy.example.org"], False),
        ("https://other.proxy.example.org/x", ["proxy.example.org"], False),
        ("http://proxy.example.org/x", ["proxy.example.org"], False),
        ("http://127.0.0.1:8080/x", ["127.0.0.1:8080"], True),
        ("http://127.0.0.1:8081/x", ["127.0.0.1:8080"], False),
        ("http://127.0.0.1:8080/x", [], False),
        ("http://localhost/x", ["localhost"], True),
        ("http://[::1]:8080/x", ["[::1]:8080"], True),
        ("http://10.0.0.1:8080/x", ["10.0.0.1:8080"], False),
        ("http://127.example.org/x", ["127.example.org"], False),
        ("ftp://catalogue.dataspace.copernicus.eu/x", [], False),
        ("", [], False),
    ],
)
def test_py7_a_token_goes_to_cdse_and_to_named_hosts_only(
    manager: TokenManager, url: str, hosts: list[str], admitted: bool
) -> None:
    parts = urlsplit(url)
    assert Face(manager, hosts=hosts)._admits(parts.scheme, parts.hostname, parts.port) is admitted


@pytest.mark.parametrize("name", ["", "https://example.org", "example.org/x", "me@example.org", "example.org:x", ":80"])
def test_py7_what_is_no_host_is_told(manager: TokenManager, name: str) -> None:
    with pytest.raises(ValueError, match="is not a host"):
        Face(manager, hosts=[name])


def test_py7_one_host_may_be_named_without_a_list(manager: TokenManager) -> None:
    assert Face(manager, hosts="localhost:1")._admits("http", "localhost", 1)
