"""A reply is read to its end, or it has failed."""

import json
from typing import Any

import pytest
from parley_provider_google.reading import ContentReading
from parley_provider_google.signatures import UNSIGNED, kept
from parley_provider_sdk import (
    BackendError,
    BadResponse,
    ContentRefused,
    Finished,
    FinishReason,
    Message,
    Overloaded,
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
    UsageUpdate,
)
from parley_provider_sdk.reading import EVENT_LIMIT

pytestmark = pytest.mark.unit

REQUEST = ReplyRequest("m", [Message(Role.USER, [TextPart("Hi")])])
BUSY = {"error": {"code": 503, "message": "Busy.", "status": "UNAVAILABLE"}}


def answer(*parts: dict[str, Any], reason: str = "", **more: Any) -> dict[str, Any]:
    candidate: dict[str, Any] = {"content": {"parts": list(parts), "role": "model"}, "index": 0}
    if reason:
        candidate["finishReason"] = reason
    return {"candidates": [candidate], **more}


def event(*parts: dict[str, Any], reason: str = "", **more: Any) -> bytes:
    return b"data: " + json.dumps(answer(*parts, reason=reason, **more)).encode() + b"\r\n\r\n"


STOP = event(reason="STOP")


def read(*chunks: bytes) -> list[ReplyEvent]:
    """Reads a stream as the provider does."""
    reading = ContentReading(REQUEST, "")
    events: list[ReplyEvent] = []
    for chunk in chunks:
        reading.feed(chunk)
        events += reading.take()
    reading.feed_end()
    events += reading.take()
    if reading.failure:
        raise reading.failure
    return [*events, reading.end()]


def whole(body: object) -> ContentReading:
    reading = ContentReading(REQUEST, "")
    reading.feed_whole(body if isinstance(body, bytes) else json.dumps(body).encode())
    return reading


def test_texts_that_come_together_stay_together() -> None:
    chunks = (event({"text": "a"}) + event({"text": "b"}), event({"text": "c"}), STOP)
    assert [TextDelta("ab"), TextDelta("c")] == read(*chunks)[:-1]


def test_thoughts_are_reasoning() -> None:
    chunk = event({"text": "hm", "thought": True}, {"text": "Yes."}) + STOP
    assert [ReasoningDelta("hm"), TextDelta("Yes.")] == read(chunk)[:-1]


def test_a_signature_ends_the_piece_that_it_signs() -> None:
    thought = {"text": "well", "thought": True, "thoughtSignature": "s1"}
    chunks = (
        event({"text": "hm, ", "thought": True}, thought),
        event({"text": "a"}),
        event({"text": "b", "thoughtSignature": "s2"}),
        event({"text": "c", "thoughtSignature": "s3"}, {"text": "d"}),
        event({"thoughtSignature": "s4"}, {"text": "", "thoughtSignature": "s5"}, reason="STOP"),
    )
    assert read(*chunks)[:-1] == [
        ReasoningDelta("hm, well"),
        ReasoningDelta("", kept("s1")),
        TextDelta("a"),
        TextDelta("", UNSIGNED),
        TextDelta("b"),
        TextDelta("", kept("s2")),
        TextDelta("c"),
        TextDelta("", kept("s3")),
        TextDelta("d"),
        TextDelta("", UNSIGNED),
        TextDelta("", kept("s4")),
        TextDelta("", kept("s5")),
    ]


def test_calls_are_counted_and_made_ids_are_stable() -> None:
    calls = (
        {"functionCall": {"id": "c1", "name": "add", "args": {"a": 1}}, "thoughtSignature": "s"},
        {"functionCall": {"name": "now"}},
    )
    for more, made in (({"responseId": "r"}, "r"), ({}, "1")):
        for _ in range(2):
            *events, end = read(event(*calls, **more), STOP)
            assert events == [
                ToolCallDelta(0, "c1", "add", '{"a":1}', kept("s")),
                ToolCallDelta(1, f"parley-call-{made}-1", "now", "{}"),
            ]
            assert isinstance(end, Finished)
            assert FinishReason.TOOL is end.reason


def test_counts_grow_and_never_shrink() -> None:
    chunks = (
        event({"text": ""}, usageMetadata={"promptTokenCount": 3}),
        event({"text": "a"}, usageMetadata={"promptTokenCount": 3, "thoughtsTokenCount": 2}),
        event({"text": "b"}, usageMetadata={"candidatesTokenCount": 4, "promptTokenCount": None}),
        event({"text": "c"}, usageMetadata={"candidatesTokenCount": 3}),
        event(reason="STOP", usageMetadata=7),
    )
    first, last = Usage(3, 2, reasoning_tokens=2), Usage(3, 6, reasoning_tokens=2)
    assert read(*chunks) == [
        UsageUpdate(Usage(3, 0)),
        TextDelta("a"),
        UsageUpdate(first),
        TextDelta("b"),
        UsageUpdate(last),
        TextDelta("c"),
        Finished(FinishReason.STOP, last),
    ]


@pytest.mark.parametrize(
    ("counts", "usage"),
    [
        (None, Usage(5, 2, source=UsageSource.ESTIMATED)),
        ({}, Usage(5, 2, source=UsageSource.ESTIMATED)),
        ({"promptTokenCount": 9}, Usage(9, 2, source=UsageSource.ESTIMATED)),
        ({"candidatesTokenCount": 9}, Usage(5, 9, source=UsageSource.ESTIMATED)),
        ({"promptTokenCount": 9, "candidatesTokenCount": 8}, Usage(9, 8)),
    ],
)
def test_counts_that_are_left_out_are_estimated(counts: Any, usage: Usage) -> None:
    end = read(event({"text": "12345"}, reason="STOP", usageMetadata=counts))[-1]
    assert Finished(FinishReason.STOP, usage) == end


