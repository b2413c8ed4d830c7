"""Other names of models over HTTP; that administrators alone set them: test_configuration.py."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from parley.provider.v1.alias_pb2 import Alias, ListAliasesResponse, UpdateAliasResponse

from .fakes import Script

pytestmark = pytest.mark.unit


async def test_anybody_may_read_all_of_them(
    client: httpx.AsyncClient, script: Script, user_key: str
) -> None:
    script.answers["ListAliases"] = ListAliasesResponse(
        aliases=[Alias(alias="any", provider="acme"), Alias(alias="fast", provider="a", model="b")]
    )
    client.headers["Authorization"] = f"Bearer {user_key}"

    answer = await client.get("/aliases")

    epoch = "1970-01-01T00:00:00Z"
    assert 200 == answer.status_code
    assert {
        "aliases": [
            {"alias": "any", "provider": "acme", "model": None, "updated_at": epoch},
            {"alias": "fast", "provider": "a", "model": "b", "updated_at": epoch},
        ]
    } == answer.json()


@pytest.mark.parametrize(
    ("body", "model"),
    [
        ({"provider": "acme", "model": "org/large:free"}, "org/large:free"),
        ({"provider": "acme", "model": None}, ""),
        ({"provider": "acme"}, ""),
    ],
)
async def test_what_it_means_is_sent_on(
    client: httpx.AsyncClient, script: Script, body: Any, model: str
) -> None:
    script.answers["UpdateAlias"] = UpdateAliasResponse()

    await client.put("/aliases/gpt-5.1:latest", json=body)

    sent = script.last.request
    assert ("gpt-5.1:latest", "acme", model) == (sent.alias, sent.provider, sent.model)


@pytest.mark.parametrize(
    ("alias", "body", "pointer"),
    [
        ("-fast", {"provider": "acme"}, "/alias"),
        ("a%20b", {"provider": "acme"}, "/alias"),
        ("x" * 101, {"provider": "acme"}, "/alias"),
        ("fast", {"provider": ""}, "/provider"),
        ("fast", {"model": "large"}, "/provider"),
        ("fast", {"provider": "acme", "model": "x" * 201}, "/model"),
        ("fast", {"provider": "acme", "price": 1}, "/price"),
    ],
)
async def test_what_cannot_be_one_is_refused(
    client: httpx.AsyncClient, script: Script, alias: str, body: Any, pointer: str
) -> None:
    answer = await client.put(f"/aliases/{alias}", json=body)

    assert 422 == answer.status_code
    assert [pointer] == [one["pointer"] for one in answer.json()["errors"]]
    assert [] == script.received
