"""A connection of openEO."""

from __future__ import annotations

from collections.abc import Callable

from service import Service, needs
from support import Sandbox

from cdse_auth import TokenManager

needs("openeo")

import openeo  # noqa: E402

from cdse_auth.openeo import authenticate  # noqa: E402

ROOT = {"api_version": "1.2.0", "backend_version": "1", "stac_version": "1.0.0", "endpoints": [], "links": []}


def test_py7_a_connection_survives_the_end_of_its_token(
    offer: Callable[..., Service], sandbox: Sandbox, manager: TokenManager
) -> None:
    service = offer(sandbox, is_openeo=True)
    service.open["/"] = ROOT
    service.answers["/me"] = {"user_id": "me"}
    service.answers["/result"] = {"a": "result"}
    connection = openeo.connect(service.url)
    assert authenticate(connection, manager, hosts=[service.host]) is connection
    assert connection.describe_account() == {"user_id": "me"}
    sandbox.ask("advance", {"seconds": 700})
    assert connection.post("/result", json={"process": {}}).json() == {"a": "result"}
    assert [seen.body for seen in service.seen if seen.path == "/result"] == [b'{"process": {}}'] * 2
    assert all((token or "").startswith("Bearer oidc/CDSE/") for token in service.tokens("/me"))


def test_py7_the_root_that_a_service_names_gets_no_token_elsewhere(
    offer: Callable[..., Service], sandbox: Sandbox, manager: TokenManager
) -> None:
    service, stranger = offer(sandbox, is_openeo=True), offer(None)
    version = {"api_version": "1.2.0", "url": stranger.url}
    service.open["/.well-known/openeo"] = {"versions": [version]}
    stranger.open.update({"/": ROOT, "/me": {"user_id": "a stranger's"}})
    connection = authenticate(openeo.connect(service.url), manager, hosts=[service.host])
    assert connection.describe_account() == {"user_id": "a stranger's"}
    assert stranger.tokens("/me") == [None]
