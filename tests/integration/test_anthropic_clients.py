"""Anthropic's own client talks to every vendor through a running platform, and notices nothing."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import anthropic
import httpx
import pytest
from anthropic import Anthropic, AsyncAnthropic, beta_tool
from anthropic.types import Message
from parley_tests import clients
from parley_tests.marketplace import MODELS, PICTURE, Marketplace, running_marketplace, told
from parley_tests.platform import ADMIN_KEY
from pydantic import BaseModel

pytestmark = pytest.mark.integration

TOOL: Any = {
    "name": "add",
    "description": "Adds two numbers.",
    "input_schema": {
        "type": "object",
        "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}},
        "required": ["a", "b"],
    },
}
KEPT = {"type": "ephemeral"}
THINKERS = MODELS | {"openai": "openai/o9-peer"}


@dataclass(frozen=True)
class World(Marketplace):
    """A platform, the vendors behind it, and a client in front."""

    # The vendor's client, and nothing about it is ours but where it looks.
    client: Anthropic


@pytest.fixture(scope="module")
def world(database_server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    logs = tmp_path_factory.mktemp("logs")
    with running_marketplace(database_server, logs) as running:
        url = running.platform.url
        with Anthropic(api_key=ADMIN_KEY, base_url=url, max_retries=0) as client:
            yield World(running.platform, running.vendors, client)


def plain(message: Message) -> list[dict[str, Any]]:
    """The content, without what a vendor made up anew for this very reply."""
    return [
        {name: value for name, value in block.to_dict().items() if name in {"type", "text"}}
        for block in message.content
    ]


@pytest.mark.parametrize("model", MODELS.values())
def test_text_comes_from_every_vendor(world: World, model: str) -> None:
    asked: Any = {
        "model": model,
        "max_tokens": 4096,
        "system": "Be brief.",
        "messages": [told(texts=["Grüße ", "vom ", "Mond 🌙."])],
    }

    whole = world.client.messages.create(**asked)
    with world.client.messages.stream(**asked) as stream:
        text = "".join(stream.text_stream)
        streamed = stream.get_final_message()

    assert "Grüße vom Mond 🌙." == text
    assert plain(whole)[0] == plain(streamed)[0] == {"type": "text", "text": text}
    for message in (whole, streamed):
        assert (model, "end_turn") == (message.model, message.stop_reason)
        assert message.usage.input_tokens > 0
        assert message.usage.output_tokens > 0


@pytest.mark.parametrize("vendor", MODELS)
@pytest.mark.parametrize("is_streamed", [False, True], ids=["whole", "streamed"])
def test_tools_are_called_and_answered(world: World, vendor: str, is_streamed: bool) -> None:
    call = {"tool_call_id": "call_1", "name": "add", "arguments": '{"a": 1, "b": 2}'}
    asked: Any = {"model": MODELS[vendor], "max_tokens": 4096, "tools": [TOOL]}
    messages = [told(texts=[], calls=[call])]

    if is_streamed:
        with world.client.messages.stream(**asked, messages=messages) as stream:
            message: Message = stream.get_final_message()
    else:
        message = world.client.messages.create(**asked, messages=messages)
    used = [block for block in message.content if block.type == "tool_use"]
    result = {"type": "tool_result", "tool_use_id": used[0].id, "content": "3"}
    messages += [
        {"role": "assistant", "content": message.content},
        {"role": "user", "content": [result, {"type": "text", "text": '#peer {"texts": ["3!"]}'}]},
    ]
    answer = world.client.messages.create(**asked, messages=messages)

    assert ("tool_use", "add", {"a": 1, "b": 2}) == (
        message.stop_reason,
        used[0].name,
        used[0].input,
    )
    assert {"type": "text", "text": "3!"} == plain(answer)[0]


@pytest.mark.parametrize("vendor", THINKERS)
@pytest.mark.parametrize("is_streamed", [False, True], ids=["whole", "streamed"])
def test_thinking_goes_back_to_who_thought_it(world: World, vendor: str, is_streamed: bool) -> None:
    """The peers refuse what they signed and somebody changed."""
    asked: Any = {
        "model": THINKERS[vendor],
        "max_tokens": 4096,
        "thinking": {"type": "enabled", "budget_tokens": 2000},
    }
    messages = [told(reasoning=["Hm, ", "well."], texts=["Yes."])]

    if is_streamed:
        with world.client.messages.stream(**asked, messages=messages) as stream:
            message: Message = stream.get_final_message()
    else:
        message = world.client.messages.create(**asked, messages=messages)
    messages += [{"role": "assistant", "content": message.content}, told(texts=["Again."])]
    world.client.messages.create(**asked, messages=messages)

    thought = next(block for block in message.content if block.type == "thinking")
    assert "Hm, well." == thought.thinking
    assert thought.signature.startswith("parley1.")
    assert carried(vendor, world.last(vendor))


def carried(vendor: str, body: Any) -> bool:
    """Say whether a vendor was given its own thinking back."""
    match vendor:
        case "openai":
            return any(item.get("encrypted_content") for item in body["input"])
        case "anthropic":
            blocks = body["messages"][1]["content"]
            return [block["type"] for block in blocks] == ["thinking", "text"]
        case "google":
            return any("thoughtSignature" in part for part in body["contents"][1]["parts"])
        case _:
            return bool(body["messages"][1]["thinking"] == "Hm, well.")


@pytest.mark.parametrize("vendor", MODELS)
def test_pictures_are_seen(world: World, vendor: str) -> None:
    data = base64.b64encode(PICTURE).decode()
    source = {"type": "base64", "media_type": "image/png", "data": data}
    content: Any = [{"type": "image", "source": source}, {"type": "text", "text": "What is it?"}]

    world.client.messages.create(
        model=MODELS[vendor], max_tokens=4096, messages=[{"role": "user", "content": content}]
    )

    assert data in json.dumps(world.last(vendor))


class Moon(BaseModel):
    name: str
    days: float


def test_structured_output_is_parsed(world: World) -> None:
    asked: Any = {
        "model": MODELS["openai"],
        "max_tokens": 4096,
        "messages": [told(texts=['{"name": "Luna", ', '"days": 29.5}'])],
        "output_format": Moon,
    }

    whole = world.client.messages.parse(**asked)
    with world.client.messages.stream(**asked) as stream:
        streamed = stream.get_final_message()
    beta = world.client.beta.messages.parse(**asked)

    moon = Moon(name="Luna", days=29.5)
    assert moon == whole.parsed_output == streamed.parsed_output == beta.parsed_output
    schema = world.last("openai")["text"]["format"]["schema"]
    assert {"name", "days"} == schema["properties"].keys()


def test_a_tool_runner_runs_to_the_end(world: World) -> None:
    added = []

    @beta_tool
    def add(a: int, b: int) -> str:
        """Add two numbers."""
        added.append((a, b))
        return str(a + b)

    for stream in (False, True):
        runner = world.client.beta.messages.tool_runner(
            model="demo/demo",
            max_tokens=4096,
            tools=[add],
            stream=stream,
            messages=[{"role": "user", "content": '/call add {"a": 1, "b": 2}'}],
        )
        last = runner.until_done()
        assert "Hello from the demo provider" in last.content[0].text  # type: ignore[union-attr]

    assert [(1, 2), (1, 2)] == added


async def test_the_asynchronous_client_does_the_same(world: World) -> None:
    asked: Any = {
        "model": "demo/demo",
        "max_tokens": 4096,
        "messages": [{"role": "user", "content": "/think Hm.\nWell, yes."}],
    }
    async with AsyncAnthropic(api_key=ADMIN_KEY, base_url=world.platform.url) as client:
        whole = await client.messages.create(**asked)
        async with client.messages.stream(**asked) as stream:
            text = [piece async for piece in stream.text_stream]
            streamed = await stream.get_final_message()
        counted = await client.messages.count_tokens(model="demo/demo", messages=asked["messages"])

    assert plain(whole) == plain(streamed)
    assert ["thinking", "text"] == [block.type for block in whole.content]
    assert "Well, yes." == "".join(text)
    assert counted.input_tokens > 0


@pytest.mark.parametrize("vendor", ["anthropic", "openai", "google"])
def test_tokens_are_counted_by_who_counts(world: World, vendor: str) -> None:
    messages: Any = [{"role": "user", "content": "How many words are these?"}]

    counted = world.client.beta.messages.count_tokens(model=MODELS[vendor], messages=messages)

    assert counted.input_tokens > 0


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("/error 400", anthropic.BadRequestError),
        ("/error 402", anthropic.PaymentRequiredError),
        ("/error 413", anthropic.RequestTooLargeError),
        ("/error 422", anthropic.BadRequestError),
        ("/error 429", anthropic.RateLimitError),
        ("/error 500", anthropic.InternalServerError),
        ("/error 529", anthropic.OverloadedError),
        ("/error timeout", anthropic.DeadlineExceededError),
    ],
)
def test_failures_are_those_that_clients_know(
    world: World, text: str, kind: type[anthropic.APIStatusError]
) -> None:
    messages: Any = [{"role": "user", "content": text}]

    with pytest.raises(kind) as failed:
        world.client.messages.create(model="demo/demo", max_tokens=9, messages=messages)

    assert "message" in json.dumps(failed.value.body)
    assert failed.value.request_id


def test_what_is_not_there_is_told(world: World) -> None:
    asked: Any = {"max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}]}

    with pytest.raises(anthropic.NotFoundError):
        world.client.messages.create(model="demo/none", **asked)
    with pytest.raises(anthropic.AuthenticationError):
        world.client.with_options(api_key="wrong").messages.create(model="demo/demo", **asked)
    with pytest.raises(anthropic.BadRequestError, match="inference_geo"):
        world.client.messages.create(model="demo/demo", inference_geo="eu", **asked)


def test_who_speaks_the_dialect_knows_its_fields(world: World) -> None:
    world.client.messages.create(
        model=MODELS["anthropic"], max_tokens=9, messages=[told(texts=["Yes."])], inference_geo="eu"
    )

    assert "eu" == world.last("anthropic")["inference_geo"]


def test_what_is_marked_is_kept_and_billed(world: World) -> None:
    """Once written, for long or not, and then read; each at its own price."""
    asked: Any = {
        "model": MODELS["anthropic"],
        "max_tokens": 9,
        "system": [
            {"type": "text", "text": "Be brief. " * 40, "cache_control": {**KEPT, "ttl": "1h"}}
        ],
        "messages": [{"role": "user", "content": "How are you? " * 40}],
        "cache_control": KEPT,
    }
    whole = world.client.messages.create(**asked).usage
    with world.client.messages.stream(**asked) as stream:
        streamed = stream.get_final_message().usage
    records = httpx.get(
        f"{world.platform.url}/usage/records?page_size=2",
        headers={"Authorization": f"Bearer {ADMIN_KEY}"},
    ).json()["records"]

    total = whole.cache_creation_input_tokens or 0
    long = whole.cache_creation.ephemeral_1h_input_tokens if whole.cache_creation else 0
    assert (0, 0, True, True) == (
        whole.input_tokens,
        whole.cache_read_input_tokens,
        total > long,
        long > 0,
    )
    assert (0, 0, total) == (
        streamed.input_tokens,
        streamed.cache_creation_input_tokens,
        streamed.cache_read_input_tokens,
    )
    # In thousandths of a dollar for a million: of output, cached, written, and written for long.
    costs = [
        5_000 * streamed.output_tokens + 100 * total,
        5_000 * whole.output_tokens + 1_250 * (total - long) + 2_000 * long,
    ]
    assert costs == [Decimal(one["cost"]["amount"]) * 10**9 for one in records]
    assert [0, long] == [one["usage"]["long_cache_write_tokens"] for one in records]
    assert KEPT == world.last("anthropic")["messages"][0]["content"][0]["cache_control"]


def test_a_failure_in_a_stream_is_raised(world: World) -> None:
    messages: Any = [{"role": "user", "content": "/break 503 One word"}]
    asked: Any = {"model": "demo/demo", "max_tokens": 9, "messages": messages}

    with world.client.messages.stream(**asked) as stream:
        with pytest.raises(anthropic.APIStatusError) as failed:
            stream.until_done()
        said = stream.current_message_snapshot

    body: Any = failed.value.body
    assert "overloaded_error" == body["error"]["type"]
    assert {"type": "text", "text": "One word"} == plain(said)[0]


async def test_langchain_does_what_its_users_do(world: World) -> None:
    """What a vendor signed goes through it, too: the peer refuses calls without."""
    found = await clients.report(
        "langchain_messages", url=world.platform.url, key=ADMIN_KEY, signing=MODELS["google"]
    )

    assert found.pop("usage") > 0
    assert found.pop("streamed_usage") > 0
    assert {
        "said": "Hello you",
        "model": "demo/demo",
        "streamed": "Hello you",
        "thought": ["thinking", "text"],
        "structured": ["City", "City"],
        "called": [["add", {"a": 1, "b": 2}, "3."]] * 2,
        "counted": True,
    } == found
    sent = json.dumps(world.last("google"))
    assert "thoughtSignature" in sent
    assert "skip_thought_signature_validator" not in sent
