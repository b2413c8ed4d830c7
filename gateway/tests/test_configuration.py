"""What administrators decide about providers and models, over HTTP."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from parley_rpc.faults import (
    AlreadyExists,
    FailedPrecondition,
    Fault,
    InvalidArgument,
    NotFound,
    Origin,
    RemoteFault,
    Violation,
)

from parley.provider.v1 import alias_pb2, model_pb2, provider_pb2

from .fakes import Script
from .test_providers import CONFIGURED, DEMO, SHOWN

pytestmark = pytest.mark.unit

FAST = alias_pb2.Alias(alias="fast", provider="demo-eu", model="large")
FAST.updated_at.FromJsonString("2026-11-26T12:00:00Z")
PROVIDER = {**SHOWN, "configuration": CONFIGURED}
# Each route: how it is asked, its call, what the service answers, the status, what is answered.
ROUTES: dict[str, tuple[str, str, Any, Any, int, Any]] = {
    "CreateProvider": (
        "POST",
        "/providers",
        {"name": "demo-eu", "plugin": "demo"},
        provider_pb2.CreateProviderResponse(provider=DEMO),
        201,
        PROVIDER,
    ),
    "UpdateProvider": (
        "PATCH",
        "/providers/demo-eu",
        {"enabled": False},
        provider_pb2.UpdateProviderResponse(provider=DEMO),
        200,
        PROVIDER,
    ),
    "DeleteProvider": (
        "DELETE",
        "/providers/demo-eu",
        None,
        provider_pb2.DeleteProviderResponse(),
        204,
        None,
    ),
    "SetCredential": (
        "PUT",
        "/providers/demo-eu/credentials",
        {"api_key": "sk-secret"},
        provider_pb2.SetCredentialResponse(provider=DEMO),
        200,
        PROVIDER,
    ),
    "DeleteCredential": (
        "DELETE",
        "/providers/demo-eu/credentials",
        None,
        provider_pb2.DeleteCredentialResponse(provider=DEMO),
        200,
        PROVIDER,
    ),
    "RotateCredentials": (
        "POST",
        "/providers/credentials/rotate",
        None,
        provider_pb2.RotateCredentialsResponse(rotated=2, unreadable=["acme"]),
        200,
        {"rotated": 2, "unreadable": ["acme"]},
    ),
    "RefreshModels": (
        "POST",
        "/providers/demo-eu/models/refresh",
        None,
        model_pb2.RefreshModelsResponse(),
        200,
        {"provider": "demo-eu", "models": []},
    ),
    "UpdateModel": (
        "PATCH",
        "/providers/demo-eu/models/large",
        {"context_window": 1000},
        model_pb2.UpdateModelResponse(model=model_pb2.Model(name="large", overridden=True)),
        200,
        {
            "name": "large",
            "display_name": "",
            "context_window": None,
            "max_output_tokens": None,
            "capabilities": [],
            "price": None,
            "overridden": True,
            "gone_at": None,
        },
    ),
    "UpdateAlias": (
        "PUT",
        "/aliases/fast",
        {"provider": "demo-eu", "model": "large"},
        alias_pb2.UpdateAliasResponse(alias=FAST),
        200,
        {
            "alias": "fast",
            "provider": "demo-eu",
            "model": "large",
            "updated_at": "2026-11-26T12:00:00Z",
        },
    ),
    "DeleteAlias": ("DELETE", "/aliases/fast", None, alias_pb2.DeleteAliasResponse(), 204, None),
    "ResetModel": (
        "DELETE",
        "/providers/demo-eu/models/large",
        None,
        model_pb2.ResetModelResponse(),
        204,
        None,
    ),
}


@pytest.mark.parametrize("call", ROUTES)
async def test_an_administrator_is_obeyed(
    client: httpx.AsyncClient, script: Script, call: str
) -> None:
    method, path, body, answered, status, shown = ROUTES[call]
    script.answers[call] = answered

    answer = await client.request(method, path, json=body)

    assert (status, call) == (answer.status_code, script.last.method)
    assert shown == (answer.json() if answer.content else None)
    if "demo-eu/" in path:
        assert "demo-eu" == script.last.request.provider


@pytest.mark.parametrize("call", ROUTES)
async def test_others_are_refused_before_the_service_is_asked(
    client: httpx.AsyncClient, script: Script, user_key: str, call: str
) -> None:
    method, path, body, *_ = ROUTES[call]
    client.headers["Authorization"] = f"Bearer {user_key}"

    for sent in (body, {"nonsense": 1} if body else None):
        answer = await client.request(method, path, json=sent)
        assert (403, "permission_denied") == (answer.status_code, answer.json()["reason"])

    assert [] == script.received


@pytest.mark.parametrize("call", ROUTES)
async def test_strangers_are_refused(stranger: httpx.AsyncClient, call: str) -> None:
    method, path, body, *_ = ROUTES[call]

    assert 401 == (await stranger.request(method, path, json=body)).status_code


@pytest.mark.parametrize(
    ("call", "kind", "reason", "status"),
    [
        ("CreateProvider", AlreadyExists, "provider_exists", 409),
        ("CreateProvider", NotFound, "plugin_not_found", 404),
        ("UpdateProvider", NotFound, "provider_not_found", 404),
        ("DeleteProvider", FailedPrecondition, "provider_built_in", 409),
        ("SetCredential", FailedPrecondition, "master_key_missing", 409),
        ("DeleteCredential", NotFound, "provider_not_found", 404),
        ("RotateCredentials", FailedPrecondition, "master_key_missing", 409),
        ("RefreshModels", FailedPrecondition, "provider_not_ready", 409),
        ("UpdateModel", NotFound, "provider_not_found", 404),
        ("ResetModel", NotFound, "model_not_found", 404),
        ("UpdateAlias", NotFound, "provider_not_found", 404),
        ("DeleteAlias", NotFound, "alias_not_found", 404),
    ],
)
async def test_what_the_service_refuses_is_a_problem(
    client: httpx.AsyncClient,
    script: Script,
    call: str,
    kind: type[Fault],
    reason: str,
    status: int,
) -> None:
    method, path, body, *_ = ROUTES[call]
    script.answers[call] = RemoteFault("No.", Origin(kind, reason, "provider.parley"))

    answer = await client.request(method, path, json=body)

    assert (status, reason, "application/problem+json") == (
        answer.status_code,
        answer.json()["reason"],
        answer.headers["content-type"],
    )


async def test_a_new_configuration_is_sent_on(client: httpx.AsyncClient, script: Script) -> None:
    script.answers["CreateProvider"] = provider_pb2.CreateProviderResponse(provider=DEMO)
    body = {"name": "eu", "plugin": "demo", "display_name": "EU", "base_url": "https://eu.example"}

    await client.post("/providers", json=body)

    sent = script.last.request
    assert body == {name: getattr(sent, name) for name in body}


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({}, {}),
        ({"enabled": False, "is_default": True}, {"enabled": False, "is_default": True}),
        ({"default_model": "a/b"}, {"default_model": "a/b"}),
        ({"default_model": None, "base_url": None}, {"default_model": "", "base_url": ""}),
        ({"default_model": "", "base_url": ""}, {"default_model": "", "base_url": ""}),
        ({"max_replies": None, "display_name": None}, {"max_replies": 0, "display_name": ""}),
        ({"priority": 0, "max_replies": 5}, {"priority": 0, "max_replies": 5}),
        ({"retry_timeouts": True}, {"retry_timeouts": True}),
    ],
)
async def test_of_a_provider_only_what_is_sent_is_changed(
    client: httpx.AsyncClient, script: Script, body: Any, expected: Any
) -> None:
    script.answers["UpdateProvider"] = provider_pb2.UpdateProviderResponse(provider=DEMO)

    await client.patch("/providers/demo-eu", json=body)

    sent = {field.name: value for field, value in script.last.request.ListFields()}
    assert {"provider": "demo-eu", **expected} == sent


@pytest.mark.parametrize(
    ("fallbacks", "expected"),
    [
        (["acme/org/large:free", "bare"], [("acme", "org/large:free"), ("bare", "")]),
        ([], []),
        (None, []),
    ],
)
async def test_fallbacks_are_replaced_as_a_whole(
    client: httpx.AsyncClient, script: Script, fallbacks: Any, expected: Any
) -> None:
    script.answers["UpdateProvider"] = provider_pb2.UpdateProviderResponse(provider=DEMO)

    await client.patch("/providers/demo-eu", json={"fallbacks": fallbacks})

    sent = script.last.request
    assert sent.HasField("fallbacks")
    assert expected == [(one.provider, one.model) for one in sent.fallbacks.choices]


async def test_a_refused_fallback_is_blamed_as_it_was_sent(
    client: httpx.AsyncClient, script: Script
) -> None:
    script.answers["UpdateProvider"] = InvalidArgument(
        "No.", violations=[Violation("fallbacks.choices[1].model", "There is none.")]
    )

    answer = await client.patch("/providers/demo", json={"fallbacks": ["a", "b/c"]})

    assert [{"pointer": "/fallbacks/1", "detail": "There is none."}] == answer.json()["errors"]


@pytest.mark.parametrize(
    ("written", "named"),
    [
        ("large", "large"),
        ("org/large:free", "org/large:free"),
        ("org%2Flarge%3Afree", "org/large:free"),
        ("refresh", "refresh"),
        ("100%25%3F%23", "100%?#"),
    ],
)
@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
async def test_a_model_may_have_any_name(
    client: httpx.AsyncClient, script: Script, method: str, written: str, named: str
) -> None:
    path = f"/providers/demo/models/{written}"

    answer = await client.request(method, path, json={} if method == "PATCH" else None)

    assert answer.is_success
    assert ("demo", named) == (script.last.request.provider, script.last.request.model)


async def test_an_override_is_sent_on(client: httpx.AsyncClient, script: Script) -> None:
    body = {
        "display_name": "Large",
        "context_window": 1000,
        "max_output_tokens": 10.0,
        "capabilities": [],
        "price": {"input": "1.25", "output": "10", "cached_input": "0.000000001"}
        | {"cache_write": "0.000000002", "long_cache_write": "0.000000003"},
    }

    await client.patch("/providers/demo/models/large", json=body)

    sent = script.last.request
    assert ("Large", 1000, 10) == (sent.display_name, sent.context_window, sent.max_output_tokens)
    assert (True, []) == (sent.set_capabilities, list(sent.capabilities))
    assert (1_250_000_000, 10_000_000_000, 1, 2, 3) == (
        sent.price.input_nano_usd_per_million,
        sent.price.output_nano_usd_per_million,
        sent.price.cached_input_nano_usd_per_million,
        sent.price.cache_write_nano_usd_per_million,
        sent.price.long_cache_write_nano_usd_per_million,
    )


async def test_of_a_model_only_what_is_sent_is_changed(
    client: httpx.AsyncClient, script: Script
) -> None:
    await client.patch(
        "/providers/demo/models/large", json={"price": {"input": "0", "output": "0"}}
    )

    sent = script.last.request
    names = {field.name for field, _ in sent.ListFields()}
    assert {"provider", "model", "price"} == names
    assert not sent.price.HasField("cached_input_nano_usd_per_million")


async def test_a_refused_price_is_blamed_as_it_was_sent(
    client: httpx.AsyncClient, script: Script
) -> None:
    script.answers["UpdateModel"] = InvalidArgument.of("price.input_nano_usd_per_million", "No.")

    answer = await client.patch("/providers/demo/models/large", json={})

    assert "/price/input" == answer.json()["errors"][0]["pointer"]


BAD: list[tuple[str, str, Any, str]] = [
    ("POST", "/providers", {"plugin": "demo"}, "/name"),
    ("POST", "/providers", {"name": "Demo", "plugin": "demo"}, "/name"),
    ("POST", "/providers", {"name": "-a", "plugin": "demo"}, "/name"),
    ("POST", "/providers", {"name": "a\n", "plugin": "demo"}, "/name"),
    ("POST", "/providers", {"name": "x" * 51, "plugin": "demo"}, "/name"),
    ("POST", "/providers", {"name": "a", "plugin": ""}, "/plugin"),
    ("POST", "/providers", {"name": "a", "plugin": "demo", "base_url": 5}, "/base_url"),
    ("POST", "/providers", {"name": "a", "plugin": "demo", "api_key": "k"}, "/api_key"),
    ("PATCH", "/providers/demo", [], ""),
    ("PATCH", "/providers/demo", {"enabled": None}, "/enabled"),
    ("PATCH", "/providers/demo", {"enabled": "yes"}, "/enabled"),
    ("PATCH", "/providers/demo", {"is_default": 1}, "/is_default"),
    ("PATCH", "/providers/demo", {"default_model": "a\0"}, "/default_model"),
    ("PATCH", "/providers/demo", {"base_url": "x" * 2001}, "/base_url"),
    ("PATCH", "/providers/demo", {"priority": -1}, "/priority"),
    ("PATCH", "/providers/demo", {"priority": 1001}, "/priority"),
    ("PATCH", "/providers/demo", {"priority": 0.5}, "/priority"),
    ("PATCH", "/providers/demo", {"max_replies": 10_001}, "/max_replies"),
    ("PATCH", "/providers/demo", {"fallbacks": ["acme/"]}, "/fallbacks/0"),
    ("PATCH", "/providers/demo", {"fallbacks": ["a"] * 9}, "/fallbacks"),
    ("PATCH", "/providers/demo", {"name": "other"}, "/name"),
    ("PUT", "/providers/demo/credentials", {}, "/api_key"),
    ("PUT", "/providers/demo/credentials", {"api_key": ""}, "/api_key"),
    ("PUT", "/providers/demo/credentials", {"api_key": "a b"}, "/api_key"),
    ("PUT", "/providers/demo/credentials", {"api_key": "clé"}, "/api_key"),
    ("PUT", "/providers/demo/credentials", {"api_key": "x" * 4097}, "/api_key"),
    ("PATCH", "/providers/demo/models/" + "x" * 201, {}, "/model"),
    ("PATCH", "/providers/demo/models/", {}, "/model"),
    ("PATCH", "/providers/demo/models/a", {"context_window": 0}, "/context_window"),
    ("PATCH", "/providers/demo/models/a", {"context_window": None}, "/context_window"),
    ("PATCH", "/providers/demo/models/a", {"max_output_tokens": 2**53 + 1}, "/max_output_tokens"),
    ("PATCH", "/providers/demo/models/a", {"capabilities": ["A b"]}, "/capabilities/0"),
    ("PATCH", "/providers/demo/models/a", {"price": {"input": "1"}}, "/price/output"),
    (
        "PATCH",
        "/providers/demo/models/a",
        {"price": {"input": "-1", "output": "1"}},
        "/price/input",
    ),
    ("PATCH", "/providers/demo/models/a", {"price": {"input": 1, "output": "1"}}, "/price/input"),
    (
        "PATCH",
        "/providers/demo/models/a",
        {"price": {"input": "0.0000000001", "output": "1"}},
        "/price/input",
    ),
    (
        "PATCH",
        "/providers/demo/models/a",
        {"price": {"input": "1", "output": "1", "currency": "EUR"}},
        "/price/currency",
    ),
]


@pytest.mark.parametrize(("method", "path", "body", "pointer"), BAD, ids=range(len(BAD)))
async def test_what_breaks_a_rule_is_refused_and_blamed(
    client: httpx.AsyncClient, script: Script, method: str, path: str, body: Any, pointer: str
) -> None:
    answer = await client.request(method, path, json=body)

    assert (422, [pointer]) == (
        answer.status_code,
        [error["pointer"] for error in answer.json()["errors"]],
    )
    assert [] == script.received


async def test_a_key_that_is_refused_is_not_told_again(client: httpx.AsyncClient) -> None:
    answer = await client.put("/providers/demo/credentials", json={"api_key": "sk secret"})

    assert 422 == answer.status_code
    assert "secret" not in answer.text
