"""Who answers here, and the documentation, which needs no network."""

from __future__ import annotations

import re

import httpx
import pytest
from fastapi import FastAPI
from parley_gateway.api.openapi import describe

pytestmark = pytest.mark.unit


async def test_the_root_lists_every_route(stranger: httpx.AsyncClient, app: FastAPI) -> None:
    about = (await stranger.get("/")).json()

    assert ("Parley", "0.1.0") == (about["name"], about["version"])
    listed = {(route["method"].lower(), route["path"]) for route in about["routes"]}
    paths = describe(app)["paths"]
    assert {(method, path) for path in paths for method in paths[path]} == listed
    assert all(route["summary"] for route in about["routes"])


async def test_every_link_leads_somewhere(stranger: httpx.AsyncClient) -> None:
    for link in (await stranger.get("/")).json()["links"].values():
        assert (await stranger.get(link)).is_success


@pytest.mark.parametrize("page", ["/docs", "/redoc"])
async def test_the_pages_load_nothing_from_elsewhere(
    stranger: httpx.AsyncClient, page: str
) -> None:
    answer = await stranger.get(page)

    loaded = re.findall(r'(?:src|href)="([^"]+)"', answer.text)
    assert len(loaded) >= 2
    for url in loaded:
        assert url.startswith("/docs/assets/")
        asset = await stranger.get(url)
        assert asset.is_success
        assert len(asset.content) > 1000
    assert "https:" not in answer.headers["content-security-policy"]
