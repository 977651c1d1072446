"""Requests and services of sentinelhub."""

from __future__ import annotations

import pytest
from service import Service, needs
from support import Sandbox

from cdse_auth import TokenManager

needs("sentinelhub")

from sentinelhub import (  # noqa: E402
    CRS,
    BBox,
    DataCollection,
    MimeType,
    SentinelHubCatalog,
    SentinelHubRequest,
    SHConfig,
)
from sentinelhub.exceptions import DownloadFailedException  # noqa: E402

from cdse_auth.sentinelhub import authenticate  # noqa: E402


def config(service: Service) -> SHConfig:
    # No client id and no secret.
    return SHConfig(use_defaults=True, sh_base_url=service.url, max_download_attempts=1)


def request(service: Service, collection: DataCollection) -> SentinelHubRequest:
    return SentinelHubRequest(
        evalscript="//VERSION=3",
        input_data=[SentinelHubRequest.input_data(data_collection=collection)],
        responses=[SentinelHubRequest.output_response("default", MimeType.JSON)],
        bbox=BBox((0, 0, 1, 1), crs=CRS.WGS84),
        size=(1, 1),
        config=config(service),
    )


def test_py7_a_catalogue_survives_the_end_of_its_token(
    service: Service, sandbox: Sandbox, manager: TokenManager
) -> None:
    service.answers["/api/v1/catalog/1.0.0/collections"] = {"collections": [{"id": "sentinel-2-l2a"}]}
    catalogue = SentinelHubCatalog(config=config(service))
    assert authenticate(catalogue, manager, hosts=[service.host]) is catalogue
    for _ in range(2):
        assert catalogue.get_collections() == [{"id": "sentinel-2-l2a"}]
        sandbox.ask("advance", {"seconds": 700})
    assert sandbox.counters["token_requests"] == 2


def test_py7_a_request_has_a_token(service: Service, manager: TokenManager) -> None:
    service.answers["/api/v1/process"] = {"a": "result"}
    collection = DataCollection.SENTINEL2_L2A.define_from("CDSE_S2", service_url=service.url)
    service.refused.add(manager.authorization_header())
    assert authenticate(request(service, collection), manager, hosts=[service.host]).get_data() == [{"a": "result"}]
    bodies = [seen.body for seen in service.seen]
    assert len(bodies) == 2
    assert bodies[0] == bodies[1] != b""


def test_py7_the_service_of_a_collection_elsewhere_gets_no_token(
    service: Service, stranger: Service, manager: TokenManager
) -> None:
    collection = DataCollection.SENTINEL2_L2A.define_from("ELSEWHERE", service_url=stranger.url)
    with pytest.raises(DownloadFailedException, match="401"):
        authenticate(request(service, collection), manager, hosts=[service.host]).get_data()
    assert stranger.tokens("/api/v1/process") == [None]
