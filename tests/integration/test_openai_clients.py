"""OpenAI's own client, LangChain and `llm` talk to every vendor, and notice nothing."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
import yaml
from openai import AsyncOpenAI, OpenAI
from parley_tests import clients
from parley_tests.marketplace import MODELS, PICTURE, Marketplace, running_marketplace, told
from parley_tests.platform import ADMIN_KEY
from pydantic import BaseModel

pytestmark = pytest.mark.integration

PICTURE_URL = f"data:image/png;base64,{base64.b64encode(PICTURE).decode()}"
ADD: Any = {
    "type": "function",
    "function": {
        "name": "add",
        "description": "Adds two numbers.",
        "parameters": {
            "type": "object",
            "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}},
            "required": ["a", "b"],
            "additionalProperties": False,
        },
        "strict": True,
    },
}
CALL = {"tool_call_id": "call_1", "name": "add", "arguments": '{"a": 1, "b": 2}'}
DEMO = "demo/demo"


class City(BaseModel):
    """What is asked for in a form."""

    name: str
    people: int


@dataclass(frozen=True)
class World(Marketplace):
    """A platform, the vendors behind it, and a client in front."""

    # The vendor's client, and nothing about it is ours but where it looks.
    client: OpenAI

    def asynchronous(self) -> AsyncOpenAI:
        return AsyncOpenAI(api_key=ADMIN_KEY, base_url=self.client.base_url, max_retries=0)


@pytest.fixture(scope="module")
def world(database_server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    logs = tmp_path_factory.mktemp("logs")
    with running_marketplace(database_server, logs) as running:
        url = f"{running.platform.url}/v1"
        with OpenAI(api_key=ADMIN_KEY, base_url=url, max_retries=0) as client:
            yield World(running.platform, running.vendors, client)


def user(content: Any) -> Any:
    return {"role": "user", "content": content}


@pytest.mark.parametrize("model", MODELS.values())
def test_text_comes_from_every_vendor(world: World, model: str) -> None:
    asked: Any = {
        "model": model,
        "messages": [
            {"role": "developer", "content": "Be brief."},
            told(texts=["Grüße ", "vom ", "Mond 🌙."]),
        ],
    }

    whole = world.client.chat.completions.create(**asked)
    with world.client.chat.completions.stream(
        **asked, stream_options={"include_usage": True}
    ) as stream:
        streamed = stream.get_final_completion()

    for completion in (whole, streamed):
        [choice] = completion.choices
        assert ("Grüße vom Mond 🌙.", "stop") == (choice.message.content, choice.finish_reason)
        assert model == completion.model
        assert completion.usage
        assert completion.usage.total_tokens > 0
    assert whole.usage == streamed.usage


@pytest.mark.parametrize("vendor", MODELS)
@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
def test_tools_are_called_and_answered(world: World, vendor: str, streamed: bool) -> None:
    begun = told(reasoning=["Let me see."], texts=[], calls=[CALL])
    asked: Any = {"model": MODELS[vendor], "tools": [ADD], "messages": [begun]}

    if streamed:
        with world.client.chat.completions.stream(**asked) as stream:
            [choice] = stream.get_final_completion().choices
    else:
        [choice] = world.client.chat.completions.create(**asked).choices
    assert "tool_calls" == choice.finish_reason
    [called] = choice.message.tool_calls or []
    assert called.type == "function"
    assert {"a": 1, "b": 2} == json.loads(called.function.arguments)
    back = [
        begun,
        choice.message.model_dump(),
        {"role": "tool", "tool_call_id": called.id, "content": "3"},
        told(texts=["It is 3."]),
    ]
    answer = world.client.chat.completions.create(model=MODELS[vendor], tools=[ADD], messages=back)

    assert "It is 3." == answer.choices[0].message.content


@pytest.mark.parametrize("model", MODELS.values())
def test_what_a_model_thought_goes_back_with_its_signature(world: World, model: str) -> None:
    """A vendor that signs its reasoning refuses the next request when anything was lost."""
    begun = told(reasoning=["Let me ", "see."], texts=["It is "], calls=[CALL])
    asked: Any = {
        "model": model.replace("gpt-peer", "o9-peer"),
        "tools": [ADD],
        "reasoning_effort": "high",
    }
    [choice] = world.client.chat.completions.create(**asked, messages=[begun]).choices

    assert "Let me see." == choice.message.model_dump()["reasoning_content"]
    [called] = choice.message.tool_calls or []
    result: Any = {"role": "tool", "tool_call_id": called.id, "content": "3"}
    back: Any = [begun, choice.message.model_dump(), result]
    world.client.chat.completions.create(**asked, messages=back)


@pytest.mark.parametrize("model", [DEMO, "openai/gpt-peer"])
async def test_the_asynchronous_client_streams(world: World, model: str) -> None:
    text = "/echo Hello you" if model == DEMO else '#peer {"texts": ["Hello ", "you"]}'
    async with world.asynchronous() as client:
        asked: Any = {"model": model, "messages": [user(text)], "stream": True}
        stream = await client.chat.completions.create(**asked)
        chunks = [chunk async for chunk in stream]

    deltas = [chunk.choices[0].delta for chunk in chunks]
    assert "assistant" == deltas[0].role
    assert "Hello you" == "".join(delta.content or "" for delta in deltas)
    assert "stop" == chunks[-1].choices[0].finish_reason


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
def test_a_form_is_filled_in(world: World, streamed: bool) -> None:
    asked: Any = {"model": DEMO, "messages": [user("A city?")], "response_format": City}

    if streamed:
        with world.client.chat.completions.stream(**asked) as stream:
            parsed = stream.get_final_completion().choices[0].message.parsed
    else:
        parsed = world.client.chat.completions.parse(**asked).choices[0].message.parsed

    assert isinstance(parsed, City)


def test_arguments_of_a_tool_are_parsed(world: World) -> None:
    tool = openai.pydantic_function_tool(City, name="city")
    asked = user('/call city {"name": "Bern", "people": 1}')

    told = world.client.chat.completions.parse(model=DEMO, messages=[asked], tools=[tool])

    [call] = told.choices[0].message.tool_calls or []
    assert City(name="Bern", people=1) == call.function.parsed_arguments


@pytest.mark.parametrize("vendor", MODELS)
def test_pictures_are_shown(world: World, vendor: str) -> None:
    parts = [
        {"type": "text", "text": "Look"},
        {"type": "image_url", "image_url": {"url": PICTURE_URL, "detail": "low"}},
    ]

    world.client.chat.completions.create(model=MODELS[vendor], messages=[user(parts)])

    assert base64.b64encode(PICTURE).decode() in json.dumps(world.last(vendor))


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
def test_several_choices_are_made(world: World, streamed: bool) -> None:
    asked: Any = {"model": DEMO, "messages": [user("/echo A b c")], "n": 3}

    if streamed:
        with world.client.chat.completions.stream(**asked) as stream:
            told = stream.get_final_completion()
    else:
        told = world.client.chat.completions.create(**asked)
        assert told.usage
        assert 0 == told.usage.completion_tokens % 3

    assert [(0, "A b c"), (1, "A b c"), (2, "A b c")] == [
        (choice.index, choice.message.content) for choice in told.choices
    ]


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
def test_probabilities_are_told(world: World, streamed: bool) -> None:
    asked: Any = {
        "model": DEMO,
        "messages": [user("/echo A b")],
        "logprobs": True,
        "top_logprobs": 2,
    }

    if streamed:
        with world.client.chat.completions.stream(**asked) as stream:
            [choice] = stream.get_final_completion().choices
    else:
        [choice] = world.client.chat.completions.create(**asked).choices

    assert choice.logprobs
    tokens = choice.logprobs.content or []
    assert "A b" == "".join(token.token for token in tokens)
    assert all(token.logprob <= 0 and len(token.top_logprobs) <= 2 for token in tokens)


FAILURES = [
    ({"messages": [user("/error 429 7")]}, openai.RateLimitError, "rate_limit_exceeded"),
    ({"messages": [user("/error 422")]}, openai.BadRequestError, "context_length_exceeded"),
    ({"messages": [user("/error 503")]}, openai.InternalServerError, "server_is_overloaded"),
    ({"model": "demo/none"}, openai.NotFoundError, "model_not_found"),
    ({"model": "none/none"}, openai.NotFoundError, "model_not_found"),
    ({"messages": []}, openai.BadRequestError, "invalid_argument"),
    ({"something_new": 1}, openai.BadRequestError, "invalid_argument"),
]


@pytest.mark.parametrize(("change", "kind", "code"), FAILURES)
@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
def test_failures_are_those_of_the_client(
    world: World,
    change: dict[str, Any],
    kind: type[openai.APIStatusError],
    code: str,
    streamed: bool,
) -> None:
    asked: Any = {"model": DEMO, "messages": [user("Hello")], "stream": streamed} | change
    more = {name: asked.pop(name) for name in change if name == "something_new"}

    with pytest.raises(kind) as found:
        world.client.chat.completions.create(**asked, extra_body=more)

    assert code == found.value.code
    assert found.value.request_id


def test_a_failure_in_a_stream_is_raised(world: World) -> None:
    asked: Any = {"model": DEMO, "messages": [user("/break 500 A b")]}
    stream = world.client.chat.completions.create(**asked, stream=True)
    texts: list[str] = []

    with pytest.raises(openai.APIError) as found:
        texts.extend(chunk.choices[0].delta.content or "" for chunk in stream)

    assert ("A b", "provider_error") == ("".join(texts), found.value.code)


def test_a_key_that_is_not_valid_is_told_so(world: World) -> None:
    stranger = world.client.with_options(api_key="sk-anything")

    with pytest.raises(openai.AuthenticationError) as found:
        stranger.models.list()

    assert "invalid_api_key" == found.value.code


def test_a_client_that_leaves_stops_the_vendor(world: World) -> None:
    vendor = world.vendors["openai"]
    asked: Any = {"model": "openai/gpt-peer", "messages": [told(texts=["A", "b"], hold_after=1)]}
    before = vendor.log()["disconnects"]

    with world.client.chat.completions.create(**asked, stream=True) as stream:
        for chunk in stream:
            if chunk.choices[0].delta.content:
                break

    give_up = time.monotonic() + 15
    while vendor.log()["disconnects"] == before and time.monotonic() < give_up:
        time.sleep(0.05)
    assert before + 1 == vendor.log()["disconnects"]


def test_models_are_listed_and_found(world: World) -> None:
    listed = {model.id: model for model in world.client.models.list()}

    assert {DEMO, *MODELS.values()} <= listed.keys()
    for name in (DEMO, "openai/gpt-peer"):
        assert listed[name] == world.client.models.retrieve(name)
    with pytest.raises(openai.NotFoundError):
        world.client.models.retrieve("demo/none")


@pytest.mark.parametrize("form", ["float", "base64", None])
def test_texts_become_vectors(world: World, form: Any) -> None:
    asked: Any = {"model": "demo/demo-embedding", "input": ["Venus", "Mars"], "dimensions": 8}

    told = world.client.embeddings.create(**asked, **({"encoding_format": form} if form else {}))

    assert [(0, form == "base64"), (1, form == "base64")] == [
        (one.index, isinstance(one.embedding, str)) for one in told.data
    ]
    assert ("demo/demo-embedding", 2) == (told.model, told.usage.prompt_tokens)


def test_a_conversation_goes_on_where_it_was(world: World) -> None:
    """It is one of our chats: our own routes show it."""
    asked: Any = {"model": DEMO, "extra_body": {"conversation": "with-openai"}}
    first = world.client.chat.completions.create(messages=[user("/echo One")], **asked)
    chunks = list(
        world.client.chat.completions.create(messages=[user("/echo Two")], stream=True, **asked)
    )

    assert "One" == first.choices[0].message.content
    assert "Two" == "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
    headers = {"x-api-key": ADMIN_KEY}
    history = httpx.get(f"{world.platform.url}/chat/history/with-openai", headers=headers).json()
    contents = [message["content"] for message in history["messages"]]
    assert ["/echo One", "One", "/echo Two", "Two"] == contents
    names = [chunk.model_dump()["message_id"] for chunk in chunks]
    assert {history["messages"][-1]["message_id"]} == set(names)


async def test_langchain_notices_nothing(world: World) -> None:
    found = await clients.report("langchain_chat", url=str(world.client.base_url), key=ADMIN_KEY)

    assert found.pop("usage") > 0
    assert found.pop("streamed_usage") > 0
    assert {
        "said": "Hello you",
        "model": DEMO,
        "streamed": "Hello you",
        "call": ["add", {"a": 1, "b": 2}],
        "answered": True,
        "structured": ["City", "City"],
        "batch": [8, 8],
        "query": True,
    } == found


async def test_llm_notices_nothing(world: World, tmp_path: Path) -> None:
    model = {
        "model_id": "parley",
        "model_name": DEMO,
        "api_base": str(world.client.base_url),
        "api_key_name": "parley",
        "supports_schema": True,
        "supports_tools": True,
    }
    (tmp_path / "extra-openai-models.yaml").write_text(yaml.safe_dump([model]))
    (tmp_path / "keys.json").write_text(json.dumps({"parley": ADMIN_KEY}))
    home = {"LLM_USER_PATH": str(tmp_path)}

    said = await clients.run("llm", "-m", "parley", "/echo Hello you", environment=home)
    more = await clients.run("llm", "-c", "--no-stream", "/echo Again", environment=home)
    city = await clients.run(
        "llm", "-m", "parley", "--schema", "name, people int", "A city?", environment=home
    )

    assert ("Hello you", "Again") == (said.strip(), more.strip())
    assert {"name", "people"} == json.loads(city).keys()
