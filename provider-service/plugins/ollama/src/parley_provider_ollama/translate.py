"""Pure functions between our types and Ollama's: requests out, usage and reasons in."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, TypeAlias

import orjson
from parley_provider_sdk import (
    BadRequest,
    Effort,
    FinishReason,
    ImagePart,
    Message,
    OutputFormat,
    ReasoningPart,
    ReplyRequest,
    Role,
    TextPart,
    Tool,
    ToolCallPart,
    ToolMode,
    ToolResultPart,
    UnsupportedParameter,
    Usage,
)
from parley_provider_sdk.reading import estimate

JSON: TypeAlias = dict[str, Any]

# Marks reasoning as this wire's own: that of another vendor is not given to a model as its own.
OWN = b'{"ollama":"thinking"}'

_REASONS = MappingProxyType(
    {
        "stop": FinishReason.STOP,
        "length": FinishReason.LENGTH,
        "tool_calls": FinishReason.TOOL,
    }
)
# Models that only think or not take any of the words as yes.
_EFFORTS: Mapping[Effort, bool | str] = MappingProxyType(
    {
        Effort.NONE: False,
        Effort.MINIMAL: "low",
        Effort.LOW: "low",
        Effort.MEDIUM: "medium",
        Effort.HIGH: "high",
        Effort.XHIGH: "high",
    }
)


def encode(request: ReplyRequest, *, num_ctx: int, keep_alive: str | int | None = None) -> bytes:
    """Returns the body to send. Raises BadRequest for what this wire cannot say."""
    try:
        return orjson.dumps(body(request, num_ctx=num_ctx, keep_alive=keep_alive))
    except (orjson.JSONEncodeError, orjson.JSONDecodeError):
        raise BadRequest("The request holds text that is not Unicode, or no JSON.") from None


def body(request: ReplyRequest, *, num_ctx: int, keep_alive: str | int | None = None) -> JSON:
    """Returns the body. Options come first, so that none changes what has a name of its own."""
    _check(request)
    made: JSON = {} if keep_alive is None else {"keep_alive": keep_alive}
    made |= {
        **request.provider_options,
        "model": request.model,
        "messages": list(_messages(request)),
        "stream": request.stream,
        # Refuse what does not fit rather than cut it, and end a reply rather than forget its start.
        "truncate": False,
        "shift": False,
        "options": _options(request, num_ctx),
    }
    if request.tools and request.tool_choice.mode is not ToolMode.NONE:
        made["tools"] = [_tool(tool) for tool in request.tools]
    if request.output:
        made["format"] = _format(request.output)
    if request.reasoning_effort is not None:
        made["think"] = _EFFORTS[request.reasoning_effort]
    if request.top_logprobs is not None:
        made |= {"logprobs": True, "top_logprobs": request.top_logprobs}
    return made


def usage(line: Mapping[str, Any], request: ReplyRequest, output: int) -> Usage | None:
    """Reads the counts of a last line; estimates the one that is missing, None when both are.

    A count of 0 is left out on this wire, and so is that of a prompt which older servers had read.
    """
    counts = {
        "input_tokens": line.get("prompt_eval_count"),
        "output_tokens": line.get("eval_count"),
    }
    known = {name: one for name, one in counts.items() if isinstance(one, int) and one > 0}
    if len(known) == len(counts):
        return Usage(known["input_tokens"], known["output_tokens"])
    return estimate(request, output, known) if known else None


def finish_reason(word: object, *, called: bool) -> FinishReason:
    """Returns our reason for the vendor's; after tool calls it says `stop`."""
    # Old servers, and those made after the examples in Ollama's documents, do not say why.
    reason = _REASONS.get(str(word or "stop"), FinishReason.OTHER)
    return FinishReason.TOOL if called and reason is FinishReason.STOP else reason


def arguments(value: object) -> str:
    """Returns the arguments of a tool call as JSON text; they are an object on this wire."""
    if isinstance(value, str):
        # Servers of another make send them as OpenAI does.
        return value
    return orjson.dumps({} if value is None else value).decode()


def _check(request: ReplyRequest) -> None:
    """Refuses what would be dropped without a word."""
    if request.tools and request.tool_choice.mode in (ToolMode.REQUIRED, ToolMode.NAMED):
        raise UnsupportedParameter("Ollama cannot make a model call a tool.", "tool_choice")
    if request.tools and request.parallel_tool_calls is False:
        raise UnsupportedParameter(
            "Ollama cannot keep a model from calling several tools.", "parallel_tool_calls"
        )
    if not isinstance(request.provider_options.get("options", {}), Mapping):
        raise BadRequest("Ollama's `options` are an object.")


