"""Pure functions between our types and the vendor's: requests out, usage and reasons in.

The vendor keeps nothing of ours (`store` is false), so each request holds the whole conversation.
Reasoning goes back as the item it came as, encrypted: `provider_metadata` holds it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
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
    Part,
    ReasoningPart,
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
from parley_provider_openai.parameters import may_reason, nearest_effort
from parley_provider_openai.wire import JSON, address, count, given, sendable

_ENCRYPTED = "reasoning.encrypted_content"
_LOGPROBS = "message.output_text.logprobs"
# What of an item goes back. Other fields are of the answer only; some of them, null, are refused.
_REASONING_FIELDS = ("type", "id", "summary", "content", "encrypted_content")
_MESSAGE_FIELDS = ("type", "phase")
_INCOMPLETE = MappingProxyType(
    {"max_output_tokens": FinishReason.LENGTH, "content_filter": FinishReason.FILTERED}
)


def encode(request: ReplyRequest) -> bytes:
    """Returns the body to send. Raises BadRequest for what is not Unicode or not JSON."""
    with sendable():
        return orjson.dumps(body(request))


def body(request: ReplyRequest) -> JSON:
    """Returns the body. Raises BadRequest for what this wire has no field for."""
    parameters.check(request, parameters.NOT_ON_RESPONSES, "responses")
    request = _worded(request)
    named = request.provider_options
    # Options come first, so that none of them changes what was asked for by its own name.
    made: JSON = {"store": False, **named, **_counted(request)}
    made |= given(
        {
            "temperature": request.temperature,
            "top_p": request.top_p,
            "max_output_tokens": request.max_tokens,
            "stream": request.stream or None,
            "top_logprobs": request.top_logprobs,
        }
    )
    included = {_ENCRYPTED: may_reason(request.model), _LOGPROBS: request.top_logprobs is not None}
    include = options.listed(named.get("include"), "include")
    include = [*include, *(name for name, is_asked in included.items() if is_asked)]
    if include:
        made["include"] = list(dict.fromkeys(include))
    return made


def counted(request: ReplyRequest) -> JSON:
    """Returns the part of the body that the vendor counts. Raises BadRequest if it is no JSON."""
    with sendable():
        return _counted(_worded(request))


def _worded(request: ReplyRequest) -> ReplyRequest:
    if not request.provider_options:
        return request
    return replace(request, provider_options=options.on_responses(request.provider_options))


def _counted(request: ReplyRequest) -> JSON:
    items = [item for message in request.messages for item in _items(message)]
    if not may_reason(request.model):
        # The chat may have had another model before, whose reasoning this one would refuse.
        items = [item for item in items if item.get("type") != "reasoning"]
    fields: JSON = {"model": request.model, "input": items}
    return fields | given(
        {
            "instructions": request.system or None,
            "reasoning": _reasoning(request),
            "text": _text(request),
            **_tools(request),
        }
    )


def kept(item: Mapping[str, Any]) -> bytes:
    """Returns what of an item the vendor wants back, as provider_metadata; nothing if nothing.

    Reasoning wants to come back whole. Text may have a phase, which models miss when it is gone.
    """
    names: tuple[str, ...]
    match item.get("type"):
        case "reasoning" if item.get("encrypted_content"):
            names = _REASONING_FIELDS
        case "message" if item.get("phase"):
            names = _MESSAGE_FIELDS
        case _:
            return b""
    return orjson.dumps({name: item[name] for name in names if item.get(name) is not None})


def usage(counts: Any) -> Usage | None:
    """Reads the vendor's counts; None when there are none."""
    if not isinstance(counts, dict):
        return None
    return Usage(
        input_tokens=count(counts, "input_tokens"),
        output_tokens=count(counts, "output_tokens"),
        cached_input_tokens=count(counts.get("input_tokens_details"), "cached_tokens"),
        reasoning_tokens=count(counts.get("output_tokens_details"), "reasoning_tokens"),
        cache_write_tokens=count(counts.get("input_tokens_details"), "cache_write_tokens"),
    )


def finish_reason(response: Mapping[str, Any], *, refused: bool, called: bool) -> FinishReason:
    """Returns our reason for the vendor's; a refusal is a kind of text, a call an item."""
    if response["status"] == "incomplete":
        why = (response.get("incomplete_details") or {}).get("reason")
        return _INCOMPLETE.get(str(why), FinishReason.OTHER)
    if refused:
        return FinishReason.REFUSAL
    return FinishReason.TOOL if called else FinishReason.STOP


