"""A reply is read to its end, or it has failed."""

from typing import Any

import orjson
import pytest
from parley_provider_openai.chat.reading import CompletionReading
from parley_provider_sdk import (
    BackendError,
    BadRequest,
    BadResponse,
    Finished,
    FinishReason,
    Message,
    Overloaded,
    ProviderError,
    RateLimited,
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
DONE = b"data: [DONE]\n\n"


def event(delta: dict[str, Any] | None = None, **choice: Any) -> bytes:
    answer = {"choices": [{"index": 0, "delta": delta or {}, **choice}], "usage": None}
    return b"data: " + orjson.dumps(answer) + b"\n\n"


def read(*chunks: bytes) -> list[ReplyEvent]:
    """Reads a stream as the provider does."""
    reading = CompletionReading(REQUEST, "")
    events: list[ReplyEvent] = []
    for chunk in chunks:
        reading.feed(chunk)
        events += reading.take()
        if reading.failure:
            raise reading.failure
    return [*events, reading.end()]


def call(index: int, call_id: str | None, name: str | None, text: str | None) -> Any:
    return {"index": index, "id": call_id, "function": {"name": name, "arguments": text}}


def test_texts_that_come_together_stay_together() -> None:
    stop = event(finish_reason="stop")
    assert read(event({"content": "a"}) + event({"content": "b"}), event({"content": "c"}), stop)[
        :-1
    ] == [TextDelta("ab"), TextDelta("c")]


def test_of_several_choices_the_first_is_the_reply() -> None:
    other = b'data: {"choices": [{"index": 1, "delta": {"content": "b"}}]}\n\n'
    said = read(other, event({"content": "a"}) + other + event(finish_reason="stop") + DONE)[:-1]
    assert said == [TextDelta("a")]


@pytest.mark.parametrize("name", ["reasoning_content", "reasoning"])
def test_reasoning_comes_before_text(name: str) -> None:
    chunk = event({name: "hm"}) + event({"content": "Yes."}) + event(finish_reason="stop") + DONE
    assert read(chunk)[:-1] == [ReasoningDelta("hm"), TextDelta("Yes.")]


def test_a_refusal_is_text_and_a_reason() -> None:
    *said, end = read(event({"refusal": "No."}) + event(finish_reason="stop") + DONE)
    assert said == [TextDelta("No.")]
    assert isinstance(end, Finished)
    assert end.reason is FinishReason.REFUSAL


def test_tool_calls_are_counted_and_named_once() -> None:
    chunks = [
        event({"tool_calls": [call(0, "c1", "add", "")]}),
        event({"tool_calls": [call(0, None, None, '{"a"')]}),
        event({"tool_calls": [call(0, "c1", "add", ":1}"), call(1, "c2", "now", "{}")]}),
        event(finish_reason="tool_calls") + DONE,
    ]
    assert read(*chunks)[:-1] == [
        ToolCallDelta(0, "c1", "add"),
        ToolCallDelta(0, arguments='{"a"'),
        ToolCallDelta(0, arguments=":1}"),
        ToolCallDelta(1, "c2", "now", "{}"),
    ]


def indexes(*deltas: Any) -> list[int]:
    """Returns the calls that deltas belong to, each in an event of its own."""
    chunks = [event({"tool_calls": [delta]}) for delta in deltas]
    events = read(*chunks, event(finish_reason="tool_calls"))
    return [one.index for one in events if isinstance(one, ToolCallDelta)]


def test_calls_without_an_index_are_told_by_id() -> None:
    calls = [call(0, "c1", "a", "1"), call(0, "c2", "b", "2"), call(0, None, None, "3")]
    for one in calls:
        del one["index"]
    assert indexes(*calls) == [0, 1, 1]


def test_calls_without_index_and_id_begin_with_their_name() -> None:
    named = {"function": {"name": "a", "arguments": "1"}}
    assert indexes(named, {"function": {"arguments": "2"}}, named) == [0, 0, 1]


def test_a_call_without_an_id_gets_one() -> None:
    named = {"function": {"name": "a", "arguments": {"b": 1}}}
    first, second = (
        one
        for one in read(event({"tool_calls": [named, named]}, finish_reason="stop"))
        if isinstance(one, ToolCallDelta)
    )
    assert first.tool_call_id.startswith("call_")
    assert first.tool_call_id != second.tool_call_id
    assert (first.arguments, second.index) == ('{"b":1}', 1)


def test_a_stop_after_calls_is_for_the_tools() -> None:
    end = read(event({"tool_calls": [call(0, "c", "n", "")]}, finish_reason="stop"), DONE)[-1]
    assert isinstance(end, Finished)
    assert end.reason is FinishReason.TOOL


def test_content_may_come_in_parts() -> None:
    content = [
        {"type": "thinking", "thinking": [{"type": "text", "text": "h"}, {"type": "reference"}]},
        {"type": "thinking", "thinking": "m"},
        {"type": "text", "text": "Yes."},
        {"type": "reference", "reference_ids": [1]},
    ]
    chunk = event({"content": content}, finish_reason="stop")
    assert read(chunk)[:-1] == [ReasoningDelta("hm"), TextDelta("Yes.")]


def test_calls_of_the_same_index_are_told_by_id() -> None:
    deltas = [call(0, "c1", "a", "1"), call(0, "c2", "b", "2"), call(0, None, None, "3")]
    chunk = event({"tool_calls": deltas}) + event(finish_reason="tool_calls")
    assert [one.index for one in read(chunk) if isinstance(one, ToolCallDelta)] == [0, 1, 1]


def test_the_last_usage_counts() -> None:
    counts = b'data: {"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":2}}\n\n'
    end = read(event({"content": "a"}), event(finish_reason="stop"), counts, DONE)[-1]
    assert end == Finished(FinishReason.STOP, Usage(3, 2))


def test_counts_may_come_in_several_places() -> None:
    chunks = [
        b'data: {"choices":[],"usage":{"prompt_tokens":9,"completion_tokens":0}}\n\n',
        event({"content": "a"}, usage={"completion_tokens": 1}),
        event(finish_reason="stop", usage={"prompt_tokens": 9, "completion_tokens": 2}),
        b'data: {"choices":[],"usage":{"prompt_tokens":0,"completion_tokens":0}}\n\n',
    ]
    assert read(*chunks)[-1] == Finished(FinishReason.STOP, Usage(9, 2))


def test_a_reply_without_usage_is_estimated() -> None:
    end = read(event({"content": "12345"}), event(finish_reason="length"), DONE)[-1]
    assert end == Finished(FinishReason.LENGTH, Usage(5, 2, source=UsageSource.ESTIMATED))


def test_what_follows_the_end_is_not_read() -> None:
    chunk = event({"content": "a"}, finish_reason="stop") + DONE + event({"content": "b"}) + DONE
    assert read(chunk)[:-1] == [TextDelta("a")]


def test_unknown_events_and_fields_are_ignored() -> None:
    odd = b'event: ping\ndata: {"type":"ping"}\n\n: hello\n\n'
    chunk = odd + event({"content": "a", "odd": 1}, odd=2, finish_reason="novel") + odd + DONE
    *said, end = read(chunk)
    assert said == [TextDelta("a")]
    assert isinstance(end, Finished)
    assert end.reason is FinishReason.OTHER


def test_an_empty_reply_is_a_reply() -> None:
    assert len(read(event(finish_reason="stop") + DONE)) == 1


@pytest.mark.parametrize("chunks", [[], [event({"content": "a"})], [b": only a comment\n\n"]])
def test_a_stream_without_its_end_is_no_reply(chunks: list[bytes]) -> None:
    with pytest.raises(BadResponse):
        read(*chunks)


def test_a_finish_reason_and_a_proper_close_are_an_end_too() -> None:
    assert len(read(event({"content": "a"}), event(finish_reason="stop"))) == 2


@pytest.mark.parametrize(
    "chunk",
    [
        b'data: {"choices":[{"del\n\n',
        b"data: \xff\xfe\n\n",
        b"data: 7\n\n",
        b"data: []\n\n",
        b'data: "error"\n\n',
        b'data: {"choices":7}\n\n',
        b'data: {"choices":[7]}\n\n',
        b'data: {"choices":[{"delta":{"content":["a"]}}]}\n\n',
        b'data: {"choices":[{"delta":{"tool_calls":[7]}}]}\n\n',
        b"data: " + b"x" * EVENT_LIMIT,
    ],
)
def test_what_is_not_the_wire_is_refused(chunk: bytes) -> None:
    with pytest.raises(BadResponse):
        read(chunk)


@pytest.mark.parametrize(
    ("word", "failure"),
    [("error", BackendError), ("insufficient_system_resource", Overloaded)],
)
def test_a_reason_that_is_a_failure_is_no_end(word: str, failure: type[ProviderError]) -> None:
    with pytest.raises(failure):
        read(event({"content": "a"}), event(finish_reason=word), DONE)


def test_a_reason_that_is_no_word_is_another() -> None:
    end = read(event({"content": "a"}, finish_reason={"odd": 1}), DONE)[-1]
    assert isinstance(end, Finished)
    assert end.reason is FinishReason.OTHER


def test_a_reason_that_is_empty_is_none() -> None:
    with pytest.raises(BadResponse):
        read(event({"content": "a"}, finish_reason=""))


@pytest.mark.parametrize(
    ("answer", "failure"),
    [
        ({"error": {"code": "rate_limit_exceeded"}}, RateLimited),
        ({"error": {"code": 503}, "choices": []}, Overloaded),
        ({"error": "it broke"}, BackendError),
        ({"object": "error", "message": "odd", "code": 400}, BadRequest),
    ],
)
def test_an_error_in_the_stream_has_its_class(
    answer: dict[str, Any], failure: type[ProviderError]
) -> None:
    with pytest.raises(ProviderError) as caught:
        read(event({"content": "a"}), b"data: " + orjson.dumps(answer) + b"\n\n")
    assert type(caught.value) is failure


def test_an_error_of_null_is_none() -> None:
    chunk = b'data: {"error":null,"choices":[{"delta":{"content":"a"}}]}\n\n'
    assert read(chunk, DONE)[:-1] == [TextDelta("a")]


def test_text_before_an_error_is_kept() -> None:
    reading = CompletionReading(REQUEST, "")
    reading.feed(event({"content": "a"}) + b'data: {"error":{"message":"odd"}}\n\n')
    assert reading.take() == [TextDelta("a")]
    assert type(reading.failure) is BackendError


@pytest.mark.parametrize(
    "body", [b"<html>", b"[]", b"{}", b'{"choices":[]}', b'{"choices":[{}]}', b'{"choices":7}']
)
def test_a_whole_reply_that_is_none_is_refused(body: bytes) -> None:
    reading = CompletionReading(REQUEST, "")
    reading.feed_whole(body)
    assert isinstance(reading.failure, BadResponse)


def test_an_error_in_place_of_a_whole_reply_has_its_class() -> None:
    reading = CompletionReading(REQUEST, "")
    reading.feed_whole(b'{"error":{"code":"rate_limit_exceeded"}}')
    assert isinstance(reading.failure, RateLimited)


def test_a_whole_reply_need_not_say_why_it_ends() -> None:
    reading = CompletionReading(REQUEST, "")
    reading.feed_whole(b'{"choices":[{"message":{"content":"Hi"}}]}')
    assert reading.take() == [TextDelta("Hi")]
    assert reading.end().reason is FinishReason.OTHER