def _options(request: ReplyRequest, num_ctx: int) -> JSON:
    named = {
        "temperature": request.temperature,
        "top_p": request.top_p,
        "seed": request.seed,
        "num_predict": request.max_tokens,
        "stop": list(request.stop) or None,
        "frequency_penalty": request.frequency_penalty,
        "presence_penalty": request.presence_penalty,
        "top_k": request.top_k,
        "num_ctx": num_ctx,
    }
    given = request.provider_options.get("options", {})
    return {**given, **{name: value for name, value in named.items() if value is not None}}


def _format(output: OutputFormat) -> Any:
    return orjson.loads(output.schema) if output.schema else "json"


def _messages(request: ReplyRequest) -> Iterator[JSON]:
    if request.system:
        yield {"role": "system", "content": request.system}
    # A result names its tool on this wire, and ours knows the call's id.
    names = {
        part.tool_call_id: part.name
        for message in request.messages
        for part in message.parts
        if isinstance(part, ToolCallPart)
    }
    for message in request.messages:
        parts = message.parts
        if len(parts) == 1 and type(parts[0]) is TextPart:
            # What nearly every message is.
            role = "assistant" if message.role is Role.ASSISTANT else "user"
            yield {"role": role, "content": parts[0].text}
        else:
            yield from _parted(message, names)


def _parted(message: Message, names: Mapping[str, str]) -> Iterator[JSON]:
    """A tool's result is a message of its own on this wire, and comes first."""
    results = [part for part in message.parts if isinstance(part, ToolResultPart)]
    for part in results:
        yield _result(part, names.get(part.tool_call_id, ""))
    if message.role is Role.ASSISTANT:
        yield _assistant(message)
    elif len(results) < len(message.parts):
        yield _user(message)


def _result(part: ToolResultPart, name: str) -> JSON:
    made: JSON = {"role": "tool", "content": part.content}
    if name:
        made["tool_name"] = name
    if part.tool_call_id:
        made["tool_call_id"] = part.tool_call_id
    if part.images:
        made["images"] = [_image(image) for image in part.images]
    return made


def _assistant(message: Message) -> JSON:
    texts = [part.text for part in message.parts if isinstance(part, TextPart)]
    thoughts = [
        part.text
        for part in message.parts
        if isinstance(part, ReasoningPart) and part.provider_metadata == OWN
    ]
    calls = [_call(part) for part in message.parts if isinstance(part, ToolCallPart)]
    made: JSON = {"role": "assistant", "content": "".join(texts)}
    if thought := "".join(thoughts):
        made["thinking"] = thought
    if calls:
        made["tool_calls"] = calls
    return made


def _user(message: Message) -> JSON:
    texts: list[str] = []
    images: list[str] = []
    for part in message.parts:
        match part:
            case TextPart():
                texts.append(part.text)
            case ImagePart():
                images.append(_image(part))
            case ToolResultPart():
                continue
            case _:
                raise BadRequest(f"Ollama takes no {type(part).__name__} in a user's message.")
    made: JSON = {"role": "user", "content": "\n\n".join(texts)}
    if images:
        made["images"] = images
    return made


def _image(part: ImagePart) -> str:
    if part.url:
        raise BadRequest("Ollama fetches no images: send their bytes, not their address.")
    return b64encode(part.data).decode()


def _call(part: ToolCallPart) -> JSON:
    function = {"name": part.name, "arguments": _object(part.arguments)}
    return {"id": part.tool_call_id, "function": function}


def _object(text: str) -> Any:
    """Returns arguments as the object that they must be; what is none stands in one, unread."""
    try:
        found = orjson.loads(text or "{}")
    except orjson.JSONDecodeError:
        found = text
    return found if isinstance(found, dict) else {"arguments": found}


def _tool(tool: Tool) -> JSON:
    # The server wants the schema of an object, also of a tool that takes nothing.
    nothing = {"type": "object", "properties": {}}
    function: JSON = {"name": tool.name}
    if tool.description:
        function["description"] = tool.description
    function["parameters"] = orjson.loads(tool.parameters) if tool.parameters else nothing
    return {"type": "function", "function": function}
