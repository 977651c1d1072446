"""A request by each library, as its users make it: the status and what came."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from cdse_auth import TokenManager

Fetch = Callable[[TokenManager, Sequence[str], str], "tuple[int, bytes]"]


def with_httpx(manager: TokenManager, hosts: Sequence[str], url: str) -> tuple[int, bytes]:
    import httpx

    from cdse_auth.httpx import CdseAuth

    with httpx.Client(auth=CdseAuth(manager, hosts=hosts), follow_redirects=True) as client:
        response = client.get(url)
        return response.status_code, response.content


def with_httpx_async(manager: TokenManager, hosts: Sequence[str], url: str) -> tuple[int, bytes]:
    import httpx

    from cdse_auth.httpx import CdseAuth

    async def fetch() -> tuple[int, bytes]:
        async with httpx.AsyncClient(auth=CdseAuth(manager, hosts=hosts), follow_redirects=True) as client:
            response = await client.get(url)
            return response.status_code, response.content

    return asyncio.run(fetch())


def with_requests(manager: TokenManager, hosts: Sequence[str], url: str) -> tuple[int, bytes]:
    import requests

    from cdse_auth.requests import CdseAuth

    with requests.Session() as session:
        session.auth = CdseAuth(manager, hosts=hosts)
        response = session.get(url)
        return response.status_code, response.content


def with_aiohttp(manager: TokenManager, hosts: Sequence[str], url: str) -> tuple[int, bytes]:
    import aiohttp

    from cdse_auth.aiohttp import CdseAuth

    async def fetch() -> tuple[int, bytes]:
        middlewares = [CdseAuth(manager, hosts=hosts)]
        async with aiohttp.ClientSession(middlewares=middlewares) as session, session.get(url) as response:
            return response.status, await response.read()

    return asyncio.run(fetch())


def with_fsspec(manager: TokenManager, hosts: Sequence[str], url: str) -> tuple[int, bytes]:
    import aiohttp
    import fsspec

    from cdse_auth.fsspec import options

    try:
        with fsspec.open(url, **options(manager, hosts=hosts)) as file:
            return 200, file.read()
    except FileNotFoundError as error:
        # What it makes of everything that happens when it asks for the size.
        if not isinstance(error.__cause__, aiohttp.ClientResponseError):
            raise
        return error.__cause__.status, b""


def with_pystac_client(manager: TokenManager, hosts: Sequence[str], url: str) -> tuple[int, bytes]:
    from pystac_client.exceptions import APIError
    from pystac_client.stac_api_io import StacApiIO

    from cdse_auth.pystac_client import request_modifier

    try:
        return 200, StacApiIO(request_modifier=request_modifier(manager, hosts=hosts)).request(url).encode()
    except APIError as error:
        if not hasattr(error, "status_code"):
            raise
        return error.status_code or 0, b""


def with_sentinelhub(manager: TokenManager, hosts: Sequence[str], url: str) -> tuple[int, bytes]:
    from sentinelhub import DownloadRequest, SHConfig
    from sentinelhub.exceptions import DownloadFailedException

    from cdse_auth.sentinelhub import CdseDownloadClient

    client = CdseDownloadClient(manager, hosts=hosts, config=SHConfig(use_defaults=True))
    try:
        [response] = client.download([DownloadRequest(url=url, use_session=True)], decode_data=False)
        return 200, response.content
    except DownloadFailedException as error:
        return error.request_exception.response.status_code, b""  # type: ignore[union-attr]


def with_openeo(manager: TokenManager, hosts: Sequence[str], url: str) -> tuple[int, bytes]:
    import openeo
    from openeo.rest import OpenEoApiError, OpenEoApiPlainError

    from cdse_auth.openeo import authenticate

    root, _, path = url.rpartition("/")
    connection = authenticate(openeo.connect(root), manager, hosts=hosts)
    try:
        return 200, connection.get(f"/{path}").content
    except (OpenEoApiError, OpenEoApiPlainError) as error:
        return error.http_status_code, b""


#: By name: the libraries that are needed, and the function.
CLIENTS: dict[str, tuple[tuple[str, ...], Fetch]] = {
    "httpx": (("httpx",), with_httpx),
    "httpx_async": (("httpx",), with_httpx_async),
    "requests": (("requests",), with_requests),
    "aiohttp": (("aiohttp",), with_aiohttp),
    "fsspec": (("fsspec", "aiohttp"), with_fsspec),
    "pystac_client": (("pystac_client",), with_pystac_client),
    "openeo": (("openeo",), with_openeo),
    "sentinelhub": (("sentinelhub",), with_sentinelhub),
}