def _items(message: Message) -> Iterator[JSON]:
    if message.role is Role.ASSISTANT:
        yield from (item for part in message.parts if (item := _assistant_item(part)))
        return
    for part in message.parts:
        if isinstance(part, ToolResultPart):
            call_id, output = part.tool_call_id, _output(part)
            yield {"type": "function_call_output", "call_id": call_id, "output": output}
    said = [part for part in message.parts if not isinstance(part, ToolResultPart)]
    if len(said) == 1 and isinstance(said[0], TextPart):
        yield {"role": "user", "content": said[0].text}
    elif said:
        yield {"role": "user", "content": [_user_part(part) for part in said]}


def _output(part: ToolResultPart) -> str | list[JSON]:
    if not part.images:
        return part.content
    text = [_user_part(TextPart(part.content))] if part.content else []
    return [*text, *map(_user_part, part.images)]


def _assistant_item(part: Part) -> JSON | None:
    match part:
        case TextPart():
            return {**_metadata(part, "message"), "role": "assistant", "content": part.text}
        case ToolCallPart():
            call = {"call_id": part.tool_call_id, "name": part.name, "arguments": part.arguments}
            return {"type": "function_call", **call}
        case ReasoningPart():
            # What another vendor thought, or this one on its other wire, it cannot read.
            item = _metadata(part, "reasoning")
            return item if item.get("encrypted_content") else None
    return None


def _metadata(part: TextPart | ReasoningPart, kind: str) -> JSON:
    """Returns the metadata that we made for an item of a kind; empty for anyone else's."""
    try:
        made = orjson.loads(part.provider_metadata) if part.provider_metadata else None
    except orjson.JSONDecodeError:
        return {}
    return made if isinstance(made, dict) and made.get("type") == kind else {}


def _user_part(part: Part) -> JSON:
    match part:
        case TextPart():
            return {"type": "input_text", "text": part.text}
        case ImagePart():
            return {"type": "input_image", "image_url": address(part), "detail": "auto"}
        case FilePart() if part.url:
            # The vendor refuses a name beside an address.
            return {"type": "input_file", "file_url": part.url}
        case FilePart():
            name = part.name or "file"
            return {"type": "input_file", "filename": name, "file_data": address(part)}
    raise BadRequest(f"A user's message cannot hold a {type(part).__name__}.")


def _tools(request: ReplyRequest) -> JSON:
    """Returns what is said of tools. Without any, neither of the other fields may be there."""
    others = options.listed(request.provider_options.get("tools"), "tools")
    tools = [*others, *map(_tool, request.tools)]
    if not tools:
        return {}
    choice, mode = request.tool_choice, request.tool_choice.mode
    named = {"type": "function", "name": choice.name}
    return {
        "tools": tools,
        "tool_choice": {ToolMode.AUTO: None, ToolMode.NAMED: named}.get(mode, mode.value),
        "parallel_tool_calls": request.parallel_tool_calls,
    }


def _tool(tool: Tool) -> JSON:
    described = {"description": tool.description} if tool.description else {}
    schema = orjson.loads(tool.parameters or '{"type":"object","properties":{}}')
    # Strict takes only some of JSON Schema, and is what this wire does when nothing is said.
    strict = {"parameters": schema, "strict": tool.strict}
    return {"type": "function", "name": tool.name, **described, **strict}


def _text(request: ReplyRequest) -> JSON | None:
    options: JSON | None = request.provider_options.get("text")
    if request.output is None:
        return options
    return {**(options or {}), "format": _format(request.output)}


def _format(output: OutputFormat) -> JSON:
    if not output.schema:
        return {"type": "json_object"}
    schema = {"name": output.name, "strict": output.strict, "schema": orjson.loads(output.schema)}
    return {"type": "json_schema", **schema}


def _reasoning(request: ReplyRequest) -> JSON | None:
    options: JSON | None = request.provider_options.get("reasoning")
    effort = nearest_effort(request.reasoning_effort, request.model)
    if effort is None:
        return options
    return {"summary": "auto", **(options or {}), "effort": effort}
