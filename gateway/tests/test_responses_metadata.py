"""What vendors want back with pieces of a reply: out to the client, and back as it came."""

from __future__ import annotations

import pytest
from parley_gateway.api.dialects.responses import items
from parley_gateway.api.dialects.responses.output import Events, Output

from parley.provider.v1.reply_pb2 import (
    ROLE_ASSISTANT,
    InputMessage,
    Logprobs,
    Part,
    TokenLogprob,
    ToolCall,
    ToolCallDelta,
)

pytestmark = pytest.mark.unit

OF = "01990000-0000-7000-8000-0000000000a2"


def output(*, logprobs: bool = False) -> Output:
    return Output(OF, Events(), logprobs=logprobs)


def test_metadata_of_every_piece_comes_back_with_it() -> None:
    made = output()
    made.reasoning("Hm.")
    made.reasoning_metadata(b'{"r":1}')
    made.reasoning_metadata(b'{"hidden":1}')
    made.text("I look.")
    made.text_metadata(b'{"t":1}')
    made.text_metadata(b'{"empty":1}')
    made.text("Done.")
    made.tool_call(ToolCallDelta(index=0, tool_call_id="c1", name="a", arguments="{"))
    made.tool_call(ToolCallDelta(index=0, arguments="}", provider_metadata=b'{"c":1}'))
    made.tool_call(ToolCallDelta(index=1, tool_call_id="c2", name="b", arguments="{}"))
    made.end()

    read = items.read(made.items).messages

    def call(name: str, tool: str) -> ToolCall:
        return ToolCall(tool_call_id=name, name=tool, arguments="{}")

    assert [
        InputMessage(
            role=ROLE_ASSISTANT,
            parts=[
                Part(reasoning="Hm.", provider_metadata=b'{"r":1}'),
                Part(reasoning="", provider_metadata=b'{"hidden":1}'),
                Part(text="I look.", provider_metadata=b'{"t":1}'),
                Part(text="", provider_metadata=b'{"empty":1}'),
                Part(text="Done."),
                Part(tool_call=call("c1", "a"), provider_metadata=b'{"c":1}'),
                Part(tool_call=call("c2", "b")),
            ],
        )
    ] == read


def test_ids_of_items_differ() -> None:
    made = output()
    for _ in range(2):
        made.reasoning("a")
        made.text("b")
    made.end()

    ids = [item["id"] for item in made.items]
    assert 4 == len(set(ids))
    assert {"01990000000070008000000000"} == {one.partition("_")[2][:26] for one in ids}


def test_nothing_said_is_a_message_without_words() -> None:
    made = output()
    made.end()

    assert [""] == [item["content"][0]["text"] for item in made.items]


def test_probabilities_stand_beside_their_text() -> None:
    made = output(logprobs=True)
    likely = TokenLogprob(token="A", logprob=-0.5, top=[TokenLogprob(token="B", logprob=-1.0)])
    made.text("A")
    made.logprobs(Logprobs(tokens=[likely]))
    made.text(" day")
    made.end()

    told = {
        "token": "A",
        "bytes": [65],
        "logprob": -0.5,
        "top_logprobs": [{"token": "B", "bytes": [66], "logprob": -1.0}],
    }
    [item] = made.items
    assert ("A day", [told]) == (item["content"][0]["text"], item["content"][0]["logprobs"])
    frames = [frame for frame in made.events.frames if b"output_text.delta" in frame]
    assert [True, False] == [b'"logprob":-0.5' in frame for frame in frames]
