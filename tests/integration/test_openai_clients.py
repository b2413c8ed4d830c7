"""OpenAI's own client, LangChain and `llm` talk to every vendor, and notice nothing."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import openai
import pytest
from openai import AsyncOpenAI, OpenAI
from parley_tests import clients
from parley_tests.database import fresh_database
from parley_tests.peers import RunningPeer, running_peer
from parley_tests.platform import ADMIN_KEY, Platform, running_platform
from pydantic import BaseModel

pytestmark = pytest.mark.integration

PICTURE = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
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
WIRES = {
    "openai": "openai/gpt-peer",
    "anthropic": "anthropic/claude-haiku-4-5",
    "ollama": "ollama/llama-peer:latest",
    "google": "google/gemini-3-flash-peer",
}
DEMO = "demo/demo"


class City(BaseModel):
    """What is asked for in a form."""

    name: str
    people: int


@dataclass(frozen=True)
class World:
    """A platform, and the vendors behind it."""

    platform: Platform
    vendors: dict[str, RunningPeer]
    # The vendor's client, and nothing about it is ours but where it looks.
    client: OpenAI

    def last(self, vendor: str) -> Any:
        """What a vendor was asked last."""
        return self.vendors[vendor].log()["requests"][-1]["body"]

    def asynchronous(self) -> AsyncOpenAI:
        return AsyncOpenAI(api_key=ADMIN_KEY, base_url=self.client.base_url, max_retries=0)


@pytest.fixture(scope="module")
def world(database_server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with ExitStack() as stack:
        vendors = {wire: stack.enter_context(running_peer(wire)) for wire in WIRES}
        settings = {"OPENAI_WIRE": "responses"}
        for vendor in vendors.values():
            settings |= vendor.settings
        url = stack.enter_context(fresh_database(database_server))
        logs: Path = tmp_path_factory.mktemp("logs")
        platform = stack.enter_context(running_platform(url, logs, settings))
        client = OpenAI(api_key=ADMIN_KEY, base_url=f"{platform.url}/v1", max_retries=0)
        yield World(platform, vendors, stack.enter_context(client))


def told(**script: Any) -> Any:
    """A message that says how the vendor's reply goes."""
    return {"role": "user", "content": f"#peer {json.dumps(script)}"}


def user(content: Any) -> Any:
    return {"role": "user", "content": content}


@pytest.mark.parametrize("model", WIRES.values())
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


@pytest.mark.parametrize("vendor", WIRES)
@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
def test_tools_are_called_and_answered(world: World, vendor: str, streamed: bool) -> None:
    call = {"name": "add", "arguments": {"a": 1, "b": 2}}
    begun = told(reasonings=["Let me see."], texts=[""], tool_calls=[call])
    asked: Any = {"model": WIRES[vendor], "tools": [ADD], "messages": [begun]}

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
    answer = world.client.chat.completions.create(
        model=WIRES[vendor], tools=[ADD], messages=back
    )

    assert "It is 3." == answer.choices[0].message.content
