"""Replies as Anthropic's messages, row by row: whole, and as events that add up to the same."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from parley_gateway.api.dialects.messages.answers import AnthropicMessage, AnthropicUsage
from parley_gateway.api.dialects.messages.blocks import AnthropicAssistantMessage
from parley_gateway.api.dialects.messages.carried import Owner, written
from parley_gateway.api.dialects.messages.conversation import said
from parley_gateway.api.dialects.messages.frames import Frames
from parley_gateway.api.dialects.messages.message import Whole, usage
from parley_gateway.api.dialects.opaque import wrapped

from parley.provider.v1 import reply_pb2
from parley.provider.v1.reply_pb2 import (
    Finished,
    GenerateReplyResponse,
    ModelChoice,
    ToolCallDelta,
    Usage,
)

pytestmark = pytest.mark.unit

Event = GenerateReplyResponse
Fields = dict[str, Any]
USED = Usage(input_tokens=9, output_tokens=5, cached_input_tokens=4, reasoning_tokens=2)
END = Event(finished=Finished(reason=reply_pb2.FINISH_REASON_STOP, usage=USED))
SIGNED = b'{"anthropic":{"signature":"abc"}}'
FIELDS = {
    "text_delta": "text",
    "thinking_delta": "thinking",
    "signature_delta": "signature",
    "input_json_delta": "partial_json",
}


def call(index: int, arguments: str = "", metadata: bytes = b"", **known: str) -> Event:
    part = ToolCallDelta(
        index=index,
        arguments=arguments,
        provider_metadata=metadata,
        **known,
    )
    return Event(tool_call=part)


def called(index: int, *arguments: str) -> list[Event]:
    first = call(index, tool_call_id=f"c{index}", name="add")
    return [first, *(call(index, one) for one in arguments)]


def tool_use(index: int, **given: Any) -> Fields:
    return {"type": "tool_use", "id": f"c{index}", "name": "add", "input": given}


def text(words: str) -> Fields:
    return {"type": "text", "text": words}


def thinking(words: str, signature: str = "") -> Fields:
    return {"type": "thinking", "thinking": words, "signature": signature}


def redacted(owner: Owner, call_id: str = "") -> Fields:
    return {"type": "redacted_thinking", "data": written(owner, SIGNED, call_id)}


def whole(*events: Event) -> Fields:
    made = Whole("asked")
    for event in (*events, END):
        made.take(event)
    message = made.message("msg_1")
    msgspec.convert(message, AnthropicMessage)
    return message


def streamed(*events: Event) -> list[Fields]:
    frames = Frames("msg_1", "asked")
    wire = b"".join(frames.take(event) for event in (*events, END)).decode()
    told = []
    for lines in wire.split("\n\n")[:-1]:
        name, data = lines.split("\n")
        told.append(json.loads(data.removeprefix("data: ")))
        assert f"event: {told[-1]['type']}" == name
    return told


def added_up(told: list[Fields]) -> Fields:
    """The message that a client makes of the events."""
    message: Fields = {}
    inputs: dict[int, str] = {}
    for event in told:
        match event["type"]:
            case "message_start":
                message = event["message"]
            case "content_block_start":
                assert len(message["content"]) == event["index"]
                message["content"].append(event["content_block"])
            case "content_block_delta":
                number, delta = event["index"], event["delta"]
                grown = delta[FIELDS[delta["type"]]]
                if delta["type"] == "input_json_delta":
                    inputs[number] = inputs.get(number, "") + grown
                else:
                    message["content"][number][FIELDS[delta["type"]]] += grown
            case "message_delta":
                message |= event["delta"] | {"usage": event["usage"]}
    for number, given in inputs.items():
        message["content"][number]["input"] = json.loads(given)
    return message


CUTS: list[tuple[list[Event], list[Fields]]] = [
    ([], []),
    ([Event(text="A "), Event(text="day 🌙")], [text("A day 🌙")]),
    ([Event(reasoning="Hm"), Event(reasoning=".")], [thinking("Hm.")]),
    ([Event(reasoning="Hm."), Event(text="A day")], [thinking("Hm."), text("A day")]),
    (
        [Event(reasoning="Hm."), Event(reasoning_metadata=SIGNED), Event(reasoning="So")],
        [thinking("Hm.", wrapped(SIGNED)), thinking("So")],
    ),
    ([Event(reasoning_metadata=SIGNED), Event(text="A")], [redacted(Owner.THINKING), text("A")]),
    (
        [Event(text="A"), Event(text_metadata=SIGNED), Event(text="B")],
        [text("A"), redacted(Owner.TEXT), text("B")],
    ),
    ([Event(text="A"), Event(text_metadata=b"{}"), Event(text="B")], [text("A"), text("B")]),
    ([Event(text_metadata=SIGNED)], [redacted(Owner.BLANK)]),
    (
        [Event(text="A"), Event(text_metadata=b"{}"), Event(text_metadata=SIGNED)],
        [text("A"), redacted(Owner.BLANK)],
    ),
    ([*called(0, '{"a', '":1}')], [tool_use(0, a=1)]),
    ([*called(0)], [tool_use(0)]),
    ([*called(0, " \n")], [tool_use(0)]),
    ([*called(0, " ", '{"a":1}')], [tool_use(0, a=1)]),
    (
        [Event(text="So"), *called(0, '{"a":1}'), *called(1, '{"b":2}')],
        [text("So"), tool_use(0, a=1), tool_use(1, b=2)],
    ),
    # Calls that come mixed.
    (
        [*called(0, '{"a":'), *called(1, '{"b":2}'), call(0, "1}")],
        [tool_use(0, a=1), tool_use(1, b=2)],
    ),
    # Arguments that are no object.
    ([*called(0, "[1,", "2]")], [tool_use(0, INVALID_JSON="[1,2]")]),
    ([*called(0, " ", "two"), *called(1)], [tool_use(0, INVALID_JSON=" two"), tool_use(1)]),
    (
        [*called(0, '{"a":1}'), call(0, metadata=SIGNED), *called(1)],
        [tool_use(0, a=1), redacted(Owner.CALL, "c0"), tool_use(1)],
    ),
    (
        [call(0, '{"a":1}', SIGNED, tool_call_id="c0", name="add")],
        [tool_use(0, a=1), redacted(Owner.CALL, "c0")],
    ),
]


@pytest.mark.parametrize(("events", "content"), CUTS)
def test_a_reply_is_cut_into_blocks(events: list[Event], content: list[Fields]) -> None:
    assert content == whole(*events)["content"]


@pytest.mark.parametrize("events", [events for events, _ in CUTS])
def test_events_add_up_to_the_whole_message(events: list[Event]) -> None:
    told = streamed(*events)

    assert whole(*events) == added_up(told)
    kinds = [event["type"] for event in told]
    assert ["message_start", "ping"] == kinds[:2]
    assert ["message_delta", "message_stop"] == kinds[-2:]
    started = [event["index"] for event in told if event["type"] == "content_block_start"]
    stopped = [event["index"] for event in told if event["type"] == "content_block_stop"]
    assert started == stopped == [*range(len(started))]


@pytest.mark.parametrize("events", [events for events, _ in CUTS])
def test_what_its_vendor_wants_back_comes_back(events: list[Event]) -> None:
    content = whole(*events)["content"]

    message = msgspec.convert({"role": "assistant", "content": content}, AnthropicAssistantMessage)

    metadata = [part.provider_metadata for one in said(message.content) for part in one.parts]
    fields = ("text_metadata", "reasoning_metadata")
    sent = [getattr(event, name) for event in events for name in fields] + [
        event.tool_call.provider_metadata for event in events
    ]
    assert [SIGNED for one in sent if one == SIGNED] == [one for one in metadata if one]


def test_what_breaks_off_is_given_as_it_is() -> None:
    events = called(0, '{"a":')

    assert [tool_use(0, INVALID_JSON='{"a":')] == whole(*events)["content"]
    deltas = [
        one["delta"]["partial_json"]
        for one in streamed(*events)
        if "index" in one and "delta" in one
    ]
    assert ['{"a":'] == deltas


def test_arguments_are_told_as_they_come() -> None:
    frames = Frames("msg_1", "asked")

    told = [frames.take(event) for event in called(0, '{"a"', ":1}")]

    assert [b"content_block_start" in told[0], b':1}"' in told[2]] == [True, True]
    assert b'"partial_json":"{\\"a\\""' in told[1]


@pytest.mark.parametrize(
    ("finish", "stop", "reason"),
    [
        (reply_pb2.FINISH_REASON_STOP, "", "end_turn"),
        (reply_pb2.FINISH_REASON_STOP, "END", "stop_sequence"),
        (reply_pb2.FINISH_REASON_LENGTH, "", "max_tokens"),
        (reply_pb2.FINISH_REASON_TOOL, "", "tool_use"),
        (reply_pb2.FINISH_REASON_REFUSAL, "", "refusal"),
        (reply_pb2.FINISH_REASON_FILTERED, "", "refusal"),
        (reply_pb2.FINISH_REASON_PAUSED, "", "pause_turn"),
        (reply_pb2.FINISH_REASON_OTHER, "", "end_turn"),
        (reply_pb2.FINISH_REASON_UNSPECIFIED, "", "end_turn"),
    ],
)
def test_the_end_is_told(finish: reply_pb2.FinishReason.ValueType, stop: str, reason: str) -> None:
    made = Whole("asked")
    made.take(Event(finished=Finished(reason=finish, stop_sequence=stop)))

    message = made.message("msg_1")

    msgspec.convert(message, AnthropicMessage)
    assert (reason, stop or None) == (message["stop_reason"], message["stop_sequence"])
    assert (reason == "refusal") == ("stop_details" in message)


def test_what_was_cached_counts_apart() -> None:
    assert {
        "input_tokens": 5,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 4,
        "output_tokens": 5,
        "output_tokens_details": {"thinking_tokens": 2},
    } == whole()["usage"]


def test_what_was_written_to_a_cache_counts_apart_by_how_long_it_is_kept() -> None:
    used = Usage(
        input_tokens=9, cached_input_tokens=4, cache_write_tokens=3, long_cache_write_tokens=1
    )

    made = usage(used)

    msgspec.convert(made, AnthropicUsage)
    assert (2, 3, 4) == (
        made["input_tokens"],
        made["cache_creation_input_tokens"],
        made["cache_read_input_tokens"],
    )
    assert {"ephemeral_5m_input_tokens": 2, "ephemeral_1h_input_tokens": 1} == made[
        "cache_creation"
    ]


def test_a_stream_begins_with_what_is_known() -> None:
    choices = [Event(answerer=ModelChoice(provider="acme", model=one)) for one in ("a", "b")]
    counted = Event(usage=Usage(input_tokens=7, cached_input_tokens=2))

    start = streamed(*choices, counted, Event(text="A"))[0]["message"]

    assert ("msg_1", "acme/b", [], None) == (
        start["id"],
        start["model"],
        start["content"],
        start["stop_reason"],
    )
    assert (5, 2, 0) == (
        start["usage"]["input_tokens"],
        start["usage"]["cache_read_input_tokens"],
        start["usage"]["output_tokens"],
    )


def test_the_model_is_the_one_that_answered() -> None:
    made = Whole("asked")
    made.take(Event(finished=Finished(provider="acme", model="org/large")))

    assert "acme/org/large" == made.message("msg_1")["model"]
