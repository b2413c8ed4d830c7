"""A reply is read to its end, or it has failed."""

from dataclasses import replace
from typing import Any

import orjson
import pytest
from parley_provider_anthropic import blocks
from parley_provider_anthropic.reading import MessagesReading
from parley_provider_sdk import (
    BackendError,
    BadRequest,
    BadResponse,
    Finished,
    FinishReason,
    Message,
    Overloaded,
    ReasoningDelta,
    ReplyEvent,
    ReplyRequest,
    Role,
    TextDelta,
    TextPart,
    ToolCallDelta,
    Usage,
    UsageSource,
)
from parley_provider_sdk.reading import EVENT_LIMIT

pytestmark = pytest.mark.unit

REQUEST = ReplyRequest("m", [Message(Role.USER, [TextPart("Hi")])])


def event(kind: str, **facts: Any) -> bytes:
    data = orjson.dumps({"type": kind, **facts})
    return b"event: %s\ndata: %s\n\n" % (kind.encode(), data)


def start(block: dict[str, Any], index: int = 0) -> bytes:
    return event("content_block_start", index=index, content_block=block)


def delta(kind: str, index: int = 0, **facts: Any) -> bytes:
    return event("content_block_delta", index=index, delta={"type": kind, **facts})


def said(text: str) -> bytes:
    return delta("text_delta", text=text)


def finish(reason: str | None = "end_turn", usage: Any = None) -> bytes:
    return event("message_delta", delta={"stop_reason": reason}, usage=usage)


TEXT = start({"type": "text", "text": ""})
CLOSE = event("content_block_stop", index=0)
STOP = event("message_stop")
BEGIN = event("message_start", message={"usage": {"input_tokens": 5, "output_tokens": 1}})


def read(*chunks: bytes) -> list[ReplyEvent]:
    """Reads a stream as the provider does."""
    reading = MessagesReading(REQUEST, "", "here")
    events: list[ReplyEvent] = []
    for chunk in chunks:
        reading.feed(chunk)
        events += reading.take()
        if reading.failure:
            raise reading.failure
    return [*events, reading.end()]


def read_whole(message: Any) -> list[ReplyEvent]:
    reading = MessagesReading(REQUEST, "", "here")
    reading.feed_whole(orjson.dumps(message))
    if reading.failure:
        raise reading.failure
    return [*reading.take(), reading.end()]


def end_of(events: list[ReplyEvent]) -> Finished:
    assert isinstance(events[-1], Finished)
    return events[-1]


def texts_of(events: list[ReplyEvent]) -> list[ReplyEvent]:
    return [event for event in events if isinstance(event, TextDelta)]


def test_texts_that_come_together_stay_together() -> None:
    chunks = (BEGIN + TEXT + said("a") + said("b"), said("c") + CLOSE, finish() + STOP)
    assert [TextDelta("ab"), TextDelta("c")] == texts_of(read(*chunks))


def test_thinking_ends_with_its_signature() -> None:
    block = start({"type": "thinking", "thinking": "", "signature": ""})
    thought = delta("thinking_delta", thinking="hm") + delta("signature_delta", signature="s")
    assert [
        ReasoningDelta("hm"),
        ReasoningDelta("", blocks.signed("s", "here")),
        TextDelta("a"),
    ] == read(block + thought + CLOSE + TEXT + said("a") + CLOSE + finish() + STOP)[:-1]


def test_thinking_that_is_not_shown_is_all_signature() -> None:
    block = start({"type": "thinking", "thinking": "", "signature": ""})
    signature = delta("signature_delta", signature="s")
    assert [ReasoningDelta("", blocks.signed("s", "here"))] == read(
        block + signature + CLOSE + finish() + STOP
    )[:-1]


def test_two_pieces_of_reasoning_stay_two() -> None:
    first = start({"type": "thinking", "thinking": "a", "signature": "s"})
    hidden = start({"type": "redacted_thinking", "data": "d"}, index=1)
    assert [
        ReasoningDelta("a"),
        ReasoningDelta("", blocks.signed("s", "here")),
        ReasoningDelta("", blocks.redacted("d", "here")),
    ] == read(first + hidden + finish() + STOP)[:-1]


