"""Replies for the fake provider service to play, and OpenAI's client in front of the gateway."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import httpx

from parley.provider.v1.reply_pb2 import (
    FINISH_REASON_STOP,
    Finished,
    GenerateReplyResponse,
    Logprobs,
    ModelChoice,
    TokenLogprob,
    ToolCallDelta,
    Usage,
)

USAGE = Usage(input_tokens=7, output_tokens=3, cached_input_tokens=2, reasoning_tokens=1)
ANSWERER = GenerateReplyResponse(answerer=ModelChoice(provider="acme", model="large"))
Event = GenerateReplyResponse


def text(said: str) -> Event:
    return Event(text=said)


def thought(said: str) -> Event:
    return Event(reasoning=said)


def call(index: int, name: str = "", arguments: str = "", metadata: bytes = b"") -> Event:
    call_id = f"call_{index}" if name else ""
    return Event(
        tool_call=ToolCallDelta(
            index=index,
            tool_call_id=call_id,
            name=name,
            arguments=arguments,
            provider_metadata=metadata,
        )
    )


def likely(token: str, logprob: float, *top: tuple[str, float]) -> Event:
    others = [TokenLogprob(token=name, logprob=number) for name, number in top]
    one = TokenLogprob(token=token, logprob=logprob, bytes=token.encode(), top=others)
    return Event(logprobs=Logprobs(tokens=[one]))


def end(reason: Any = FINISH_REASON_STOP, usage: Usage = USAGE) -> Event:
    return Event(finished=Finished(reason=reason, usage=usage, provider="acme", model="large"))


def said(*texts: str) -> list[Any]:
    """A reply of nothing but text."""
    return [ANSWERER, *map(text, texts), end()]


def user(content: Any = "Hello", **more: Any) -> dict[str, Any]:
    """The body of a request."""
    return {"model": "acme/large", "messages": [{"role": "user", "content": content}], **more}


def chunks_of(answer: httpx.Response) -> list[Any]:
    """The data of a stream, which must be nothing else; `[DONE]` as it is."""
    lines = [line for line in answer.text.split("\n") if line and not line.startswith(":")]
    assert all(line.startswith("data: ") for line in lines)
    found = [line.removeprefix("data: ") for line in lines]
    return [one if one == "[DONE]" else json.loads(one) for one in found]


def deltas_of(chunks: Sequence[Any], index: int = 0) -> list[Any]:
    """What the chunks of one choice add."""
    return [
        choice["delta"]
        for chunk in chunks
        if chunk != "[DONE]"
        for choice in chunk.get("choices", ())
        if choice["index"] == index
    ]
