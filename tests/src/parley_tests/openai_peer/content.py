"""What is said in a request on either wire, what it counts, and what the peer answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from parley_provider_sdk.testing import Script, words

# Characters of a tool call's arguments that come in one event.
_PIECE = 7


def reply_tokens(messages: Sequence[Mapping[str, Any]], count: int = 64) -> list[str]:
    """Returns the words that the peer answers these messages with, on the wire's form of them."""
    return words(last_text(messages), count)


def reply_text(messages: Sequence[Mapping[str, Any]], count: int = 64) -> str:
    """Returns the text that the peer answers these messages with."""
    return "".join(reply_tokens(messages, count))


def prompt_tokens(messages: Sequence[Mapping[str, Any]]) -> int:
    """Counts the input as the peer does: four for each message and one for four characters."""
    return sum(4 + len(text_of(message)) // 4 for message in messages)


def last_text(messages: Sequence[Mapping[str, Any]]) -> str:
    """Returns what the user said last."""
    return next((text_of(one) for one in reversed(messages) if one.get("role") == "user"), "")


def text_of(message: Mapping[str, Any]) -> str:
    """Returns the text of a message, which may come in parts; of other items it is empty."""
    content = message.get("content") or ""
    if isinstance(content, str):
        return content
    return "".join(part.get("text", "") for part in content)


def messages_of(body: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Returns the messages or items of a request on either wire, instructions included."""
    if "messages" in body:
        return list(body["messages"])
    given = body.get("input") or []
    items = [{"role": "user", "content": given}] if isinstance(given, str) else list(given)
    instructions = body.get("instructions")
    return [{"role": "system", "content": instructions}, *items] if instructions else items


def weighed(texts: Sequence[str], top: int) -> list[dict[str, Any]]:
    """Returns the probabilities of texts, a token each, and of so many others in their places."""
    return [
        {**_weight(text, 0), "top_logprobs": [_weight(text, rank) for rank in range(top)]}
        for text in texts
    ]


def _weight(text: str, rank: int) -> dict[str, Any]:
    token = f"{text}{rank}" if rank else text
    return {"token": token, "logprob": -0.25 * (rank + 1), "bytes": list(token.encode())}


def pieces(text: str) -> list[str]:
    """Returns the text as it comes in events."""
    return [text[start : start + _PIECE] for start in range(0, len(text), _PIECE)]


def output_tokens(texts: Sequence[str], script: Script) -> int:
    """Counts the output as the peer does: one for each event that says something."""
    called = sum(len(pieces(call["arguments"])) for call in script.calls)
    return len(texts) + len(script.reasoning) + called