def test_tool_calls_are_counted_and_named_once() -> None:
    call = {"type": "tool_use", "id": "c1", "name": "add", "input": {}}
    pieces = [delta("input_json_delta", 1, partial_json=text) for text in ("", '{"a"', ":1}")]
    more = start({**call, "id": "c2", "name": "now"}, index=2)
    chunks = [start(call, index=1), *pieces, CLOSE, more, CLOSE, finish("tool_use") + STOP]
    events = read(*chunks)
    assert [
        ToolCallDelta(0, "c1", "add"),
        ToolCallDelta(0, arguments='{"a"'),
        ToolCallDelta(0, arguments=":1}"),
        ToolCallDelta(1, "c2", "now"),
        ToolCallDelta(1, arguments="{}"),
    ] == events[:-1]
    assert FinishReason.TOOL == end_of(events).reason


def test_arguments_may_come_with_the_beginning() -> None:
    call = start({"type": "tool_use", "id": "c1", "name": "add", "input": {"a": 1}})
    assert [
        ToolCallDelta(0, "c1", "add"),
        ToolCallDelta(0, arguments='{"a":1}'),
    ] == read(call + finish("tool_use") + STOP)[:-1]


def test_calls_are_told_apart_without_the_wires_numbers() -> None:
    calls = [
        event(
            "content_block_start",
            content_block={"type": "tool_use", "id": call_id, "name": "add"},
        )
        for call_id in ("c1", "c2")
    ]
    piece = event("content_block_delta", delta={"type": "input_json_delta", "partial_json": "{}"})
    events = read(calls[0] + piece + calls[1] + piece + finish("tool_use") + STOP)
    assert [0, 0, 1, 1] == [one.index for one in events if isinstance(one, ToolCallDelta)]


def test_counts_grow_and_the_last_ones_count() -> None:
    begin = event(
        "message_start",
        message={
            "usage": {
                "input_tokens": 5,
                "cache_creation_input_tokens": 2,
                "cache_creation": {
                    "ephemeral_5m_input_tokens": 1,
                    "ephemeral_1h_input_tokens": 1,
                },
                "cache_read_input_tokens": 3,
                "output_tokens": 1,
            }
        },
    )
    details = {"thinking_tokens": 4}
    last = finish(usage={"output_tokens": 7, "output_tokens_details": details})
    reading = MessagesReading(REQUEST, "", "here")
    reading.feed(begin)
    written = Usage(10, 1, 3, cache_write_tokens=2, long_cache_write_tokens=1)
    assert written == reading.usage
    reading.feed(last + STOP)
    assert replace(written, output_tokens=7, reasoning_tokens=4) == reading.end().usage


def test_counts_that_come_at_the_end_only_are_taken() -> None:
    begin = event("message_start", message={"usage": {"input_tokens": 0, "output_tokens": 0}})
    last = finish(usage={"input_tokens": 9, "output_tokens": 2, "cache_read_input_tokens": None})
    assert Usage(9, 2) == end_of(read(begin + last + STOP)).usage


def test_a_reply_without_counts_is_estimated() -> None:
    end = end_of(read(TEXT + said("12345"), finish("max_tokens") + STOP))
    assert Finished(FinishReason.LENGTH, Usage(5, 2, source=UsageSource.ESTIMATED)) == end


def test_what_was_counted_of_the_input_is_kept_in_an_estimate() -> None:
    usage = {"input_tokens": 48, "cache_read_input_tokens": 7, "output_tokens": 1}
    usage["cache_creation_input_tokens"] = 2
    begin = event("message_start", message={"usage": usage})
    end = end_of(read(begin + TEXT + said("12345"), finish() + STOP))
    expected = Usage(57, 2, 7, source=UsageSource.ESTIMATED, cache_write_tokens=2)
    assert expected == end.usage


def test_what_was_counted_of_the_output_is_kept_in_an_estimate() -> None:
    begin = event("message_start", message={"content": []})
    last = finish(usage={"output_tokens": 7, "output_tokens_details": {"thinking_tokens": 4}})
    *said_before, end = read(begin + TEXT + said("12345") + last + STOP)
    assert [TextDelta("12345")] == said_before
    assert isinstance(end, Finished)
    assert Usage(5, 7, 0, 4, source=UsageSource.ESTIMATED) == end.usage


def test_what_follows_the_end_is_not_read() -> None:
    chunk = TEXT + said("a") + CLOSE + finish() + STOP + TEXT + said("b")
    assert [TextDelta("a")] == read(chunk)[:-1]


