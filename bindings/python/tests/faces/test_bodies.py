"""What a request has for a body is sent again with it, or the refusal stands."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from io import BytesIO
from typing import Any

import pytest
from service import Service, needs

from cdse_auth import TokenManager

BODY = b"a body of some length"


def chunks() -> Iterator[bytes]:
    yield BODY


async def chunks_async() -> AsyncIterator[bytes]:
    yield BODY


def with_httpx(manager: TokenManager, service: Service, body: Any) -> int:
    import httpx

    from cdse_auth.httpx import CdseAuth

    auth = CdseAuth(manager, hosts=[service.host])
    return httpx.post(f"{service.url}/product", content=body, auth=auth).status_code


def with_httpx_async(manager: TokenManager, service: Service, body: Any) -> int:
    import httpx

    from cdse_auth.httpx import CdseAuth

    async def post() -> int:
        async with httpx.AsyncClient(auth=CdseAuth(manager, hosts=[service.host])) as client:
            content = body if isinstance(body, bytes) else chunks_async()
            return (await client.post(f"{service.url}/product", content=content)).status_code

    return asyncio.run(post())


def with_requests(manager: TokenManager, service: Service, body: Any) -> int:
    import requests

    from cdse_auth.requests import CdseAuth

    auth = CdseAuth(manager, hosts=[service.host])
    return requests.post(f"{service.url}/product", data=body, auth=auth).status_code


def with_aiohttp(manager: TokenManager, service: Service, body: Any) -> int:
    import aiohttp

    from cdse_auth.aiohttp import CdseAuth

    async def post() -> int:
        data = chunks_async() if isinstance(body, Generator) else body
        async with (
            aiohttp.ClientSession(middlewares=[CdseAuth(manager, hosts=[service.host])]) as session,
            session.post(f"{service.url}/product", data=data) as response,
        ):
            return response.status

    return asyncio.run(post())


POSTS = {"httpx": with_httpx, "httpx_async": with_httpx_async, "requests": with_requests, "aiohttp": with_aiohttp}
Post = Callable[[TokenManager, Service, Any], int]


@pytest.fixture(params=POSTS)
def post(request: pytest.FixtureRequest) -> Post:
    needs(request.param.removesuffix("_async"), whole_module=False)
    return POSTS[request.param]


def test_py7_a_body_is_sent_again(post: Post, service: Service, manager: TokenManager) -> None:
    service.refused.add(manager.authorization_header())
    assert post(manager, service, BODY) == 200
    assert [seen.body for seen in service.seen] == [BODY, BODY]


def test_py7_a_body_that_is_gone_is_not_sent_again(post: Post, service: Service, manager: TokenManager) -> None:
    service.refused.add(manager.authorization_header())
    assert post(manager, service, chunks()) == 401
    assert [seen.body for seen in service.seen] == [BODY]


@pytest.mark.parametrize("name", ["requests", "aiohttp"])
def test_py7_a_file_is_sent_again_from_where_it_stood(name: str, service: Service, manager: TokenManager) -> None:
    needs(name, whole_module=False)
    file = BytesIO(b"before it: " + BODY)
    file.seek(len(b"before it: "))
    service.refused.add(manager.authorization_header())
    assert POSTS[name](manager, service, file) == 200
    assert [seen.body for seen in service.seen] == [BODY, BODY]


def test_py7_the_next_request_after_a_body_that_is_gone_has_another_token(
    post: Post, service: Service, manager: TokenManager
) -> None:
    service.refused.add(manager.authorization_header())
    assert post(manager, service, chunks()) == 401
    assert post(manager, service, chunks()) == 200
