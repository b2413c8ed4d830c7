"""A response is read to its end, or it has failed."""

from typing import Any

import orjson
import pytest
from parley_provider_openai.responses.reading import ResponseReading
from parley_provider_sdk import (
    BackendError,
    BadResponse,
    Finished,
    FinishReason,
    Message,
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

pytestmark = pytest.mark.unit

REQUEST = ReplyRequest("m", [Message(Role.USER, [TextPart("Hi")])])
USAGE = {"input_tokens": 3, "output_tokens": 2}
REASONING = {
    "type": "reasoning",
    "id": "rs_1",
    "summary": [{"type": "summary_text", "text": "a"}, {"type": "summary_text", "text": "b"}],
    "encrypted_content": "gAAA",
}
CALL = {"type": "function_call", "id": "fc", "call_id": "c1", "name": "add", "arguments": "{}"}
MESSAGE = {
    "type": "message",
    "id": "msg",
    "phase": "commentary",
    "content": [{"type": "output_text", "text": "Yes."}, {"type": "novel"}],
}
PHASE = orjson.dumps({"type": "message", "phase": "commentary"})


def event(kind: str, **fields: Any) -> bytes:
    data = orjson.dumps({"type": kind, "sequence_number": 7, **fields})
    return b"event: " + kind.encode() + b"\ndata: " + data + b"\n\n"


def delta(kind: str, text: str, index: int = 0, **place: int) -> bytes:
    return event(f"response.{kind}.delta", output_index=index, delta=text, **place)


def item(step: str, index: int, value: dict[str, Any]) -> bytes:
    return event(f"response.output_item.{step}", output_index=index, item=value)


def end(status: str = "completed", **fields: Any) -> bytes:
    response = {"status": status, "usage": USAGE, "output": [], **fields}
    return event(f"response.{status}", response=response)


def read(*chunks: bytes) -> list[ReplyEvent]:
    """Reads a stream as the provider does."""
    reading = ResponseReading(REQUEST, "")
    events: list[ReplyEvent] = []
    for chunk in chunks:
        reading.feed(chunk)
        events += reading.take()
        if reading.failure:
            raise reading.failure
    reading.feed_end()
    return [*events, reading.end()]


def whole(**response: Any) -> list[ReplyEvent]:
    """Reads a response in one piece."""
    reading = ResponseReading(REQUEST, "")
    reading.feed_whole(orjson.dumps({"status": "completed", "usage": USAGE, **response}))
    if reading.failure:
        raise reading.failure
    return [*reading.take(), reading.end()]


def test_texts_that_come_together_stay_together() -> None:
    chunk = delta("output_text", "a") + delta("output_text", "b")
    assert read(chunk, delta("output_text", "c"), end()) == [
        TextDelta("ab"),
        TextDelta("c"),
        Finished(FinishReason.STOP, Usage(3, 2)),
    ]


def test_reasoning_ends_with_what_goes_back() -> None:
    kept = orjson.dumps({name: REASONING[name] for name in REASONING})
    chunks = [
        item("added", 0, {**REASONING, "summary": []}),
        delta("reasoning_summary_text", "a", summary_index=0),
        delta("reasoning_summary_text", "b", summary_index=1),
        delta("reasoning_summary_text", "c", summary_index=1),
        item("done", 0, REASONING),
        delta("output_text", "Yes.", 1),
    ]
    *thought, last, text, _ = read(*chunks, end())
    assert "".join(one.text for one in thought if isinstance(one, ReasoningDelta)) == "a\n\nbc"
    assert isinstance(last, ReasoningDelta)
    assert orjson.loads(last.provider_metadata) == orjson.loads(kept)
    assert (last.text, text) == ("", TextDelta("Yes."))


def test_reasoning_may_be_all_encrypted() -> None:
    hidden = {**REASONING, "summary": []}
    events = read(item("added", 0, hidden), item("done", 0, hidden), end())
    assert [type(one) for one in events] == [ReasoningDelta, Finished]


def test_reasoning_may_be_told_as_it_is() -> None:
    assert read(delta("reasoning_text", "hm", content_index=0), end())[0] == ReasoningDelta("hm")


def test_a_phase_ends_the_text() -> None:
    chunks = [delta("output_text", "Yes."), item("done", 0, MESSAGE), delta("output_text", "x", 1)]
    assert read(*chunks, end())[:-1] == [TextDelta("Yes."), TextDelta("", PHASE), TextDelta("x")]


def test_calls_are_counted_and_named_once() -> None:
    second = {**CALL, "call_id": "c2", "name": "now"}
    chunks = [
        item("added", 1, {**CALL, "arguments": ""}),
        delta("function_call_arguments", '{"a"', 1),
        delta("function_call_arguments", ":1}", 1),
        event("response.function_call_arguments.done", output_index=1, arguments='{"a":1}'),
        item("done", 1, CALL),
        item("added", 3, {**second, "arguments": ""}),
        item("done", 3, second),
    ]
    *calls, finished = read(*chunks, end())
    assert calls == [
        ToolCallDelta(0, "c1", "add"),
        ToolCallDelta(0, arguments='{"a"'),
        ToolCallDelta(0, arguments=":1}"),
        ToolCallDelta(1, "c2", "now"),
        ToolCallDelta(1, arguments="{}"),
    ]
    assert isinstance(finished, Finished)
    assert finished.reason is FinishReason.TOOL


def test_items_without_deltas_are_read_when_they_are_done() -> None:
    items: list[dict[str, Any]] = [REASONING, MESSAGE, CALL]
    chunks = [item("done", index, value) for index, value in enumerate(items)]
    assert read(*chunks, end()) == whole(output=items)


def test_what_is_said_at_the_end_only_is_read() -> None:
    assert whole(output=[REASONING, MESSAGE, CALL]) == read(end(output=[REASONING, MESSAGE, CALL]))


def test_what_was_said_before_is_not_read_again() -> None:
    told = read(item("done", 0, MESSAGE), end(output=[MESSAGE]))
    assert told[0] == TextDelta("Yes.")
    assert [one for one in told if isinstance(one, TextDelta) and one.text] == told[:1]
    called = read(item("added", 0, CALL), end(output=[CALL]))
    assert len([one for one in called if isinstance(one, ToolCallDelta)]) == 1


def test_a_refusal_is_text_and_a_reason() -> None:
    *said, finished = read(delta("refusal", "No."), end())
    assert said == [TextDelta("No.")]
    assert isinstance(finished, Finished)
    assert finished.reason is FinishReason.REFUSAL
    refusal = {"type": "message", "content": [{"type": "refusal", "refusal": "No."}]}
    assert whole(output=[refusal])[-1] == finished


@pytest.mark.parametrize(
    ("why", "reason"),
    [("max_output_tokens", FinishReason.LENGTH), ("content_filter", FinishReason.FILTERED)],
)
def test_an_incomplete_response_says_why(why: str, reason: FinishReason) -> None:
    details = {"incomplete_details": {"reason": why}}
    expected = Finished(reason, Usage(3, 2))
    assert read(delta("output_text", "a"), end("incomplete", **details))[-1] == expected
    assert whole(status="incomplete", output=[], **details)[-1] == expected


def test_a_reply_without_usage_is_estimated() -> None:
    finished = read(delta("output_text", "12345"), end(usage=None))[-1]
    assert finished == Finished(FinishReason.STOP, Usage(5, 2, source=UsageSource.ESTIMATED))


def test_unknown_events_items_and_fields_are_ignored() -> None:
    odd = [
        event("response.novel.delta", delta=7),
        item("added", 0, {"type": "novel"}),
        item("done", 0, {"type": "novel"}),
        b'data: {"novel":1}\n\ndata: [DONE]\n\n: hello\n\n',
    ]
    assert read(*odd, delta("output_text", "a", 1), end())[:-1] == [TextDelta("a")]


def test_what_follows_the_end_is_not_read() -> None:
    assert read(end() + delta("output_text", "b") + end())[:-1] == []


@pytest.mark.parametrize(
    "chunks",
    [
        [],
        [event("response.created", response={"status": "in_progress"})],
        [delta("output_text", "a"), b"data: [DONE]\n\n"],
    ],
)
def test_a_stream_without_its_end_is_no_reply(chunks: list[bytes]) -> None:
    with pytest.raises(BadResponse):
        read(*chunks)


@pytest.mark.parametrize(
    "chunk",
    [
        b"data: {half\n\n",
        b"data: 7\n\n",
        b"data: []\n\n",
        event("response.output_text.delta", output_index=0),
        event("response.output_text.delta", output_index=0, delta=7),
        event("response.output_text.delta", output_index=[], delta="a"),
        event("response.output_item.done", output_index=0, item={}),
        event("response.completed", response=7),
        end("incomplete", incomplete_details="odd"),
        event("response.completed"),
        end("queued").replace(b"response.queued", b"response.completed"),
    ],
)
def test_what_is_not_the_wire_is_refused(chunk: bytes) -> None:
    with pytest.raises(BadResponse):
        read(chunk)


LIMITED = {"code": "rate_limit_exceeded", "message": "Slower.", "param": None}


@pytest.mark.parametrize(
    ("chunk", "failure"),
    [
        (event("error", **LIMITED), RateLimited),
        (event("error", error=LIMITED), RateLimited),
        (event("error", code=None, message="odd"), BackendError),
        (b'data: {"error":{"code":"rate_limit_exceeded"}}\n\n', RateLimited),
        (end("failed", error=LIMITED), RateLimited),
        (end("failed", error={"code": "server_error", "message": "odd"}), BackendError),
        (end("failed", error=None), BackendError),
    ],
)
def test_an_error_in_the_stream_keeps_what_came_before(
    chunk: bytes, failure: type[ProviderError]
) -> None:
    reading = ResponseReading(REQUEST, "")
    reading.feed(delta("output_text", "a") + chunk)
    assert reading.take()[0] == TextDelta("a")
    assert type(reading.failure) is failure


@pytest.mark.parametrize(
    ("body", "failure"),
    [
        (b"<html>", BadResponse),
        (b"[]", BadResponse),
        (b"{}", BadResponse),
        (b'{"output":[],"status":"queued"}', BadResponse),
        (b'{"error":{"code":"rate_limit_exceeded"}}', RateLimited),
        (b'{"output":[],"status":"failed","error":{"code":"rate_limit_exceeded"}}', RateLimited),
    ],
)
def test_a_whole_response_that_is_none_has_its_class(
    body: bytes, failure: type[ProviderError]
) -> None:
    reading = ResponseReading(REQUEST, "")
    reading.feed_whole(body)
    assert type(reading.failure) is failure