def test_pings_and_what_nobody_knows_are_ignored() -> None:
    odd = (
        event("ping"),
        event("weather", index=0),
        b"data: [DONE]\n\n",
        b": hello\n\n",
        b'data: {"type":"odd","error":null}\n\n',
        start({"type": "server_tool_use", "id": "s", "name": "web", "input": {}}, index=3),
        delta("input_json_delta", 3, partial_json='{"q"'),
        event("content_block_stop", index=3),
        delta("citations_delta", citation={}),
        delta("rain_delta", rain="heavy"),
        delta("signature_delta", signature="s"),
        event("content_block_stop", index=9),
        event("message_start", message=None),
    )
    chunk = BEGIN + b"".join(odd) + TEXT + said("a") + CLOSE + finish("novel") + STOP
    events = read(chunk)
    assert [TextDelta("a")] == texts_of(events)
    assert FinishReason.OTHER == end_of(events).reason


@pytest.mark.parametrize("last", [STOP, finish() + STOP])
def test_an_empty_reply_is_a_reply(last: bytes) -> None:
    assert 1 == len(read(BEGIN + last))


@pytest.mark.parametrize(
    "chunks",
    [[], [BEGIN], [BEGIN, TEXT, said("a"), CLOSE], [BEGIN, finish(None)], [b": only\n\n"]],
)
def test_a_stream_without_its_end_is_no_reply(chunks: list[bytes]) -> None:
    with pytest.raises(BadResponse):
        read(*chunks)


def test_a_reason_to_stop_and_a_proper_close_are_an_end_too() -> None:
    assert 2 == len(read(TEXT + said("a"), finish()))


@pytest.mark.parametrize(
    "chunk",
    [
        b'data: {"type":"message_st\n\n',
        b"data: \xff\xfe\n\n",
        b"data: 7\n\n",
        b"data: []\n\n",
        b'data: {"type":"content_block_start"}\n\n',
        b'data: {"type":"content_block_delta","delta":7}\n\n',
        b'data: {"type":"content_block_delta","delta":{"type":"text_delta","text":7}}\n\n',
        b'data: {"type":"message_start","message":7}\n\n',
        b"data: " + b"x" * EVENT_LIMIT,
    ],
)
def test_what_is_not_the_wire_is_refused(chunk: bytes) -> None:
    with pytest.raises(BadResponse):
        read(chunk)


@pytest.mark.parametrize(
    ("error", "failure"),
    [
        ({"type": "overloaded_error", "message": "Overloaded"}, Overloaded),
        ({"type": "invalid_request_error", "message": "odd"}, BadRequest),
        ({"message": "odd"}, BackendError),
        ({}, BackendError),
    ],
)
def test_text_before_an_error_is_kept(error: dict[str, Any], failure: type[Exception]) -> None:
    reading = MessagesReading(REQUEST, "", "here")
    reading.feed(TEXT + said("a") + event("error", error=error))
    assert [TextDelta("a")] == reading.take()
    assert failure is type(reading.failure)


def test_an_error_needs_no_type_around_it() -> None:
    reading = MessagesReading(REQUEST, "", "here")
    reading.feed(b'data: {"error":{"type":"overloaded_error"}}\n\n')
    assert isinstance(reading.failure, Overloaded)


def test_a_whole_reply_is_what_a_streamed_one_adds_up_to() -> None:
    message = {
        "content": [
            {"type": "thinking", "thinking": "hm", "signature": "s"},
            {"type": "redacted_thinking", "data": "d"},
            {"type": "text", "text": "a", "citations": None},
            {"type": "weather"},
            {"type": "tool_use", "id": "c1", "name": "add", "input": {"a": 1}},
        ],
        "stop_reason": "tool_use",
        "usage": {"input_tokens": 5, "output_tokens": 2},
    }
    assert [
        ReasoningDelta("hm"),
        ReasoningDelta("", blocks.signed("s", "here")),
        ReasoningDelta("", blocks.redacted("d", "here")),
        TextDelta("a"),
        ToolCallDelta(0, "c1", "add"),
        ToolCallDelta(0, arguments='{"a":1}'),
        Finished(FinishReason.TOOL, Usage(5, 2)),
    ] == read_whole(message)


def test_a_whole_reply_may_keep_its_reason_to_itself() -> None:
    events = read_whole({"content": [{"type": "text", "text": "12345"}]})
    assert TextDelta("12345") == events[0]
    usage = Usage(5, 2, source=UsageSource.ESTIMATED)
    assert Finished(FinishReason.OTHER, usage) == events[1]


@pytest.mark.parametrize("message", ["<html>", [], {}, 7, {"content": None}, {"content": [7]}])
def test_a_whole_reply_that_is_none_is_refused(message: Any) -> None:
    with pytest.raises(BadResponse):
        read_whole(message)


def test_an_error_in_place_of_a_whole_reply_has_its_class() -> None:
    with pytest.raises(Overloaded):
        read_whole({"type": "error", "error": {"type": "overloaded_error"}})
