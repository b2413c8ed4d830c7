"""Pure functions between our types and the vendor's: requests out, usage and reasons in."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, TypeAlias

import orjson
from parley_provider_sdk import (
    BadRequest,
    FilePart,
    FinishReason,
    ImagePart,
    Message,
    ReplyRequest,
    Role,
    TextPart,
    Tool,
    ToolCallPart,
    ToolResultPart,
    Usage,
)

JSON: TypeAlias = dict[str, Any]

_REASONS = MappingProxyType(
    {
        "stop": FinishReason.STOP,
        "length": FinishReason.LENGTH,
        "tool_calls": FinishReason.TOOL,
        "function_call": FinishReason.TOOL,
        "content_filter": FinishReason.FILTERED,
    }
)


def encode(request: ReplyRequest, *, own: bool) -> bytes:
    """Returns the body to send. Raises BadRequest for what is not Unicode or not JSON."""
    try:
        return orjson.dumps(body(request, own=own))
    except (orjson.JSONEncodeError, orjson.JSONDecodeError):
        raise BadRequest("The request holds text that is not Unicode, or no JSON.") from None


def body(request: ReplyRequest, *, own: bool) -> JSON:
    """Returns the body; `own` says that OpenAI itself will read it, which renamed a field."""
    messages: list[JSON] = []
    if request.system:
        messages.append({"role": "system", "content": request.system})
    for message in request.messages:
        parts = message.parts
        if len(parts) == 1 and type(parts[0]) is TextPart:
            # What nearly every message is, in the only form that every compatible server takes.
            role = "assistant" if message.role is Role.ASSISTANT else "user"
            messages.append({"role": role, "content": parts[0].text})
        else:
            messages.extend(_messages(message))
    # Options come first, so that none of them changes what was asked for by its own name.
    made: JSON = {**request.provider_options, "model": request.model, "messages": messages}
    if request.temperature is not None:
        made["temperature"] = request.temperature
    if request.max_tokens is not None:
        # The newer name is the only one that reasoning models take, and compatible servers lag.
        made["max_completion_tokens" if own else "max_tokens"] = request.max_tokens
    if request.tools:
        made["tools"] = [_tool(tool) for tool in request.tools]
    if request.stream:
        made |= {"stream": True, "stream_options": {"include_usage": True}}
    return made


def usage(counts: Any) -> Usage | None:
    """Reads the vendor's counts; None when there are none."""
    if not isinstance(counts, dict):
        return None
    return Usage(
        input_tokens=_count(counts, "prompt_tokens"),
        output_tokens=_count(counts, "completion_tokens"),
        cached_input_tokens=_count(counts.get("prompt_tokens_details"), "cached_tokens"),
        reasoning_tokens=_count(counts.get("completion_tokens_details"), "reasoning_tokens"),
    )


def finish_reason(word: Any, *, refused: bool) -> FinishReason:
    """Returns our reason for the vendor's; a refusal arrives as a field beside `stop`."""
    reason = _REASONS.get(word, FinishReason.OTHER)
    return FinishReason.REFUSAL if refused and reason is FinishReason.STOP else reason


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
            return {"type": "image_url", "image_url": {"url": _data_url(part)}}
        case FilePart():
            name = part.name or "file"
            return {"type": "file", "file": {"filename": name, "file_data": _data_url(part)}}
    raise BadRequest(f"A user's message cannot hold a {type(part).__name__}.")


def _data_url(part: ImagePart | FilePart) -> str:
    return f"data:{part.media_type};base64,{b64encode(part.data).decode()}"


def _tool(tool: Tool) -> JSON:
    function: JSON = {"name": tool.name}
    if tool.description:
        function["description"] = tool.description
    if tool.parameters:
        function["parameters"] = orjson.loads(tool.parameters)
    return {"type": "function", "function": function}


def _count(counts: Any, name: str) -> int:
    """Servers leave counts out or send null; what is not a count is 0."""
    count = counts.get(name) if isinstance(counts, Mapping) else None
    return count if isinstance(count, int) and count > 0 else 0
