"""The demo does what requests ask for: tools, JSON, stops, probabilities, vectors."""

import json
import math
from typing import Any

import pytest
from parley_provider_demo.answers import seal
from parley_provider_demo.provider import DemoProvider
from parley_provider_demo.settings import INFO, DemoSettings
from parley_provider_sdk import (
    BackendError,
    Embedder,
    EmbeddingRequest,
    FilePart,
    FinishReason,
    ImagePart,
    Logprobs,
    Message,
    ModelNotFound,
    OutputFormat,
    Part,
    ReasoningPart,
    ReplyRequest,
    Role,
    TextPart,
    TokenCounter,
    Tool,
    ToolCallDelta,
    ToolCallPart,
    ToolChoice,
    ToolMode,
    ToolResultPart,
    Usage,
    UsageSource,
)
from parley_provider_sdk.testing import Reply, fold

pytestmark = pytest.mark.unit

FAST = DemoProvider(DemoSettings(pace=0))
SCHEMA = '{"type":"object","properties":{"city":{"type":"string"}},"required":["city"]}'
WEATHER = Tool("weather", "", SCHEMA)
NOW = Tool("now")


def ask(text: str, **changes: Any) -> ReplyRequest:
    messages = [Message(Role.USER, [TextPart(text)])]
    return ReplyRequest(**{"model": "demo", "messages": messages, **changes})


async def told(text: str, **changes: Any) -> Reply:
    return await fold(FAST.chat_completion(ask(text, **changes)))


@pytest.mark.parametrize(
    ("choice", "name", "arguments"),
    [
        (ToolChoice(ToolMode.REQUIRED), "weather", '{"city": "demo"}'),
        (ToolChoice(ToolMode.NAMED, "now"), "now", "{}"),
    ],
)
async def test_it_calls_the_tool_that_has_to_be_called(
    choice: ToolChoice, name: str, arguments: str
) -> None:
    reply = await told("Hi", tools=[WEATHER, NOW], tool_choice=choice)
    assert reply.tool_calls == (ToolCallPart("call-1", name, arguments),)
    assert (reply.text, reply.reason) == ("", FinishReason.TOOL)


async def test_it_calls_none_that_is_not_there() -> None:
    named = ToolChoice(ToolMode.NAMED, "nobody")
    assert not (await told("Hi", tools=[NOW], tool_choice=named)).tool_calls


async def test_it_calls_none_when_none_may_be_called() -> None:
    reply = await told("/call now", tools=[NOW], tool_choice=ToolChoice(ToolMode.NONE))
    assert (reply.tool_calls, reply.reason) == ((), FinishReason.STOP)


async def test_it_calls_one_at_a_time_when_it_must() -> None:
    assert len((await told("/call a\nb", parallel_tool_calls=False)).tool_calls) == 1


async def test_arguments_come_in_pieces() -> None:
    request = ask('/call add {"a": 1, "b": 2}')
    events = [event async for event in FAST.chat_completion(request)]
    deltas = [event for event in events if isinstance(event, ToolCallDelta)]
    assert [one.arguments for one in deltas] == ["", '{"a": 1', ', "b": ', "2}"]
    assert [one.name for one in deltas] == ["add", "", "", ""]


async def test_it_says_what_tools_answered_and_does_not_call_them_again() -> None:
    shown = ImagePart("image/png", b"12345", "plot.png")
    results = [
        ToolResultPart("c1", "42", images=[shown]),
        ToolResultPart("c2", "no", is_error=True),
    ]
    messages = [
        Message(Role.USER, [TextPart("/call add")]),
        Message(Role.ASSISTANT, [ToolCallPart("c1", "add", "{}")]),
        Message(Role.TOOL, results),
    ]
    choice = ToolChoice(ToolMode.REQUIRED)
    reply = await told("", messages=messages, tools=[NOW], tool_choice=choice)
    assert "- `add`: 42\n- `c2` failed: no\n" in reply.text
    assert "- an image `plot.png`, image/png, of 5 bytes\n" in reply.text


async def test_it_says_what_it_was_shown() -> None:
    image = ImagePart("", b"", url="https://example.com/a.png")
    parts: list[Part] = [image, FilePart("text/plain", b"12")]
    text = (await told("", messages=[Message(Role.USER, parts)])).text
    assert "- an image, of a type that nobody told me, at <https://example.com/a.png>\n" in text
    assert "- a file, text/plain, of 2 bytes\n" in text


@pytest.mark.parametrize("model", ["demo", "demo-reasoning"])
async def test_it_answers_with_json_that_fits(model: str) -> None:
    reply = await told("Hi", model=model, output=OutputFormat(SCHEMA))
    assert json.loads(reply.text) == {"city": "demo"}
    assert json.loads((await told("Hi", output=OutputFormat())).text) == {}
    assert (await told('/echo {"a":1}', output=OutputFormat(SCHEMA))).text == '{"a":1}'


