"""Pure functions between our types and the vendor's: requests out, counts and reasons in."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, TypeVar
from urllib.parse import quote

import orjson
from parley_provider_sdk import (
    BadRequest,
    FinishReason,
    OutputFormat,
    ReplyRequest,
    Tool,
    ToolChoice,
    ToolMode,
    Usage,
)

from parley_provider_google import generations
from parley_provider_google.contents import JSON, contents

T = TypeVar("T", list[Any], dict[str, Any])

API = "v1beta"

_REASONS = MappingProxyType(
    {
        "STOP": FinishReason.STOP,
        "MAX_TOKENS": FinishReason.LENGTH,
        # The limit of one answer, short of the one that was asked for.
        "CONTINUATION": FinishReason.LENGTH,
        **dict.fromkeys(
            (
                "SAFETY",
                "RECITATION",
                "BLOCKLIST",
                "PROHIBITED_CONTENT",
                "SPII",
                "IMAGE_SAFETY",
                "IMAGE_PROHIBITED_CONTENT",
                "IMAGE_RECITATION",
                "ESCALATION",
                "MODEL_ARMOR",
            ),
            FinishReason.FILTERED,
        ),
    }
)
_MODES = MappingProxyType(
    {
        ToolMode.NONE: "NONE",
        ToolMode.REQUIRED: "ANY",
        ToolMode.NAMED: "ANY",
    }
)


def path(request: ReplyRequest) -> str:
    """Returns where a reply is asked for; a model's name cannot lead elsewhere."""
    kind, _, name = resource(request.model).partition("/")
    method = "streamGenerateContent?alt=sse" if request.stream else "generateContent"
    return f"/{API}/{kind}/{quote(name, safe='')}:{method}"


def resource(model: str) -> str:
    """Returns the vendor's full name of a model; a tuned one has a place of its own."""
    return model if model.startswith(("models/", "tunedModels/")) else f"models/{model}"


def encode(request: ReplyRequest) -> bytes:
    """Returns the body to send. Raises BadRequest for what is not Unicode or not JSON."""
    try:
        return orjson.dumps(body(request))
    except (orjson.JSONEncodeError, orjson.JSONDecodeError):
        raise BadRequest("The request holds text that is not Unicode, or no JSON.") from None


def body(request: ReplyRequest) -> JSON:
    """Returns the body. Options come first, so that none changes what was asked for by its name."""
    options = request.provider_options
    made: JSON = {**options, "contents": contents(request)}
    if request.system:
        made["systemInstruction"] = {"role": "user", "parts": [{"text": request.system}]}
    if request.tools:
        declared = {"functionDeclarations": [_tool(tool) for tool in request.tools]}
        made["tools"] = [*_option(options, "tools", list), declared]
    if _is_choice(request):
        made["toolConfig"] = {"functionCallingConfig": _choice(request.tool_choice)}
    if generation := _generation(request):
        made["generationConfig"] = generation
    return made


def usage(counts: Mapping[str, int]) -> Usage:
    """Reads the vendor's counts; what it leaves out is 0."""
    thoughts = counts.get("thoughtsTokenCount", 0)
    return Usage(
        input_tokens=counts.get("promptTokenCount", 0) + counts.get("toolUsePromptTokenCount", 0),
        output_tokens=counts.get("candidatesTokenCount", 0) + thoughts,
        cached_input_tokens=counts.get("cachedContentTokenCount", 0),
        reasoning_tokens=thoughts,
    )


def finish_reason(word: str, *, called: bool) -> FinishReason:
    """Returns our reason for the vendor's, which has no word of its own for calls."""
    reason = _REASONS.get(word, FinishReason.OTHER)
    return FinishReason.TOOL if called and reason is FinishReason.STOP else reason


def _option(options: Mapping[str, Any], name: str, kind: type[T]) -> T:
    """Returns an option to which something is added, and which must therefore be of its kind."""
    given = options.get(name)
    if given is None:
        return kind()
    if not isinstance(given, kind):
        raise BadRequest(f"The option {name} is no {kind.__name__}.")
    return given


def _is_choice(request: ReplyRequest) -> bool:
    """The vendor refuses to be told how to choose among no tools, even to choose none."""
    mode = request.tool_choice.mode
    return mode is not ToolMode.AUTO and (bool(request.tools) or mode is not ToolMode.NONE)


def _generation(request: ReplyRequest) -> JSON:
    options: JSON = _option(request.provider_options, "generationConfig", dict)
    named = {
        "temperature": request.temperature,
        "maxOutputTokens": request.max_tokens,
        "topP": request.top_p,
        "seed": request.seed,
        "stopSequences": list(request.stop) or None,
        "frequencyPenalty": request.frequency_penalty,
        "presencePenalty": request.presence_penalty,
        "topK": request.top_k,
        "responseLogprobs": None if request.top_logprobs is None else True,
        # The vendor takes no 0: then the chosen ones come alone.
        "logprobs": request.top_logprobs or None,
    }
    made = {**options, **{name: value for name, value in named.items() if value is not None}}
    if request.output:
        made |= _output(request.output)
    effort, tokens = request.reasoning_effort, request.reasoning_tokens
    if effort is not None or tokens is not None:
        made["thinkingConfig"] = generations.thinking(request.model, effort, tokens)
    return made


def _output(output: OutputFormat) -> JSON:
    made: JSON = {"responseMimeType": "application/json"}
    if output.schema:
        made["responseJsonSchema"] = orjson.loads(output.schema)
    return made


def _tool(tool: Tool) -> JSON:
    made: JSON = {"name": tool.name}
    if tool.description:
        made["description"] = tool.description
    if tool.parameters:
        made["parametersJsonSchema"] = orjson.loads(tool.parameters)
    return made


def _choice(choice: ToolChoice) -> JSON:
    made: JSON = {"mode": _MODES[choice.mode]}
    if choice.mode is ToolMode.NAMED:
        made["allowedFunctionNames"] = [choice.name]
    return made