def test_a_reply_of_nothing_costs_its_prompt() -> None:
    end = read(event(reason="SAFETY", usageMetadata={"promptTokenCount": 9}))[-1]
    assert Finished(FinishReason.FILTERED, Usage(9, 0)) == end


def test_what_follows_another_wires_mark_is_not_read() -> None:
    chunk = event({"text": "a"}, reason="STOP") + b"data: [DONE]\n\n" + event({"text": "b"})
    assert [TextDelta("a")] == read(chunk)[:-1]


def test_unknown_events_fields_and_parts_are_ignored() -> None:
    odd = b'event: ping\ndata: {"type":"ping"}\n\n: hello\n\n'
    code = {"executableCode": {"code": "1"}, "thoughtSignature": "s"}
    chunk = odd + event({"text": "a", "odd": 1}, code, {}, odd=2, reason="NOVEL") + odd
    *said, end = read(chunk)
    assert [TextDelta("a")] == said
    assert isinstance(end, Finished)
    assert FinishReason.OTHER is end.reason


def test_only_the_first_candidate_is_read() -> None:
    second = {"index": 1, "content": {"parts": [{"text": "b"}]}, "finishReason": "MAX_TOKENS"}
    first = answer({"text": "a"}, reason="STOP")["candidates"][0]
    body = {"candidates": [first, second]}
    *said, end = read(b"data: " + json.dumps(body).encode() + b"\n\n")
    assert [TextDelta("a")] == said
    assert isinstance(end, Finished)
    assert FinishReason.STOP is end.reason


@pytest.mark.parametrize(
    "chunks",
    [
        [],
        [event({"text": "a"})],
        [event({"text": "a"}, reason="FINISH_REASON_UNSPECIFIED")],
        [b": only a comment\n\n"],
        [b'data: {"usageMetadata":{"promptTokenCount":1}}\n\n'],
    ],
)
def test_a_stream_without_its_reason_is_no_reply(chunks: list[bytes]) -> None:
    with pytest.raises(BadResponse):
        read(*chunks)


@pytest.mark.parametrize(
    "chunk",
    [
        b'data: {"candidates":[{"con\n\n',
        b"data: \xff\xfe\n\n",
        b"data: 7\n\n",
        b"data: []\n\n",
        b"data: [1,2]\n\n",
        b'data: "error"\n\n',
        b'data: {"candidates":7}\n\n',
        b'data: {"candidates":[7]}\n\n',
        b'data: {"candidates":[{"content":{"parts":[7]}}]}\n\n',
        event({"text": ["a"]}),
        event({"text": "a", "thoughtSignature": 7}),
        event({"functionCall": {"name": 7}}),
        event({"functionCall": {"name": "a", "id": 7}}),
        event({"functionCall": 7}),
        b"data: " + b"x" * EVENT_LIMIT,
        b"{" + b"x" * EVENT_LIMIT,
        b"<html>\n",
    ],
)
def test_what_is_not_the_wire_is_refused(chunk: bytes) -> None:
    with pytest.raises(BadResponse):
        read(chunk)


def test_a_blocked_prompt_is_refused_content() -> None:
    for more in ({}, {"blockReasonMessage": "It is about hotels."}):
        feedback = {"promptFeedback": {"blockReason": "SAFETY", **more}}
        with pytest.raises(ContentRefused, match=more.get("blockReasonMessage", "SAFETY")):
            read(b"data: " + json.dumps(feedback).encode() + b"\n\n")
        assert isinstance(whole(feedback).failure, ContentRefused)


@pytest.mark.parametrize("error", [BUSY, [BUSY]])
def test_text_before_an_error_is_kept(error: object) -> None:
    reading = ContentReading(REQUEST, "")
    reading.feed(event({"text": "a"}) + b"data: " + json.dumps(error).encode() + b"\n\n")
    assert [TextDelta("a")] == reading.take()
    assert Overloaded is type(reading.failure)


def test_an_error_in_words_is_an_error() -> None:
    with pytest.raises(BackendError):
        read(b'data: {"error":"It failed."}\n\n')


@pytest.mark.parametrize("error", [BUSY, [BUSY]])
@pytest.mark.parametrize("size", [7, 10_000])
def test_bare_json_between_events_is_an_error(error: object, size: int) -> None:
    bare = json.dumps(error, indent=2).encode() + b"\n"
    pieces = [bare[start : start + size] for start in range(0, len(bare), size)]
    with pytest.raises(Overloaded):
        read(event({"text": "a"}), *pieces)


def test_json_in_the_middle_of_an_event_is_not_bare() -> None:
    text = event({"text": "a"}, reason="STOP")
    split = [part for start in range(len(text)) if (part := text[start : start + 1])]
    assert [TextDelta("a")] == read(*split)[:-1]


def test_a_whole_reply_may_come_as_a_list() -> None:
    chunks = [answer({"text": "a"}), answer({"text": "b"}, reason="STOP")]
    for body in (answer({"text": "ab"}, reason="STOP"), chunks):
        reading = whole(body)
        assert [TextDelta("ab")] == reading.take()
        assert FinishReason.STOP is reading.end().reason


@pytest.mark.parametrize(
    "body", [b"<html>", b"[]", b"{}", b'{"candidates":[]}', b'{"candidates":7}', b"7"]
)
def test_a_whole_reply_that_is_none_is_refused(body: bytes) -> None:
    assert isinstance(whole(body).failure, BadResponse)


def test_an_error_in_place_of_a_whole_reply_has_its_class() -> None:
    error = {"error": {"status": "RESOURCE_EXHAUSTED"}}
    for body in (error, [error]):
        assert isinstance(whole(body).failure, RateLimited)
