"""`GET /v1/models`: what can be asked, in the shape of either client; and vectors."""

from __future__ import annotations

import base64
import struct
from typing import Any

import httpx
import pytest
from parley_rpc.faults import NotFound, Origin, RemoteFault

from parley.provider.v1.alias_pb2 import Alias, ListAliasesResponse
from parley.provider.v1.embedding_pb2 import CreateEmbeddingsResponse, Embedding
from parley.provider.v1.model_pb2 import GetModelResponse, ListModelsResponse, Model
from parley.provider.v1.provider_pb2 import (
    PROVIDER_STATUS_READY,
    PROVIDER_STATUS_UNCONFIGURED,
    ListProvidersResponse,
    Provider,
)
from parley.provider.v1.reply_pb2 import Usage

from .fakes import Script
from .turns import vendor_fault

pytestmark = pytest.mark.unit

ANTHROPIC = {"anthropic-version": "2023-06-01"}
NAMES = ["acme/org/large", "acme/small", "demo/demo", "fast"]
EMBEDDINGS = "/v1/embeddings"


@pytest.fixture(autouse=True)
def catalogue(script: Script) -> None:
    ready: dict[str, Any] = {"status": PROVIDER_STATUS_READY, "enabled": True}
    first = Provider(name="acme", models=["org/large", "small"], **ready)
    away = Provider(name="away", models=["any"], status=PROVIDER_STATUS_UNCONFIGURED, enabled=True)
    off = Provider(name="off", models=["any"], status=PROVIDER_STATUS_READY)
    script.paged["ListProviders"] = {
        "": ListProvidersResponse(providers=[first, away, off], next_page_token="more"),
        "more": ListProvidersResponse(providers=[Provider(name="demo", models=["demo"], **ready)]),
    }
    script.paged["ListAliases"] = {
        "": ListAliasesResponse(
            aliases=[Alias(alias="fast", provider="acme")], next_page_token="more"
        ),
        "more": ListAliasesResponse(aliases=[Alias(alias="gone", provider="away")]),
    }
    script.answers["GetModel"] = GetModelResponse(
        model=Model(provider="acme", name="org/large", display_name="Large", context_window=9)
    )


async def test_what_can_be_asked_is_listed(client: httpx.AsyncClient) -> None:
    told = (await client.get("/v1/models")).json()

    assert ("list", NAMES) == (told["object"], [model["id"] for model in told["data"]])
    expected = {"id": "acme/org/large", "object": "model", "created": 0, "owned_by": "acme"}
    assert expected == told["data"][0]
    assert "acme" == told["data"][-1]["owned_by"]


@pytest.mark.parametrize(
    ("answer", "names"),
    [
        (ListModelsResponse(models=[Model(name="new")]), ["young/new"]),
        (vendor_fault("unreachable"), []),
    ],
)
async def test_a_vendor_is_asked_where_no_model_is_known_yet(
    client: httpx.AsyncClient, script: Script, answer: Any, names: list[str]
) -> None:
    young = Provider(name="young", status=PROVIDER_STATUS_READY, enabled=True)
    script.paged["ListProviders"] = {"": ListProvidersResponse(providers=[young])}
    script.paged["ListAliases"] = {"": ListAliasesResponse()}
    script.answers["ListModels"] = answer

    told = (await client.get("/v1/models")).json()

    assert names == [model["id"] for model in told["data"]]


async def test_it_is_listed_in_anthropics_shape_for_its_clients(client: httpx.AsyncClient) -> None:
    told = (await client.get("/v1/models", headers=ANTHROPIC)).json()

    assert {
        "type": "model",
        "id": "acme/org/large",
        "display_name": "org/large",
        "created_at": "1970-01-01T00:00:00Z",
        "lifecycle": "active",
        "max_input_tokens": None,
        "max_tokens": None,
    } == told["data"][0]
    assert (False, NAMES[0], NAMES[-1]) == (told["has_more"], told["first_id"], told["last_id"])


@pytest.mark.parametrize(
    ("query", "names", "has_more"),
    [
        ("limit=3", NAMES[:3], True),
        ("limit=2&after_id=acme/small", NAMES[2:], False),
        ("limit=1&after_id=acme%2Fsmall", NAMES[2:3], True),
        ("after_id=fast", [], False),
        ("limit=2&before_id=fast", NAMES[1:3], True),
        ("before_id=acme/small", NAMES[:1], False),
    ],
)
async def test_anthropics_clients_turn_pages(
    client: httpx.AsyncClient, query: str, names: list[str], has_more: bool
) -> None:
    told = (await client.get(f"/v1/models?{query}", headers=ANTHROPIC)).json()

    assert (names, has_more) == ([model["id"] for model in told["data"]], told["has_more"])


