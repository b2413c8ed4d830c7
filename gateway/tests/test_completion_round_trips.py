"""What a vendor wants back goes through OpenAI's own client and comes back as it was."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx2
import openai
import pytest
from fastapi import FastAPI
from google.protobuf.json_format import MessageToDict

from parley.provider.v1.reply_pb2 import FINISH_REASON_TOOL

from .conftest import ADMIN_KEY
from .fakes import Script
from .replies import ANSWERER, Event, call, end, said, text, thought

pytestmark = pytest.mark.unit


@pytest.fixture
async def sdk(app: FastAPI) -> AsyncIterator[openai.AsyncOpenAI]:
    """OpenAI's client, in this process."""
    transport = httpx2.ASGITransport(app)
    async with (
        httpx2.AsyncClient(transport=transport) as http,
        openai.AsyncOpenAI(
            api_key=ADMIN_KEY, base_url="http://gateway/v1", http_client=http, max_retries=0
        ) as client,
    ):
        yield client


def signed(kind: str, word: bytes) -> Event:
    return Event(**{f"{kind}_metadata": word})  # type: ignore[arg-type]  # of two kinds


HELLO: Any = {"role": "user", "content": "Hello"}
SIGNED = [thought("We"), thought("ll"), signed("reasoning", b'{"s":1}')]
ENCRYPTED = [signed("reasoning", b'{"e":2}')]
# What a vendor says, and the parts of the message that comes back.
REPLIES: dict[str, tuple[list[Event], list[dict[str, Any]]]] = {
    "text": ([text("A"), text("b")], [{"text": "Ab"}]),
    "reasoning, unsigned": ([thought("Well"), text("A")], [{"reasoning": "Well"}, {"text": "A"}]),
    "reasoning": (
        [*SIGNED, text("A")],
        [{"reasoning": "Well", "provider_metadata": "eyJzIjoxfQ=="}, {"text": "A"}],
    ),
    "reasoning in pieces": (
        [*SIGNED, *ENCRYPTED, thought("Hm"), text("A")],
        [
            {"reasoning": "Well", "provider_metadata": "eyJzIjoxfQ=="},
            {"reasoning": "", "provider_metadata": "eyJlIjoyfQ=="},
            {"reasoning": "Hm"},
            {"text": "A"},
        ],
    ),
    "calls": (
        [call(0, "weather", '{"a":'), call(0, "", "1}", b'{"c":3}'), call(1, "clock", "{}")],
        [
            {
                "tool_call": {
                    "tool_call_id": "call_0",
                    "name": "weather",
                    "arguments": '{"a":1}',
                },
                "provider_metadata": "eyJjIjozfQ==",
            },
            {"tool_call": {"tool_call_id": "call_1", "name": "clock", "arguments": "{}"}},
        ],
    ),
    "text in pieces": (
        [text("A 🌙"), signed("text", b'{"t":4}'), text("b")],
        [{"text": "A 🌙", "provider_metadata": "eyJ0Ijo0fQ=="}, {"text": "b"}],
    ),
    "all in its order": (
        [text("A"), *SIGNED, text("b"), call(0, "clock", "{}"), text("c"), *ENCRYPTED],
        [
            {"text": "A"},
            {"reasoning": "Well", "provider_metadata": "eyJzIjoxfQ=="},
            {"text": "b"},
            {"tool_call": {"tool_call_id": "call_0", "name": "clock", "arguments": "{}"}},
            {"text": "c"},
            {"reasoning": "", "provider_metadata": "eyJlIjoyfQ=="},
        ],
    ),
}


def parts_of(script: Script, owner: str = "") -> list[dict[str, Any]]:
    """The parts of the model's message in the last request; who answered is whose metadata is."""
    message = MessageToDict(script.last.request.messages[1], preserving_proto_field_name=True)
    found: list[dict[str, Any]] = message["parts"]
    for part in found:
        if "provider_metadata" in part:
            assert owner == part.pop("metadata_provider", "")
    return found


@pytest.mark.parametrize("name", REPLIES)
@pytest.mark.parametrize("streamed", [False, True])
async def test_a_message_comes_back_as_it_was_made(
    sdk: openai.AsyncOpenAI, script: Script, name: str, streamed: bool
) -> None:
    events, parts = REPLIES[name]
    script.replies = [[ANSWERER, *events, end(FINISH_REASON_TOOL)], said("Done")]
    asked: Any = {"model": "acme/large", "messages": [HELLO]}
    if streamed:
        async with sdk.chat.completions.stream(**asked) as stream:
            message = (await stream.get_final_completion()).choices[0].message
    else:
        message = (await sdk.chat.completions.create(**asked)).choices[0].message

    back: Any = [HELLO, message.model_dump(), HELLO]
    await sdk.chat.completions.create(model="acme/large", messages=back)

    assert parts == parts_of(script, owner="acme")


async def test_a_message_that_its_client_changed_loses_its_order_only(
    sdk: openai.AsyncOpenAI, script: Script
) -> None:
    script.replies = [[text("A"), *SIGNED, text("b"), end()], said("Done")]
    asked: Any = {"model": "acme/large", "messages": [HELLO]}
    told = (await sdk.chat.completions.create(**asked)).choices[0].message.model_dump()

    back: Any = [HELLO, told | {"content": "Changed"}, HELLO]
    await sdk.chat.completions.create(model="acme/large", messages=back)

    signed_one = {"reasoning": "Well", "provider_metadata": "eyJzIjoxfQ=="}
    assert [signed_one, {"text": "Changed"}] == parts_of(script)


async def test_a_call_in_the_old_form_keeps_what_its_vendor_wants(
    sdk: openai.AsyncOpenAI, script: Script
) -> None:
    script.replies = [
        [call(0, "weather", "{}", b'{"c":3}'), end(FINISH_REASON_TOOL)],
        said("Done"),
    ]
    asked: Any = {"model": "acme/large", "functions": [{"name": "weather"}]}
    told = (await sdk.chat.completions.create(messages=[HELLO], **asked)).choices[0].message

    back: Any = [HELLO, told.model_dump(), {"role": "function", "name": "weather", "content": ""}]
    await sdk.chat.completions.create(messages=back, **asked)

    assert "eyJjIjozfQ==" == parts_of(script)[0]["provider_metadata"]
