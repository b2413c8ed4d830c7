"""What Ollama says of its models is asked once and never costs the list."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web
from parley_provider_ollama.errors import from_answer
from parley_provider_ollama.models import Models
from parley_provider_ollama.provider import OllamaProvider
from parley_provider_ollama.settings import OllamaSettings
from parley_provider_sdk import (
    BackendError,
    BackendUnreachable,
    BadResponse,
    ModelInfo,
    ProviderError,
)
from parley_provider_sdk.http import Vendor
from parley_tests.ollama_peer import OllamaPeer

pytestmark = pytest.mark.unit

CHATS = frozenset({"text", "structured_output"})
SHOWN = {"model_info": {"x.context_length": 8192}, "capabilities": ["completion"]}
Show = Callable[[str], web.Response]


class Server:
    """A server whose lists and details a test decides."""

    def __init__(self, models: Any, show: Show) -> None:
        self.models = models
        self.show = show
        self.shown: list[str] = []
        self.at_once = self.most_at_once = 0

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.path == "/api/tags":
            return web.json_response({"models": self.models})
        name = json.loads(await request.read())["model"]
        self.shown.append(name)
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        await asyncio.sleep(0.01)
        self.at_once -= 1
        return self.show(name)


@asynccontextmanager
async def serving(server: Server) -> AsyncIterator[OllamaProvider]:
    runner = web.ServerRunner(web.Server(server.answer))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    provider = OllamaProvider(OllamaSettings(base_url=url))
    yield provider
    await provider.aclose()
    await runner.cleanup()


def row(name: str, digest: str = "d", **facts: Any) -> dict[str, Any]:
    return {"name": name, "model": name, "digest": digest, **facts}


async def test_models_are_the_vendors_with_what_they_can_do(provider: OllamaProvider) -> None:
    able = CHATS | {"images", "tools", "reasoning"}
    assert [
        ModelInfo("llama-peer:latest", context_window=131072, capabilities=able),
        ModelInfo("llama-peer:1b", context_window=2048, capabilities=CHATS),
        ModelInfo("llama-peer:modest", context_window=131072, capabilities=CHATS | {"tools"}),
        ModelInfo("embed-peer:latest", context_window=512, capabilities=frozenset({"embedding"})),
    ] == await provider.list_models()


async def test_details_are_asked_again_only_when_a_model_has_changed(
    provider: OllamaProvider, wire: OllamaPeer
) -> None:
    first = await provider.list_models()
    assert 4 == len([one for one in wire.requests if one.path == "/api/show"])
    assert first == await provider.list_models()
    assert 4 == len([one for one in wire.requests if one.path == "/api/show"])


async def test_a_new_digest_is_a_new_model() -> None:
    server = Server([row("a"), row("b")], lambda _: web.json_response(SHOWN))
    async with serving(server) as provider:
        await provider.list_models()
        server.models = [row("b"), row("a", "other"), row("c", "")]
        await provider.list_models()
        assert ["a", "b", "a", "c"] == sorted(server.shown[:2]) + sorted(server.shown[2:])
        # One without a digest may be another each time.
        await provider.list_models()
    assert ["c"] == server.shown[4:]


async def test_many_are_asked_at_once_but_not_too_many() -> None:
    server = Server([row(f"m{n}") for n in range(30)], lambda _: web.json_response(SHOWN))
    async with serving(server) as provider:
        models = await provider.list_models()
    assert [f"m{n}" for n in range(30)] == [model.name for model in models]
    assert 2 <= server.most_at_once <= 8


async def test_one_that_fails_costs_no_other_and_the_list_may_say_it_already() -> None:
    def show(name: str) -> web.Response:
        return web.json_response(SHOWN) if name == "good" else web.Response(status=500)

    newer: dict[str, Any] = {
        "details": {"context_length": 4096},
        "capabilities": ["completion", "tools"],
    }
    async with serving(Server([row("bad"), row("new", **newer), row("good")], show)) as provider:
        assert [
            ModelInfo("bad"),
            ModelInfo("new", context_window=4096, capabilities=CHATS | {"tools"}),
            ModelInfo("good", context_window=8192, capabilities=CHATS),
        ] == await provider.list_models()


async def test_ones_that_never_answer_cost_a_moment_and_no_other() -> None:
    async def answer(request: web.BaseRequest) -> web.StreamResponse:
        if request.path == "/api/tags":
            return web.json_response({"models": [row(f"m{n}") for n in range(20)]})
        if json.loads(await request.read())["model"] != "m0":
            await asyncio.sleep(30)
        return web.json_response(SHOWN)

    runner = web.ServerRunner(web.Server(answer, handler_cancellation=True), shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    vendor = Vendor(url, headers={}, failure=from_answer)
    models = await asyncio.wait_for(Models(vendor, seconds=0.2).list(), 3)
    assert [8192] + [0] * 19 == [model.context_window for model in models]
    await vendor.aclose()
    await runner.cleanup()


async def test_what_was_known_is_kept_while_asking_fails() -> None:
    server = Server([row("a", "1")], lambda _: web.json_response(SHOWN))
    async with serving(server) as provider:
        known = await provider.list_models()
        server.models, server.show = [row("a", "2")], lambda _: web.Response(status=500)
        assert known == await provider.list_models()


@pytest.mark.parametrize(
    ("shown", "info"),
    [
        ({}, ModelInfo("a")),
        ([], ModelInfo("a")),
        ({"model_info": None, "capabilities": None, "parameters": None}, ModelInfo("a")),
        ({"model_info": 7, "capabilities": "all"}, ModelInfo("a")),
        ({"model_info": {"x.context_length": "8192"}, "capabilities": [7]}, ModelInfo("a")),
        ({"model_info": {"x.context_length": True}}, ModelInfo("a")),
        ({"model_info": {"x.context_length": -1}}, ModelInfo("a")),
        (
            {"model_info": {"x.context_length": 10, "clip.vision.context_length": 20}},
            ModelInfo("a", context_window=20),
        ),
        (
            {"capabilities": ["completion", "insert", "teleport"]},
            ModelInfo("a", capabilities=CHATS),
        ),
    ],
)
async def test_what_is_odd_is_not_known(shown: object, info: ModelInfo) -> None:
    async with serving(Server([row("a")], lambda _: web.json_response(shown))) as provider:
        assert [info] == await provider.list_models()


async def test_rows_without_a_name_are_none() -> None:
    rows = [7, {}, {"name": 7, "model": "a"}, {"name": ""}, {"name": "b", "details": 7}]
    async with serving(Server(rows, lambda _: web.Response(status=404))) as provider:
        assert ["a", "b"] == [model.name for model in await provider.list_models()]


@pytest.mark.parametrize(
    ("script", "failure"),
    [
        ({"error": "runner_died"}, BackendError),
        ({"raw": "<html>", "raw_type": "text/html"}, BadResponse),
        ({"raw": "{half"}, BadResponse),
        ({"raw": "[]"}, BadResponse),
        ({"raw": '{"models":null}'}, BadResponse),
        ({"raw": "", "status": 302, "headers": {"Location": "http://127.0.0.1:9/"}}, BadResponse),
    ],
)
async def test_a_list_that_is_none_has_its_failure(
    provider: OllamaProvider, wire: OllamaPeer, script: dict[str, Any], failure: type[ProviderError]
) -> None:
    wire.script(**script)
    with pytest.raises(failure):
        await provider.list_models()


async def test_a_server_that_is_away_can_be_started() -> None:
    provider = OllamaProvider(OllamaSettings(base_url="http://127.0.0.1:9"))
    with pytest.raises(BackendUnreachable, match=r"`ollama serve`.*http://127.0.0.1:9"):
        await provider.list_models()
    await provider.aclose()


@pytest.mark.parametrize(
    ("model", "unsupported"),
    [
        ("llama-peer:latest", set()),
        ("llama-peer", set()),
        ("Llama-Peer:1B", {"tools", "reasoning_effort"}),
        ("llama-peer:modest", {"reasoning_effort"}),
        ("llama-peer:1b", {"tools", "reasoning_effort"}),
        ("nobody-knows", set()),
    ],
)
async def test_what_a_model_does_not_take_is_known_from_its_capabilities(
    provider: OllamaProvider, model: str, unsupported: set[str]
) -> None:
    never = {"parallel_tool_calls", "reasoning_tokens"}
    assert never == provider.unsupported_parameters(model)
    await provider.list_models()
    assert {*never, *unsupported} == provider.unsupported_parameters(model)
