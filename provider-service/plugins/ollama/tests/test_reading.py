"""A reply is read to its end, or it has failed."""

from typing import Any

import orjson
import pytest
from parley_provider_ollama.reading import ChatReading
from parley_provider_ollama.translate import OWN
from parley_provider_sdk import (
    BackendError,
    BadResponse,
    ContextTooLong,
    Finished,
    FinishReason,
    Message,
    ModelNotFound,
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
NUM_CTX = 100


def line(**answer: Any) -> bytes:
    return orjson.dumps(answer) + b"\n"


def said(**message: Any) -> bytes:
    return line(model="m", message={"role": "assistant", **message}, done=False)


def done(**answer: Any) -> bytes:
    end = {"done": True, "done_reason": "stop", "prompt_eval_count": 5, "eval_count": 3}
    return line(**{"message": {"role": "assistant", "content": ""}, **end, **answer})


def read(*chunks: bytes) -> list[ReplyEvent]:
    """Reads a stream as the provider does."""
    reading = ChatReading(REQUEST, NUM_CTX, "")
    events: list[ReplyEvent] = []
    for chunk in chunks:
        reading.feed(chunk)
        events += reading.take()
        if reading.failure:
            raise reading.failure
    reading.feed_end()
    events += reading.take()
    if reading.failure:
        raise reading.failure
    return [*events, reading.end()]


def read_whole(body: bytes) -> list[ReplyEvent]:
    reading = ChatReading(REQUEST, NUM_CTX, "")
    reading.feed_whole(body)
    if reading.failure:
        raise reading.failure
    return [*reading.take(), reading.end()]


END = Finished(FinishReason.STOP, Usage(5, 3))


def test_texts_that_come_together_stay_together() -> None:
    first = said(content="a") + said(content="b")
    assert [TextDelta("ab"), TextDelta("c"), END] == read(first, said(content="c"), done())


def test_the_last_line_may_hold_text_and_may_lack_its_end() -> None:
    last = done(message={"role": "assistant", "content": "b"}).rstrip()
    assert [TextDelta("a"), TextDelta("b"), END] == read(said(content="a"), last)


def test_characters_may_be_split() -> None:
    stream = said(content="世") + done()
    events = read(*(stream[at : at + 1] for at in range(len(stream))))
    assert [TextDelta("世"), END] == events


def test_reasoning_is_one_piece_that_ends_with_its_mark() -> None:
    assert [
        ReasoningDelta("Hm, "),
        ReasoningDelta("so."),
        ReasoningDelta("", OWN),
        TextDelta("4"),
        END,
    ] == read(said(thinking="Hm, "), said(thinking="so.", content=None), said(content="4"), done())


def test_reasoning_ends_where_text_begins_also_within_a_line() -> None:
    assert [ReasoningDelta("Hm."), ReasoningDelta("", OWN), TextDelta("4"), END] == read(
        said(thinking="Hm.", content="4") + done()
    )


def test_nothing_but_reasoning_is_a_reply() -> None:
    assert [ReasoningDelta("Hm."), ReasoningDelta("", OWN), END] == read(
        said(thinking="Hm.") + done()
    )


def test_tool_calls_come_whole_and_are_counted() -> None:
    one = {"id": "c1", "function": {"index": 0, "name": "add", "arguments": {"a": 1}}}
    two = {"id": "c2", "function": {"index": 0, "name": "now", "arguments": None}}
    *events, end = read(said(thinking="Hm.", tool_calls=[one]), said(tool_calls=[two]), done())
    assert [
        ReasoningDelta("Hm."),
        ReasoningDelta("", OWN),
        ToolCallDelta(0, "c1", "add", '{"a":1}'),
        ToolCallDelta(1, "c2", "now", "{}"),
    ] == events
    assert Finished(FinishReason.TOOL, Usage(5, 3)) == end


def test_a_call_without_an_id_gets_one_of_its_own() -> None:
    call = {"function": {"name": "add", "arguments": {}}}
    ids = {
        event.tool_call_id
        for _ in range(2)
        for event in read(said(tool_calls=[call, call]) + done())
        if isinstance(event, ToolCallDelta)
    }
    assert 4 == len(ids)
    assert all(ids)


@pytest.mark.parametrize("function", [{"arguments": {}}, {"name": None}, {"name": 7}, "add"])
def test_a_call_without_a_name_is_not_the_wire(function: object) -> None:
    with pytest.raises(BadResponse):
        read(said(tool_calls=[{"function": function}]))


def test_an_id_may_be_a_number() -> None:
    call = {"id": 7, "function": {"name": "add", "arguments": '{"a": 1}'}}
    assert ToolCallDelta(0, "7", "add", '{"a": 1}') == read(said(tool_calls=[call]) + done())[0]


def test_why_it_ended_is_kept() -> None:
    assert Finished(FinishReason.LENGTH, Usage(5, 3)) == read(done(done_reason="length"))[-1]
    assert Finished(FinishReason.OTHER, Usage(5, 3)) == read(done(done_reason="load"))[-1]
    assert END == read(done(done_reason=None))[-1]


def test_counts_that_are_missing_are_estimated() -> None:
    *_, end = read(said(content="12345678"), done(prompt_eval_count=None))
    assert Finished(FinishReason.STOP, Usage(5, 3, source=UsageSource.ESTIMATED)) == end
    *_, end = read(said(content="12345678"), done(prompt_eval_count=None, eval_count=None))
    assert Finished(FinishReason.STOP, Usage(5, 2, source=UsageSource.ESTIMATED)) == end


def test_lines_and_fields_that_nobody_knows_are_left_out() -> None:
    odd = line(progress={"x": 1}) + b"\n\r\n" + line(message=None, error=None)
    assert [TextDelta("a"), END] == read(odd + said(content="a", mood="odd") + odd + done())


def test_what_follows_the_end_is_not_read() -> None:
    assert [TextDelta("a"), END] == read(said(content="a") + done() + said(content="b") + b"{half")


@pytest.mark.parametrize("sent", [[], [said(content="a")], [said(content="a"), b'{"done":tr']])
def test_a_stream_without_its_mark_is_no_reply(sent: list[bytes]) -> None:
    with pytest.raises(BadResponse):
        read(*sent)


@pytest.mark.parametrize("mark", [1, "true", None])
def test_only_true_is_the_mark(mark: object) -> None:
    with pytest.raises(BadResponse):
        read(said(content="a"), line(done=mark, done_reason="stop"))


@pytest.mark.parametrize(
    "chunk",
    [
        b"<html>\n",
        b"[]\n",
        b"7\n",
        b'"error"\n',
        said(content=7),
        said(content="a", tool_calls=7),
        line(message="text"),
        b'{"message":"' + b"x" * EVENT_LIMIT,
    ],
)
def test_what_is_not_the_wire_is_a_bad_response(chunk: bytes) -> None:
    with pytest.raises(BadResponse):
        read(chunk)


def test_an_error_line_has_its_class_and_keeps_what_came_before() -> None:
    reading = ChatReading(REQUEST, NUM_CTX, "")
    reading.feed(said(content="a") + line(error="the runner died") + done())
    assert [TextDelta("a")] == reading.take()
    assert BackendError is type(reading.failure)
    with pytest.raises(ModelNotFound):
        read(line(error="model 'm' not found"))


def test_a_prompt_that_fills_its_context_was_cut_to_it() -> None:
    with pytest.raises(ContextTooLong, match="100"):
        read(said(content="a"), done(prompt_eval_count=NUM_CTX))
    # What does not keep to the context does not cut either.
    read(said(content="a"), done(prompt_eval_count=NUM_CTX + 1))


def test_a_whole_reply() -> None:
    message = {"role": "assistant", "content": "4", "thinking": "Hm."}
    assert [ReasoningDelta("Hm."), ReasoningDelta("", OWN), TextDelta("4"), END] == read_whole(
        orjson.dumps(orjson.loads(done(message=message)), option=orjson.OPT_INDENT_2)
    )


def test_lines_may_come_as_one_piece() -> None:
    body = said(content="a") + b"\n" + said(content="b") + done() + said(content="c")
    assert [TextDelta("ab"), END] == read_whole(body)


@pytest.mark.parametrize(
    ("body", "failure"),
    [
        (b"", BadResponse),
        (b"<html>", BadResponse),
        (said(content="a"), BadResponse),
        (line(error="odd"), BackendError),
    ],
)
def test_a_whole_reply_that_is_none(body: bytes, failure: type[Exception]) -> None:
    with pytest.raises(failure):
        read_whole(body)
