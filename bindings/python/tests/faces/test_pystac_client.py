"""A STAC client, from its catalogue to the last page of a search."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import pytest
from service import Service, needs
from support import Sandbox

from cdse_auth import TokenManager

needs("pystac_client")

import pystac_client  # noqa: E402

from cdse_auth.pystac_client import request_modifier  # noqa: E402

CONFORMS = [f"https://api.stacspec.org/v1.0.0/{part}" for part in ("core", "item-search", "collections")]


def item(name: str) -> dict[str, Any]:
    return {
        "type": "Feature",
        "stac_version": "1.0.0",
        "id": name,
        "geometry": None,
        "properties": {"datetime": "2026-01-01T00:00:00Z"},
        "links": [],
        "assets": {},
    }


def page(*names: str, **links: str) -> dict[str, Any]:
    rels = [{"rel": rel, "href": href, "type": "application/geo+json"} for rel, href in links.items()]
    return {"type": "FeatureCollection", "features": [item(name) for name in names], "links": rels}


@pytest.fixture
def catalogue(offer: Callable[..., Service], sandbox: Sandbox) -> Service:
    service = offer(sandbox)
    links = [
        {"rel": rel, "href": f"{service.url}{path}", "type": "application/json", "method": "GET"}
        for rel, path in (("self", "/"), ("root", "/"), ("search", "/search"), ("data", "/collections"))
    ]
    root = {"type": "Catalog", "id": "c", "stac_version": "1.0.0", "description": "d"}
    service.answers["/"] = {**root, "conformsTo": CONFORMS, "links": links}
    service.answers["/search"] = page("first", next=f"{service.url}/second")
    service.answers["/second"] = page("second")
    return service


def test_py7_a_search_reaches_its_last_page_though_the_token_ends(
    catalogue: Service, sandbox: Sandbox, manager: TokenManager
) -> None:
    modifier = request_modifier(manager, hosts=[catalogue.host])
    client = pystac_client.Client.open(f"{catalogue.url}/", request_modifier=modifier)
    pages = client.search(method="GET").pages_as_dicts()
    assert next(pages)["features"][0]["id"] == "first"
    sandbox.ask("advance", {"seconds": 700})
    assert next(pages)["features"][0]["id"] == "second"
    assert sandbox.counters["token_requests"] == 2


def test_py7_a_link_to_a_stranger_takes_no_token_there(
    catalogue: Service, stranger: Service, manager: TokenManager
) -> None:
    catalogue.answers["/search"] = page("first", next=f"{stranger.url}/second")
    stranger.open["/second"] = page("of a stranger")
    modifier = request_modifier(manager, hosts=[catalogue.host])
    client = pystac_client.Client.open(f"{catalogue.url}/", request_modifier=modifier)
    assert [item.id for item in client.search(method="GET").items()] == ["first", "of a stranger"]
    assert stranger.tokens("/second") == [None]


def test_py7_no_token_is_in_the_log(
    catalogue: Service, manager: TokenManager, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    modifier = request_modifier(manager, hosts=[catalogue.host])
    pystac_client.Client.open(f"{catalogue.url}/", request_modifier=modifier)
    # It logs all headers of each request.
    assert "'Authorization': 'Bearer ...'" in caplog.text
    assert manager.authorization_header().removeprefix("Bearer ") not in caplog.text
