"""Pure functions between our types and the vendor's: requests out, usage and reasons in."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import orjson
from parley_provider_sdk import (
    BadRequest,
    FilePart,
    FinishReason,
    ImagePart,
    Message,
    OutputFormat,
    ReplyRequest,
    Role,
    TextPart,
    Tool,
    ToolCallPart,
    ToolMode,
    ToolResultPart,
    Usage,
)

from parley_provider_openai import options, parameters
from parley_provider_openai.parameters import nearest_effort
from parley_provider_openai.wire import JSON, address, count, given, sendable

# The vendor's words, and below what servers say that speak its wire with an accent.
_REASONS = MappingProxyType(
    {
        "stop": FinishReason.STOP,
        "length": FinishReason.LENGTH,
        "tool_calls": FinishReason.TOOL,
        "function_call": FinishReason.TOOL,
        "content_filter": FinishReason.FILTERED,
        "eos": FinishReason.STOP,
        "eos_token": FinishReason.STOP,
        "end_turn": FinishReason.STOP,
        "stop_sequence": FinishReason.STOP,
        "max_tokens": FinishReason.LENGTH,
        "model_length": FinishReason.LENGTH,
        "tool_use": FinishReason.TOOL,
    }
)

_COUNTED = MappingProxyType({"include_usage": True})


def encode(request: ReplyRequest, *, own: bool) -> bytes:
    """Returns the body to send. Raises BadRequest for what is not Unicode or not JSON."""
    with sendable():
        return orjson.dumps(body(request, own=own))


def body(request: ReplyRequest, *, own: bool) -> JSON:
    """Returns the body; `own` says that OpenAI itself will read it, which renamed a field.

    Raises BadRequest for what this wire has no word for.
    """
    parameters.check(request, parameters.not_on_chat(own=own), "chat completions")
    if request.provider_options:
        worded = options.on_chat(request.provider_options, own=own)
        request = replace(request, provider_options=worded)
    # Options come first, so that none of them changes what was asked for by its own name.
    made: JSON = {
        **request.provider_options,
        "model": request.model,
        "messages": _all_messages(request),
    }
    effort = request.reasoning_effort
    made |= given(
        {
            "temperature": request.temperature,
            "top_p": request.top_p,
            "seed": request.seed,
            "stop": list(request.stop) or None,
            # Only the newer name is taken by reasoning models, and compatible servers lag behind.
            "max_completion_tokens" if own else "max_tokens": request.max_tokens,
            "response_format": request.output and _format(request.output),
            "reasoning_effort": nearest_effort(effort, request.model) if own else effort,
            "frequency_penalty": request.frequency_penalty,
            "presence_penalty": request.presence_penalty,
            "top_k": request.top_k,
            "logprobs": None if request.top_logprobs is None else True,
            "top_logprobs": request.top_logprobs,
        }
    )
    made |= _tools(request)
    if request.stream:
        made["stream"] = True
        # The one field here that not every server takes: an option of null leaves it out.
        streamed = made.get("stream_options", {})
        made["stream_options"] = streamed if streamed is None else {**streamed, **_COUNTED}
    return made


def usage(counts: Any) -> Usage | None:
    """Reads the vendor's counts; None when there are none: no request has no tokens."""
    given_, made = count(counts, "prompt_tokens"), count(counts, "completion_tokens")
    if not (given_ or made):
        return None
    return Usage(
        input_tokens=given_,
        output_tokens=made,
        cached_input_tokens=count(counts.get("prompt_tokens_details"), "cached_tokens"),
        reasoning_tokens=count(counts.get("completion_tokens_details"), "reasoning_tokens"),
        cache_write_tokens=count(counts.get("prompt_tokens_details"), "cache_write_tokens"),
    )


def larger(known: Usage | None, new: Usage | None) -> Usage | None:
    """Joins what was counted in two places: some servers count the input first, the rest last."""
    if known is None or new is None:
        return new or known
    return Usage(
        max(known.input_tokens, new.input_tokens),
        max(known.output_tokens, new.output_tokens),
        max(known.cached_input_tokens, new.cached_input_tokens),
        max(known.reasoning_tokens, new.reasoning_tokens),
        cache_write_tokens=max(known.cache_write_tokens, new.cache_write_tokens),
    )


