"""The bytes of the vendor's wire, and the text that the peer answers with."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from functools import lru_cache
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol

import orjson

MODELS = ("gpt-peer", "gpt-peer-mini")
_CHUNK = b'{"id":"chatcmpl-peer","object":"chat.completion.chunk","created":1700000000,"model":'
# Of one to four bytes a character, as real replies are.
_WORDS = "the quick brown Füchse jump über 世界 and naïve cafés 🚀 sing “ode” — 1 € x"
_INVALID = "invalid_request_error"


class VendorError(NamedTuple):
    """One of the vendor's failures, in its own words."""

    status: int
    type: str
    message: str
    code: str | None = None
    param: str | None = None


ERRORS: Mapping[str, VendorError] = MappingProxyType(
    {
        "invalid_api_key": VendorError(
            401, _INVALID, "Incorrect API key provided: {key}.", "invalid_api_key"
        ),
        "permission_denied": VendorError(403, _INVALID, "You have insufficient permissions."),
        "model_not_found": VendorError(
            404,
            _INVALID,
            "The model `{model}` does not exist or you do not have access to it.",
            "model_not_found",
        ),
        "context_length_exceeded": VendorError(
            400,
            _INVALID,
            "This model's maximum context length is 8192 tokens.",
            "context_length_exceeded",
            "messages",
        ),
        "content_policy_violation": VendorError(
            400,
            _INVALID,
            "Your request was rejected as a result of our safety system.",
            "content_policy_violation",
        ),
        "bad_request": VendorError(
            400,
            _INVALID,
            "Unsupported value: 'temperature' does not support 0.2 with this model.",
            "unsupported_value",
            "temperature",
        ),
        "timeout": VendorError(408, _INVALID, "Request timed out."),
        "conflict": VendorError(409, _INVALID, "The resource is locked."),
        "too_large": VendorError(413, _INVALID, "Request body is too large."),
        "unprocessable": VendorError(422, _INVALID, "The request is not valid."),
        "rate_limit_exceeded": VendorError(
            429,
            "requests",
            "Rate limit reached for {model} on requests per min (RPM): Limit 3, Used 3.",
            "rate_limit_exceeded",
        ),
        "insufficient_quota": VendorError(
            429,
            "insufficient_quota",
            "You exceeded your current quota, please check your plan and billing details.",
            "insufficient_quota",
        ),
        "server_error": VendorError(
            500, "server_error", "The server had an error while processing your request."
        ),
        "overloaded": VendorError(
            503, "server_error", "That model is currently overloaded with other requests."
        ),
    }
)


def reply_tokens(messages: Sequence[Mapping[str, Any]], count: int = 64) -> list[str]:
    """Returns the words that the peer answers these messages with, on the wire's form of them."""
    return _words(zlib.crc32(last_text(messages).encode()) + len(messages), count)


def reply_text(messages: Sequence[Mapping[str, Any]], count: int = 64) -> str:
    """Returns the text that the peer answers these messages with."""
    return "".join(reply_tokens(messages, count))


def prompt_tokens(messages: Sequence[Mapping[str, Any]]) -> int:
    """Counts the input as the peer does: four for each message and one for four characters."""
    return sum(4 + len(_text(message)) // 4 for message in messages)


def error_body(name: str, **words: str) -> dict[str, Any]:
    """Returns the vendor's body for a failure."""
    error = ERRORS[name]
    # The full key comes back on purpose: a client that shows the vendor's words shows the key.
    message = error.message.format(**{"key": "", "model": "", **words})
    facts = {"message": message, "type": error.type, "param": error.param, "code": error.code}
    return {"error": facts}


class Ending(Protocol):
    """How a reply ends."""

    @property
    def finish_reason(self) -> str:
        """The vendor's word for it."""

    @property
    def usage(self) -> bool:
        """Whether the tokens are counted."""


def events(body: Mapping[str, Any], tokens: Sequence[str], ending: Ending) -> list[bytes]:
    """Returns the events of a stream: the opening one, one for each token, and the end."""
    with_usage = ending.usage and bool((body.get("stream_options") or {}).get("include_usage"))
    prefix = b"data: " + _CHUNK + orjson.dumps(body["model"]) + b',"choices":['
    suffix = (b'],"usage":null}' if with_usage else b"]}") + b"\n\n"
    opening = _choice(b'{"role":"assistant","content":"","refusal":null}')
    words = [_choice(b'{"content":' + orjson.dumps(token) + b"}") for token in tokens]
    end = prefix + _choice(b"{}", orjson.dumps(ending.finish_reason)) + suffix
    if with_usage:
        counts = orjson.dumps(usage_of(body["messages"], len(tokens)))
        end += prefix + b'],"usage":' + counts + b"}\n\n"
    return [prefix + one + suffix for one in (opening, *words)] + [end + b"data: [DONE]\n\n"]


def whole(body: Mapping[str, Any], tokens: Sequence[str], ending: Ending) -> bytes:
    """Returns a reply in one piece."""
    message = {"role": "assistant", "content": "".join(tokens), "refusal": None}
    choice = {
        "index": 0,
        "message": message,
        "logprobs": None,
        "finish_reason": ending.finish_reason,
    }
    answer = {
        "id": "chatcmpl-peer",
        "object": "chat.completion",
        "created": 1700000000,
        "model": body["model"],
        "choices": [choice],
    }
    if ending.usage:
        answer["usage"] = usage_of(body["messages"], len(tokens))
    return orjson.dumps(answer)


def models() -> bytes:
    """Returns the list of models."""
    facts = {"object": "model", "created": 1700000000, "owned_by": "peer"}
    return orjson.dumps({"object": "list", "data": [{"id": name, **facts} for name in MODELS]})


def last_text(messages: Sequence[Mapping[str, Any]]) -> str:
    """Returns what the user said last."""
    return next((_text(one) for one in reversed(messages) if one["role"] == "user"), "")


def usage_of(messages: Sequence[Mapping[str, Any]], completion: int) -> dict[str, Any]:
    """Returns the vendor's counts."""
    prompt = prompt_tokens(messages)
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0},
    }


@lru_cache(maxsize=512)
def _words(seed: int, count: int) -> list[str]:
    words = _WORDS.split()
    size = len(words)
    return [f"{words[(seed + number * (1 + seed % 7)) % size]} " for number in range(count)]


def _text(message: Mapping[str, Any]) -> str:
    content = message.get("content") or ""
    if isinstance(content, str):
        return content
    return "".join(part.get("text", "") for part in content)


def _choice(delta: bytes, finish_reason: bytes = b"null") -> bytes:
    rest = b',"logprobs":null,"finish_reason":' + finish_reason + b"}"
    return b'{"index":0,"delta":' + delta + rest
