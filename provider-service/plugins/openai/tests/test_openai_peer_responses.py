"""The peer speaks `/responses` as the vendor's own library understands it."""

from typing import Any

import openai
import pytest
from parley_tests.openai_peer import OpenAIPeer, prompt_tokens, reply_text
from pydantic import BaseModel

pytestmark = pytest.mark.unit

ASKED: list[Any] = [{"role": "user", "content": "Hi 世界"}]
CALLS = [
    {"tool_call_id": "c1", "name": "add", "arguments": '{"a": 1, "b": 1}'},
    {"tool_call_id": "c2", "name": "now", "arguments": "{}"},
]


class Sum(BaseModel):
    result: int


async def streamed(client: openai.AsyncOpenAI, **fields: Any) -> tuple[list[Any], Any]:
    """Returns the events that the library makes of a stream, and the response they add up to."""
    async with client.responses.stream(model="gpt-peer", input=ASKED, **fields) as stream:
        events: list[Any] = [event async for event in stream]
    return events, events[-1].response


async def test_a_whole_reply(client: openai.AsyncOpenAI) -> None:
    reply = await client.responses.create(
        model="gpt-peer", input="Hi 世界", instructions="Be brief."
    )
    assert (reply.output_text, reply.status) == (reply_text(ASKED), "completed")
    assert reply.usage is not None
    system = {"role": "system", "content": "Be brief."}
    assert reply.usage.input_tokens == prompt_tokens([system, *ASKED])
    assert reply.usage.output_tokens == 64


@pytest.mark.parametrize("unknown", [False, True])
async def test_the_librarys_stream_adds_up_to_the_whole_reply(
    client: openai.AsyncOpenAI, wire: OpenAIPeer, unknown: bool
) -> None:
    wire.script(reasoning=["Hm, ", "well."], texts=["Let ", "me."], calls=CALLS, unknown=unknown)
    whole = await client.responses.create(model="gpt-peer", input=ASKED)
    events, final = await streamed(client)
    assert final.output_text == whole.output_text == "Let me."
    assert [item.type for item in final.output] == ["reasoning", "message", *["function_call"] * 2]
    assert [item.id for item in whole.output] == [item.id for item in final.output]
    assert final.usage == whole.usage
    arguments = [event.delta for event in events if event.type.endswith("arguments.delta")]
    assert "".join(arguments) == "".join(call["arguments"] for call in CALLS)
    known = [event for event in events if event.type != "response.novel.delta"]
    assert (len(known) == len(events)) is not unknown


async def test_every_event_has_its_number_and_its_item(
    client: openai.AsyncOpenAI, wire: OpenAIPeer
) -> None:
    wire.script(reasoning=["Hm."], texts=["Yes", "."], calls=CALLS[1:])
    events = [
        event
        async for event in await client.responses.create(model="gpt-peer", input=ASKED, stream=True)
    ]
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert [event.type.removeprefix("response.") for event in events] == [
        "created",
        "in_progress",
        "output_item.added",
        "reasoning_summary_part.added",
        "reasoning_summary_text.delta",
        "reasoning_summary_text.done",
        "reasoning_summary_part.done",
        "output_item.done",
        "output_item.added",
        "content_part.added",
        "output_text.delta",
        "output_text.delta",
        "output_text.done",
        "content_part.done",
        "output_item.done",
        "output_item.added",
        "function_call_arguments.delta",
        "function_call_arguments.done",
        "output_item.done",
        "completed",
    ]


async def test_structured_output_is_parsed(client: openai.AsyncOpenAI, wire: OpenAIPeer) -> None:
    wire.script(texts=['{"result"', ":2}"])
    reply = await client.responses.parse(model="gpt-peer", input=ASKED, text_format=Sum)
    assert reply.output_parsed == Sum(result=2)


async def test_calls_alone_make_no_message(client: openai.AsyncOpenAI, wire: OpenAIPeer) -> None:
    wire.script(texts=[], calls=CALLS)
    _, final = await streamed(client)
    assert [item.call_id for item in final.output] == ["c1", "c2"]


@pytest.mark.parametrize("reason", ["max_output_tokens", "content_filter"])
async def test_a_response_may_be_incomplete(
    client: openai.AsyncOpenAI, wire: OpenAIPeer, reason: str
) -> None:
    wire.script(texts=["Yes, "], finish_reason=reason)
    events, final = await streamed(client)
    whole: Any = await client.responses.create(model="gpt-peer", input=ASKED)
    assert events[-1].type == "response.incomplete"
    for response in (final, whole):
        assert (response.status, response.incomplete_details.reason) == ("incomplete", reason)


async def test_a_refusal_is_a_part_of_its_own(client: openai.AsyncOpenAI, wire: OpenAIPeer) -> None:
    wire.script(texts=["No", "."], finish_reason="refusal")
    events, final = await streamed(client)
    said = [event.delta for event in events if event.type == "response.refusal.delta"]
    assert said == ["No", "."]
    assert final.output[0].content[0].refusal == "No."


async def test_usage_may_be_left_out(client: openai.AsyncOpenAI, wire: OpenAIPeer) -> None:
    wire.script(usage=False)
    assert (await client.responses.create(model="gpt-peer", input=ASKED)).usage is None


async def test_an_error_event_within_the_stream(
    client: openai.AsyncOpenAI, wire: OpenAIPeer
) -> None:
    wire.script(error="error:rate_limit_exceeded", error_after=1)
    stream = await client.responses.create(model="gpt-peer", input=ASKED, stream=True)
    last: Any = [event async for event in stream][-1]
    assert (last.type, last.code) == ("error", "rate_limit_exceeded")


async def test_a_response_may_fail(client: openai.AsyncOpenAI, wire: OpenAIPeer) -> None:
    wire.script(error="failed:server_error", error_after=1)
    stream = await client.responses.create(model="gpt-peer", input=ASKED, stream=True)
    last: Any = [event async for event in stream][-1]
    assert (last.type, last.response.status) == ("response.failed", "failed")
    assert last.response.error.code == "server_error"


async def test_tokens_are_counted(client: openai.AsyncOpenAI) -> None:
    counted = await client.responses.input_tokens.count(model="gpt-peer", input=ASKED)
    reply = await client.responses.create(model="gpt-peer", input=ASKED)
    assert reply.usage is not None
    assert counted.input_tokens == reply.usage.input_tokens