def finish_reason(word: str, *, refused: bool, called: bool) -> FinishReason:
    """Returns our reason for the vendor's; a refusal arrives as a field beside `stop`."""
    reason = _REASONS.get(word, FinishReason.OTHER)
    if reason is not FinishReason.STOP:
        return reason
    # Some servers say `stop` after tool calls too.
    return FinishReason.REFUSAL if refused else FinishReason.TOOL if called else reason


def _all_messages(request: ReplyRequest) -> list[JSON]:
    messages: list[JSON] = []
    if request.system:
        messages.append({"role": "system", "content": request.system})
    shown: list[JSON] = []
    for message in request.messages:
        parts = message.parts
        # Nothing may stand between the results of a turn's tools.
        if shown and not any(isinstance(part, ToolResultPart) for part in parts):
            messages.append({"role": "user", "content": shown})
            shown = []
        if len(parts) == 1 and type(parts[0]) is TextPart:
            # What nearly every message is, in the only form that every compatible server takes.
            role = "assistant" if message.role is Role.ASSISTANT else "user"
            messages.append({"role": role, "content": parts[0].text})
        else:
            messages.extend(_messages(message))
            shown += [one for part in parts for one in _images(part)]
    return [*messages, {"role": "user", "content": shown}] if shown else messages


def _images(part: object) -> Iterator[JSON]:
    """Shows a tool's images as the user's: its own message holds text alone on this wire."""
    if isinstance(part, ToolResultPart) and part.images:
        yield {"type": "text", "text": f"The tool call {part.tool_call_id} returned:"}
        yield from map(_user_part, part.images)


def _messages(message: Message) -> Iterator[JSON]:
    """A tool's result is a message of its own on this wire, and comes first."""
    for part in message.parts:
        if isinstance(part, ToolResultPart):
            yield {"role": "tool", "tool_call_id": part.tool_call_id, "content": part.content}
    if message.role is Role.ASSISTANT:
        yield _assistant(message)
    elif message.role is Role.USER:
        content = [
            _user_part(part) for part in message.parts if not isinstance(part, ToolResultPart)
        ]
        if content:
            yield {"role": "user", "content": content}


def _assistant(message: Message) -> JSON:
    """Reasoning stays behind: this wire has no way to give it back."""
    made: JSON = {"role": "assistant"}
    text = "".join(part.text for part in message.parts if isinstance(part, TextPart))
    calls = [_tool_call(part) for part in message.parts if isinstance(part, ToolCallPart)]
    if text or not calls:
        made["content"] = text
    if calls:
        made["tool_calls"] = calls
    return made


def _tool_call(part: ToolCallPart) -> JSON:
    function = {"name": part.name, "arguments": part.arguments}
    return {"id": part.tool_call_id, "type": "function", "function": function}


def _user_part(part: object) -> JSON:
    match part:
        case TextPart():
            return {"type": "text", "text": part.text}
        case ImagePart():
            return {"type": "image_url", "image_url": {"url": address(part)}}
        case FilePart() if part.url:
            raise BadRequest("Chat completions take files as bytes only, not by address.")
        case FilePart():
            name = part.name or "file"
            return {"type": "file", "file": {"filename": name, "file_data": address(part)}}
    raise BadRequest(f"A user's message cannot hold a {type(part).__name__}.")


def _tools(request: ReplyRequest) -> JSON:
    """Returns what is said of tools. Without any, neither of the other fields may be there."""
    others = options.listed(request.provider_options.get("tools"), "tools")
    tools = [*others, *map(_tool, request.tools)]
    if not tools:
        return {}
    choice, mode = request.tool_choice, request.tool_choice.mode
    named = {"type": "function", "function": {"name": choice.name}}
    return {"tools": tools} | given(
        {
            "tool_choice": {ToolMode.AUTO: None, ToolMode.NAMED: named}.get(mode, mode.value),
            "parallel_tool_calls": request.parallel_tool_calls,
        }
    )


def _tool(tool: Tool) -> JSON:
    function: JSON = {"name": tool.name}
    if tool.description:
        function["description"] = tool.description
    if tool.parameters:
        function["parameters"] = orjson.loads(tool.parameters)
    if tool.strict:
        function["strict"] = True
    return {"type": "function", "function": function}


def _format(output: OutputFormat) -> JSON:
    if not output.schema:
        return {"type": "json_object"}
    schema = {"name": output.name, "strict": output.strict, "schema": orjson.loads(output.schema)}
    return {"type": "json_schema", "json_schema": schema}
