"""What the vendor refuses of a request, and in which sentence."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from parley_tests.anthropic_peer.cache import wrong_marks

VERSIONS = ("2023-06-01", "2026-10-21")
SAMPLING = ("temperature", "top_p", "top_k")
# The models that take no sampling and no thinking by budget, as those after Opus 4.6 do.
NEWEST = ("claude-sonnet-5-5", "claude-opus-5-5")
# The types of `thinking` and the levels of effort that each model takes.
THINKING: Mapping[str, Sequence[str]] = MappingProxyType(
    {
        "claude-sonnet-5-5": ("adaptive", "between_tools"),
        "claude-opus-5-5": ("adaptive",),
        "claude-opus-4-6": ("adaptive", "enabled", "disabled"),
        "claude-haiku-4-5": ("enabled", "disabled"),
    }
)
EFFORTS: Mapping[str, Sequence[str]] = MappingProxyType(
    {
        "claude-sonnet-5-5": ("low", "medium", "high", "xhigh", "max"),
        "claude-opus-5-5": ("low", "medium", "high", "xhigh", "max"),
        "claude-opus-4-6": ("low", "medium", "high", "max"),
    }
)
_USE_ONE = "Please use only one."
_REQUIRED = ("model", "max_tokens", "messages")
_ROLES = ("user", "assistant", "system")


def refusal(headers: Mapping[str, str], body: Any, *, counts: bool = False) -> str:
    """Returns the sentence that refuses a request; empty when nothing is wrong with it."""
    version = headers.get("anthropic-version")
    if version is None:
        return "anthropic-version: header is required"
    if version not in VERSIONS:
        return f'anthropic-version: "{version}" is not a valid version'
    return next(_wrong(version, body, counts=counts), "")


def sign(thinking: str) -> str:
    """Returns the signature of a thinking text."""
    return f"EqQB{zlib.crc32(thinking.encode()):08x}Zw=="


def encrypt(reasoning: str) -> str:
    """Returns the data of encrypted reasoning."""
    return f"EmwK{zlib.crc32(reasoning.encode()):08x}Zw==.{reasoning}"


def blocks_of(message: Any) -> Sequence[Mapping[str, Any]]:
    """Returns the content of a message as blocks."""
    content = message["content"]
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


def _wrong(version: str, body: Any, *, counts: bool) -> Iterator[str]:
    required = [name for name in _REQUIRED if not (counts and name == "max_tokens")]
    yield from (f"{name}: Field required" for name in required if name not in body)
    yield from _sampling(version, body)
    yield from _together(body)
    yield from _thinking(body)
    yield from _effort(body)
    yield from _turns(body["messages"])
    yield from _undefined(body)
    yield from wrong_marks(body)
    for number, message in enumerate(body["messages"]):
        for position, block in enumerate(blocks_of(message)):
            yield from _block(f"messages.{number}.content.{position}", block)


def _sampling(version: str, body: Any) -> Iterator[str]:
    for name in SAMPLING:
        if name not in body:
            continue
        if version == VERSIONS[1]:
            yield f"{name}: Extra inputs are not permitted"
        elif body["model"] in NEWEST:
            yield f"`{name}` is deprecated for this model."


def _together(body: Any) -> Iterator[str]:
    if body["model"] in THINKING and "temperature" in body and "top_p" in body:
        yield "`temperature` and `top_p` cannot both be specified for this model. " + _USE_ONE
    if (body.get("thinking") or {}).get("type") in ("enabled", "adaptive"):
        if body.get("temperature", 1) != 1:
            yield "`temperature` may only be set to 1 when thinking is enabled."
        if body.get("top_p", 1) < 0.95:
            yield "`top_p` must be greater than or equal to 0.95 or unset when thinking is enabled."
        if "top_k" in body:
            yield "`top_k` must be unset when thinking is enabled."


def _thinking(body: Any) -> Iterator[str]:
    thinking = body.get("thinking") or {"type": ""}
    kind, is_forced = thinking["type"], _is_forced(body)
    if kind and kind not in THINKING.get(body["model"], (kind,)):
        yield f'"thinking.type.{kind}" is not supported for this model.'
    if kind == "enabled" and thinking["budget_tokens"] < 1024:
        yield "thinking.enabled.budget_tokens: Input should be greater than or equal to 1024"
    if kind == "enabled" and thinking["budget_tokens"] >= body.get("max_tokens", 1 << 20):
        yield "`max_tokens` must be greater than `thinking.budget_tokens`."
    if is_forced and body["model"] in NEWEST:
        yield 'tool_choice: type "tool" and "any" are not supported for this model.'
    if is_forced and kind in ("enabled", "adaptive"):
        yield "Thinking may not be enabled when tool_choice forces tool use."


def _is_forced(body: Any) -> bool:
    return (body.get("tool_choice") or {}).get("type") in ("any", "tool")


def _effort(body: Any) -> Iterator[str]:
    level = (body.get("output_config") or {}).get("effort")
    levels = EFFORTS.get(body["model"], ())
    if level and body["model"] in THINKING and not levels:
        yield "This model does not support the effort parameter."
    if level and levels and level not in levels:
        yield f"output_config.effort: '{level}' is not supported for this model"


def _turns(messages: Sequence[Any]) -> Iterator[str]:
    if not messages:
        yield "messages: at least one message is required"
        return
    if messages[0]["role"] != "user":
        yield 'messages: first message must use the "user" role'
    asked: set[str] = set()
    for number, message in enumerate(messages):
        if message["role"] not in _ROLES:
            yield f"messages.{number}.role: Input should be 'user' or 'assistant'"
        yield from _results(number, message, asked)
        asked = {one["id"] for one in blocks_of(message) if one["type"] == "tool_use"}
    if asked:
        yield f"messages.{len(messages) - 1}: `tool_use` ids were found without `tool_result`"


def _results(number: int, message: Any, asked: set[str]) -> Iterator[str]:
    results = [one["type"] == "tool_result" for one in blocks_of(message)]
    found = {one["tool_use_id"] for one in blocks_of(message) if one["type"] == "tool_result"}
    for wrong in sorted(found - asked):
        yield (
            f"messages.{number}.content.0: unexpected `tool_use_id` found in `tool_result` "
            f"blocks: {wrong}. Each `tool_result` block must have a corresponding `tool_use` block "
            "in the previous message."
        )
    if asked - found or results != sorted(results, reverse=True):
        yield (
            f"messages.{number - 1}: `tool_use` ids were found without `tool_result` blocks "
            f"immediately after: {', '.join(sorted(asked))}."
        )


def _undefined(body: Any) -> Iterator[str]:
    kinds = {one["type"] for message in body["messages"] for one in blocks_of(message)}
    if kinds & {"tool_use", "tool_result"} and not body.get("tools"):
        yield "Requests which include `tool_use` or `tool_result` blocks must define tools."


def _block(path: str, block: Mapping[str, Any]) -> Iterator[str]:
    match block["type"]:
        case "text" if not block["text"].strip():
            yield "messages: text content blocks must contain non-whitespace text"
        case "thinking" if block.get("signature") != sign(block["thinking"]):
            yield f"{path}: Invalid `signature` in `thinking` block"
        case "redacted_thinking" if not _is_ours(block["data"]):
            yield f"{path}: Invalid `data` in `redacted_thinking` block"
        case "tool_result" if isinstance(block["content"], list):
            for position, one in enumerate(block["content"]):
                yield from _block(f"{path}.content.{position}", one)
        case "image" | "document" if block["source"]["type"] == "url":
            if not block["source"]["url"].startswith(("http://", "https://")):
                yield f"{path}.{block['type']}.source.url: Only HTTP and HTTPS are supported."


def _is_ours(data: str) -> bool:
    return data == encrypt(data.partition(".")[2])