@pytest.mark.parametrize("query", ["limit=0", "limit=1001", "after_id=none", "before_id=none"])
async def test_a_page_that_is_none_is_refused(client: httpx.AsyncClient, query: str) -> None:
    answer = await client.get(f"/v1/models?{query}", headers=ANTHROPIC)

    assert (400, "invalid_request_error") == (answer.status_code, answer.json()["error"]["type"])


@pytest.mark.parametrize("name", ["fast", "acme/org/large", "acme%2Forg%2Flarge"])
async def test_a_name_is_found(client: httpx.AsyncClient, script: Script, name: str) -> None:
    told = (await client.get(f"/v1/models/{name}")).json()

    spelled = name.replace("%2F", "/")
    assert {"id": spelled, "object": "model", "created": 0, "owned_by": "acme"} == told
    assert spelled == script.last.request.model


async def test_a_name_is_found_in_anthropics_shape(client: httpx.AsyncClient) -> None:
    told = (await client.get("/v1/models/fast", headers=ANTHROPIC)).json()

    assert ("fast", "Large", 9) == (told["id"], told["display_name"], told["max_input_tokens"])


@pytest.mark.parametrize(
    ("headers", "error"),
    [
        ({}, {"type": "invalid_request_error", "code": "model_not_found", "param": None}),
        (ANTHROPIC, {"type": "not_found_error"}),
    ],
)
async def test_a_name_that_means_nothing_is_missing(
    client: httpx.AsyncClient, script: Script, headers: dict[str, str], error: dict[str, Any]
) -> None:
    origin = Origin(NotFound, "model_not_found", "provider.parley")
    script.answers["GetModel"] = RemoteFault("There is no model none.", origin)

    answer = await client.get("/v1/models/none", headers=headers)

    told = answer.json()["error"]
    assert "There is no model none." == told.pop("message")
    assert (404, error) == (answer.status_code, told)


def vectors(script: Script) -> None:
    made = [Embedding(values=[0.25, -0.5]), Embedding(values=[1, 2])]
    script.answers["CreateEmbeddings"] = CreateEmbeddingsResponse(
        embeddings=made, usage=Usage(input_tokens=4), provider="acme", model="vectors"
    )


async def test_texts_become_vectors(client: httpx.AsyncClient, script: Script) -> None:
    vectors(script)

    body = {"model": "acme/vectors", "input": ["A", "B"], "dimensions": 2, "user": "ada"}
    told = (await client.post(EMBEDDINGS, json=body)).json()

    assert {
        "object": "list",
        "data": [
            {"object": "embedding", "index": 0, "embedding": [0.25, -0.5]},
            {"object": "embedding", "index": 1, "embedding": [1.0, 2.0]},
        ],
        "model": "acme/vectors",
        "usage": {"prompt_tokens": 4, "total_tokens": 4},
    } == told
    sent = script.last.request
    assert ("acme/vectors", ["A", "B"], 2) == (sent.model, sent.texts, sent.dimensions)
    assert 36 == len(sent.usage_id)


async def test_vectors_come_in_base64(client: httpx.AsyncClient, script: Script) -> None:
    vectors(script)

    body = {"model": "acme/vectors", "input": "A", "encoding_format": "base64"}
    told = (await client.post(EMBEDDINGS, json=body)).json()

    packed = base64.b64decode(told["data"][0]["embedding"])
    assert (0.25, -0.5) == struct.unpack("<2f", packed)
    assert not script.last.request.HasField("dimensions")


@pytest.mark.parametrize(
    ("change", "field", "words"),
    [
        ({"input": [1, 2]}, "input[0]", "send text"),
        ({"input": [[1, 2]]}, "input[0]", "send text"),
        ({"input": []}, "input", "length"),
        ({"input": ""}, "input", "length"),
        ({"input": ["A", ""]}, "input[1]", "length"),
        ({"encoding_format": "hex"}, "encoding_format", "hex"),
        ({"dimensions": 0}, "dimensions", ">= 1"),
        ({"truncate": "END"}, "truncate", "not known"),
    ],
)
async def test_what_breaks_a_rule_is_named(
    client: httpx.AsyncClient, script: Script, change: dict[str, Any], field: str, words: str
) -> None:
    answer = await client.post(EMBEDDINGS, json={"model": "acme/vectors", "input": "A"} | change)

    error = answer.json()["error"]
    assert (400, field) == (answer.status_code, error["param"])
    assert words in error["message"]
    assert [] == script.received


async def test_vectors_fail_as_replies_do(client: httpx.AsyncClient, script: Script) -> None:
    script.answers["CreateEmbeddings"] = vendor_fault("overloaded")

    answer = await client.post(EMBEDDINGS, json={"model": "acme/vectors", "input": "A"})

    assert (503, "server_is_overloaded") == (answer.status_code, answer.json()["error"]["code"])
