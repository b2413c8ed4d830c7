"""What the real API refuses of a request, as far as a translator can get it wrong."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from parley_tests.openai_peer.failures import INVALID, VendorError
from parley_tests.openai_peer.seal import is_intact

# Fields of types/responses/input_token_count_params.py, and what replies take besides.
_COUNTED = frozenset(
    [
        "input",
        "instructions",
        "model",
        "parallel_tool_calls",
        "reasoning",
        "text",
        "tool_choice",
        "tools",
        "truncation",
    ]
)
_ASKED = _COUNTED | frozenset(
    [
        "include",
        "max_output_tokens",
        "metadata",
        "prompt_cache_key",
        "safety_identifier",
        "service_tier",
        "store",
        "stream",
        "stream_options",
        "temperature",
        "top_logprobs",
        "top_p",
        "user",
    ]
)
_OF_TOOLS = ("tool_choice", "parallel_tool_calls")


def refusal(path: str, body: Mapping[str, Any]) -> VendorError | None:
    """Returns what is wrong with a request first; None when it is one to be answered."""
    if path == "/chat/completions":
        found = [*_general(body, "reasoning_effort"), *_messages(body["messages"])]
    elif path == "/responses":
        found = [*_fields(body, _ASKED), *_general(body, "reasoning"), *_items(body["input"])]
    elif path == "/responses/input_tokens":
        found = [*_fields(body, _COUNTED), *_items(body["input"])]
    else:
        found = []
    return found[0] if found else None


def _fields(body: Mapping[str, Any], known: frozenset[str]) -> Iterator[VendorError]:
    for name in body:
        if name not in known:
            yield _invalid(f"Unknown parameter: '{name}'.", "unknown_parameter", name)


def _general(body: Mapping[str, Any], effort: str) -> Iterator[VendorError]:
    """What both wires refuse of fields: `o9-peer` reasons, `gpt-peer-mini` cannot."""
    reasons = str(body["model"]).startswith("o")
    if reasons and body.get("temperature", 1) != 1:
        said = f"Unsupported value: 'temperature' does not support {body['temperature']}"
        yield _invalid(f"{said} with this model.", "unsupported_value", "temperature")
    plain = (effort,) if body["model"] == "gpt-peer-mini" else ()
    unsupported = ("max_tokens", "top_p", "stop") if reasons else plain
    for name in unsupported:
        if body.get(name):
            said = f"Unsupported parameter: '{name}' is not supported with this model."
            yield _invalid(said, "unsupported_parameter", name)
    for name in _OF_TOOLS:
        if name in body and not body.get("tools"):
            yield _invalid(f"'{name}' is only allowed when 'tools' are specified.", None, name)
    if "stream_options" in body and not body.get("stream"):
        said = "The 'stream_options' parameter is only allowed when 'stream' is enabled."
        yield _invalid(said, None, "stream_options")


def _messages(messages: Sequence[Mapping[str, Any]]) -> Iterator[VendorError]:
    """Tools' results follow the calls that they answer, every one of them, before anything else."""
    open_calls: set[str] = set()
    for index, message in enumerate(messages):
        param = f"messages.[{index}].role"
        if message["role"] == "tool":
            if message["tool_call_id"] not in open_calls:
                said = "messages with role 'tool' must be a response to a preceding message with"
                yield _invalid(f"{said} 'tool_calls'.", None, param)
            open_calls.discard(message["tool_call_id"])
            continue
        yield from _unanswered(open_calls, param)
        open_calls = {call["id"] for call in message.get("tool_calls") or ()}
    yield from _unanswered(open_calls, "messages")


def _unanswered(calls: set[str], param: str) -> Iterator[VendorError]:
    if calls:
        said = "An assistant message with 'tool_calls' must be followed by tool messages responding"
        yield _invalid(f"{said} to each 'tool_call_id'.", None, param)


def _items(items: str | Sequence[Mapping[str, Any]]) -> Iterator[VendorError]:
    """Each output has its call and each call its output; reasoning is whole, and has led on."""
    if isinstance(items, str):
        return
    calls = {item["call_id"] for item in items if item.get("type") == "function_call"}
    outputs = {item["call_id"] for item in items if item.get("type") == "function_call_output"}
    for call_id in sorted(outputs - calls):
        said = f"No tool call found for function call output with call_id {call_id}."
        yield _invalid(said, None, "input")
    for call_id in sorted(calls - outputs):
        yield _invalid(f"No tool output found for function call {call_id}.", None, "input")
    for item, after in zip(items, [*items[1:], {}], strict=True):
        if item.get("type") == "reasoning":
            yield from _reasoning(item, after)


def _reasoning(item: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[VendorError]:
    if not is_intact(item):
        said = f"The encrypted content for item {item['id']} could not be verified."
        yield _invalid(said, "invalid_encrypted_content", None)
    leads_on = after.get("type") in ("reasoning", "function_call")
    if not (leads_on or after.get("role") == "assistant"):
        said = f"Item '{item['id']}' of type 'reasoning' was provided without its required"
        yield _invalid(f"{said} following item.", None, "input")


def _invalid(message: str, code: str | None, param: str | None) -> VendorError:
    return VendorError(400, INVALID, message.replace("{", "{{").replace("}", "}}"), code, param)