async def test_thoughts_are_sealed_and_their_seal_is_looked_at() -> None:
    reply = await told("/think Hm.\nYes.")
    thought = ReasoningPart("Hm.", seal("Hm."))
    assert reply.parts == (thought, TextPart("Yes."))
    broken = ReasoningPart("Hm?", thought.provider_metadata)
    for part, row in ((thought, True), (broken, False)):
        messages = [Message(Role.ASSISTANT, [part]), Message(Role.USER, [TextPart("And?")])]
        text = (await told("", messages=messages)).text
        assert ("| Thoughts of mine that came back with their seal | 1 |" in text) == row


@pytest.mark.parametrize(
    ("stop", "text", "met"),
    [
        (("three",), "one two ", "three"),
        (("nobody", "o three", "two"), "one ", "two"),
        (("nobody", ""), "one two three", ""),
        ((" two",), "one", " two"),
        (("one",), "", "one"),
    ],
)
@pytest.mark.parametrize("stream", [True, False])
async def test_it_stops_where_it_shall_and_says_so(
    stop: tuple[str, ...], text: str, met: str, stream: bool
) -> None:
    reply = await told("/echo one two three", stop=stop, stream=stream)
    assert (reply.text, reply.stop_sequence, reply.reason) == (text, met, FinishReason.STOP)


async def test_the_limit_comes_before_a_stop_behind_it() -> None:
    reply = await told("/echo one two three", stop=("three",), max_tokens=1)
    assert (reply.text, reply.reason) == ("one ", FinishReason.LENGTH)
    assert reply.stop_sequence == ""


async def test_what_was_stopped_neither_breaks_nor_calls() -> None:
    assert (await told("/break 503 one two", max_tokens=1)).reason is FinishReason.LENGTH
    assert (await told("/break 503 one two", stop=("two",))).reason is FinishReason.STOP


@pytest.mark.parametrize("text", ["/echo one Grüße 世界", "/hold 0"])
@pytest.mark.parametrize("stream", [True, False])
async def test_probabilities_belong_to_the_words_and_are_some(text: str, stream: bool) -> None:
    reply = await told(text, top_logprobs=3, stream=stream)
    assert "".join(one.token for one in reply.logprobs) == reply.text
    for one in reply.logprobs:
        assert one.spelling == one.token.encode()
        assert one.top[0].token == one.token
        assert sum(math.exp(other.logprob) for other in one.top) < 1
        assert len({other.token for other in one.top}) == 3
    assert reply.logprobs == (await told(text, top_logprobs=3, stream=stream)).logprobs
    alone = await told(text, top_logprobs=0)
    assert {one.top for one in alone.logprobs} == {()}


async def test_nothing_said_has_no_probabilities() -> None:
    request = ask("/call now", top_logprobs=1, stream=False)
    events = [event async for event in FAST.chat_completion(request)]
    assert not any(isinstance(event, Logprobs) for event in events)


async def test_texts_become_vectors_of_length_one() -> None:
    assert isinstance(FAST, Embedder)
    made = await FAST.embed(EmbeddingRequest("demo-embedding", ["one two", "世界", "one two"], 7))
    one, two, again = made.vectors
    assert one == again != two
    assert [len(vector) for vector in made.vectors] == [7, 7, 7]
    assert math.hypot(*one) == pytest.approx(1)
    assert made.usage == Usage(5, 0, source=UsageSource.COUNTED)


async def test_vectors_fail_on_request() -> None:
    with pytest.raises(BackendError):
        await FAST.embed(EmbeddingRequest("demo-embedding", ["/slow 0", "/error 500"]))
    with pytest.raises(ModelNotFound, match="demo-embedding"):
        await FAST.embed(EmbeddingRequest("demo", ["Hi"]))


async def test_what_makes_vectors_makes_no_replies() -> None:
    names = {one.name: one.capabilities for one in await FAST.list_models()}
    assert names["demo-embedding"] == {"embedding"}
    assert INFO.default_model != "demo-embedding"
    with pytest.raises(ModelNotFound):
        await told("Hi", model="demo-embedding")


async def test_tokens_are_counted_beforehand() -> None:
    assert isinstance(FAST, TokenCounter)
    request = ask("one two", system="Be kind.")
    reply = await told("one two", system="Be kind.")
    assert await FAST.count_tokens(request) == reply.usage.input_tokens == 4
    with pytest.raises(ModelNotFound):
        await FAST.count_tokens(ask("Hi", model="gpt"))
