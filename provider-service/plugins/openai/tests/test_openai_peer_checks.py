"""The peer refuses what the real API refuses, in its words."""

from typing import Any

import openai
import pytest
from parley_tests.openai_peer import OpenAIPeer

pytestmark = pytest.mark.unit

USER: Any = {"role": "user", "content": "Hi"}
FUNCTION = {"name": "add", "arguments": "{}"}
CALLING: Any = {
    "role": "assistant",
    "tool_calls": [{"id": "c1", "type": "function", "function": FUNCTION}],
}
RESULT: Any = {"role": "tool", "tool_call_id": "c1", "content": "2"}
CALL = {"type": "function_call", "call_id": "c1", "name": "add", "arguments": "{}"}
OUTPUT = {"type": "function_call_output", "call_id": "c1", "output": "2"}


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"messages": [USER, RESULT]}, "must be a response to a preceding message"),
        ({"messages": [USER, CALLING, USER]}, "must be followed by tool messages"),
        ({"messages": [USER, CALLING]}, "must be followed by tool messages"),
        ({"model": "o9-peer", "temperature": 0.2}, "'temperature' does not support 0.2"),
        ({"model": "o9-peer", "max_tokens": 9}, "'max_tokens' is not supported"),
        ({"model": "o9-peer", "top_p": 0.5}, "'top_p' is not supported"),
        ({"model": "o9-peer", "stop": ["x"]}, "'stop' is not supported"),
        ({"model": "gpt-peer-mini", "reasoning_effort": "low"}, "'reasoning_effort' is not"),
        ({"tool_choice": "auto"}, "'tool_choice' is only allowed"),
        ({"parallel_tool_calls": False}, "'parallel_tool_calls' is only allowed"),
        ({"stream_options": {"include_usage": True}}, "only allowed when 'stream' is enabled"),
    ],
)
async def test_what_completions_refuse(
    client: openai.AsyncOpenAI, fields: dict[str, Any], said: str
) -> None:
    asked = {"model": "gpt-peer", "messages": [USER], **fields}
    with pytest.raises(openai.BadRequestError, match=said):
        await client.chat.completions.create(**asked)


@pytest.mark.parametrize(
    ("fields", "said", "code"),
    [
        ({"input": [USER, OUTPUT]}, "No tool call found", None),
        ({"input": [USER, CALL]}, "No tool output found", None),
        ({"extra_body": {"seed": 7}}, "Unknown parameter: 'seed'", "unknown_parameter"),
        ({"model": "o9-peer", "temperature": 0.2}, "does not support 0.2", "unsupported_value"),
        ({"model": "gpt-peer-mini", "reasoning": {"effort": "low"}}, "'reasoning' is not", None),
        ({"tool_choice": "auto"}, "'tool_choice' is only allowed", None),
    ],
)
async def test_what_responses_refuse(
    client: openai.AsyncOpenAI, fields: dict[str, Any], said: str, code: str | None
) -> None:
    with pytest.raises(openai.BadRequestError, match=said) as caught:
        await client.responses.create(**{"model": "gpt-peer", "input": [USER], **fields})
    assert code is None or caught.value.code == code


async def test_counting_knows_fewer_fields(client: openai.AsyncOpenAI) -> None:
    with pytest.raises(openai.BadRequestError, match="Unknown parameter: 'store'"):
        await client.responses.input_tokens.count(
            model="gpt-peer", input=[USER], extra_body={"store": False}
        )


async def thought(client: openai.AsyncOpenAI, wire: OpenAIPeer) -> list[Any]:
    """Returns the items of a reply that was thought about."""
    wire.script(reasoning=["Hm."], texts=["Yes."])
    reply = await client.responses.create(model="gpt-peer", input=[USER])
    return [item.to_dict() for item in reply.output]


async def test_reasoning_that_comes_back_as_it_was_is_taken(
    client: openai.AsyncOpenAI, wire: OpenAIPeer
) -> None:
    items = await thought(client, wire)
    await client.responses.create(model="gpt-peer", input=[USER, *items, USER])


@pytest.mark.parametrize(
    "change",
    [
        {"encrypted_content": "AAAA"},
        {"encrypted_content": "no base64: é"},
        {"encrypted_content": None},
        {"id": "rs_another"},
    ],
)
async def test_reasoning_that_was_changed_is_refused(
    client: openai.AsyncOpenAI, wire: OpenAIPeer, change: dict[str, Any]
) -> None:
    reasoning, message = await thought(client, wire)
    given: list[Any] = [USER, {**reasoning, **change}, message, USER]
    with pytest.raises(openai.BadRequestError) as caught:
        await client.responses.create(model="gpt-peer", input=given)
    assert caught.value.code == "invalid_encrypted_content"


async def test_reasoning_that_leads_to_nothing_is_refused(
    client: openai.AsyncOpenAI, wire: OpenAIPeer
) -> None:
    reasoning, _ = await thought(client, wire)
    with pytest.raises(openai.BadRequestError, match="required following item"):
        await client.responses.create(model="gpt-peer", input=[USER, reasoning, USER])
