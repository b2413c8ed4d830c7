"""What the vendor refuses in a request before it makes a reply."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from parley_tests.google_peer.replies import signature_of

ANY_SIGNATURE = "skip_thought_signature_validator"
_BODY = frozenset(
    {
        *("contents", "systemInstruction", "tools", "toolConfig", "safetySettings"),
        *("generationConfig", "cachedContent", "serviceTier", "store", "labels"),
        *("continuationToken", "model"),
    }
)
_GENERATION = frozenset(
    {
        *("temperature", "topP", "topK", "candidateCount", "maxOutputTokens", "stopSequences"),
        *("responseLogprobs", "logprobs", "presencePenalty", "frequencyPenalty", "seed"),
        *("responseMimeType", "responseSchema", "responseJsonSchema", "responseModalities"),
        *("mediaResolution", "speechConfig", "thinkingConfig", "imageConfig"),
    }
)
_THINKING = frozenset({"includeThoughts", "thinkingBudget", "thinkingLevel"})
_DATA = frozenset(
    {
        *("text", "inlineData", "fileData", "functionCall", "functionResponse"),
        *("executableCode", "codeExecutionResult", "toolCall", "toolResponse"),
    }
)
_PART = _DATA | {"thought", "thoughtSignature", "mediaResolution", "videoMetadata", "partMetadata"}
_RESPONSE = frozenset({"id", "name", "response", "parts", "scheduling", "willContinue"})
_DECLARATION = frozenset(
    {
        *("name", "description", "parameters", "parametersJsonSchema", "response"),
        *("responseJsonSchema", "behavior"),
    }
)
# Within these, names are the user's.
_OPAQUE = frozenset({"args", "response", "parametersJsonSchema", "responseJsonSchema"})
_SNAKE = re.compile(r"_([a-z])")
_RESULT = "functionResponse"
_LEVELS = frozenset({"MINIMAL", "LOW", "MEDIUM", "HIGH", "XHIGH"})
_MODES = frozenset({"AUTO", "ANY", "NONE", "VALIDATED"})


def complaint(body: Any, *, signed: bool) -> str | None:
    """Returns what is wrong with a request, in the vendor's words; `signed`: calls must be."""
    if not isinstance(body, dict):
        return "Invalid JSON payload received."
    body = camel_cased(body)
    checks = (
        _unknown(body, _BODY, ""),
        _generation(body.get("generationConfig") or {}),
        _tools(body),
        _contents(body.get("contents") or [], signed=signed),
    )
    return next((one for check in checks for one in check), None)


def camel_cased(value: Any) -> Any:
    """The vendor takes fields in both spellings, and its own library mixes them."""
    if isinstance(value, list):
        return [camel_cased(one) for one in value]
    if not isinstance(value, dict):
        return value
    named = {_SNAKE.sub(lambda found: found[1].upper(), name): of for name, of in value.items()}
    return {name: of if name in _OPAQUE else camel_cased(of) for name, of in named.items()}


def _unknown(value: Mapping[str, Any], known: frozenset[str], where: str) -> Iterator[str]:
    for name in value:
        if name not in known:
            place = f" at '{where}'" if where else ""
            yield f'Invalid JSON payload received. Unknown name "{name}"{place}: Cannot find field.'


def _generation(config: Mapping[str, Any]) -> Iterator[str]:
    yield from _unknown(config, _GENERATION, "generation_config")
    if not 0 <= config.get("temperature", 0) <= 2:
        yield "* GenerateContentRequest.generation_config.temperature: must be in [0.0, 2.0]"
    if "responseJsonSchema" in config and config.get("responseMimeType") != "application/json":
        yield "A response schema needs the response mime type application/json."
    if "logprobs" in config and not config.get("responseLogprobs"):
        yield "Logprobs must be unset unless response_logprobs is true."
    if not 1 <= config.get("logprobs", 1) <= 20:
        yield "* GenerateContentRequest.generation_config.logprobs: must be in [1, 20]"
    thinking = config.get("thinkingConfig") or {}
    yield from _unknown(thinking, _THINKING, "generation_config.thinking_config")
    if {"thinkingBudget", "thinkingLevel"} <= thinking.keys():
        yield "You can only set only one of thinking budget and thinking level."
    if thinking.get("thinkingLevel", "LOW") not in _LEVELS:
        yield "Invalid value at 'generation_config.thinking_config.thinking_level'"


def _tools(body: Mapping[str, Any]) -> Iterator[str]:
    declared = [one for tool in body.get("tools") or () for one in tool["functionDeclarations"]]
    for number, one in enumerate(declared):
        yield from _unknown(one, _DECLARATION, f"tools[0].function_declarations[{number}]")
        if {"parameters", "parametersJsonSchema"} <= one.keys():
            yield "parameters and parameters_json_schema are mutually exclusive."
    config = (body.get("toolConfig") or {}).get("functionCallingConfig")
    if config is not None:
        yield from _choice(config, {one.get("name") for one in declared})


def _choice(config: Mapping[str, Any], names: set[Any]) -> Iterator[str]:
    if not names:
        yield "Function calling config is set without function_declarations."
    if config.get("mode") not in _MODES:
        yield "Invalid value at 'tool_config.function_calling_config.mode'"
    if allowed := config.get("allowedFunctionNames"):
        if config["mode"] not in {"ANY", "VALIDATED"}:
            yield "Allowed function names should only be set when mode is ANY."
        if not set(allowed) <= names:
            yield "allowed_function_names should be a subset of the declared functions."


def _contents(contents: Sequence[Mapping[str, Any]], *, signed: bool) -> Iterator[str]:
    if not contents:
        yield "* GenerateContentRequest.contents: contents is not specified\n"
    calls: list[Any] = []
    for number, turn in enumerate(contents):
        if turn.get("role", "user") not in {"user", "model"}:
            yield "Please use a valid role: user, model."
        if not turn.get("parts"):
            where = f"* GenerateContentRequest.contents[{number}].parts"
            yield f"{where}: contents.parts must not be empty.\n"
        yield from _parts(turn.get("parts") or (), f"contents[{number}]")
        yield from _order(turn, calls)
        calls = [part["functionCall"] for part in turn.get("parts") or () if "functionCall" in part]
        yield from _signatures(turn.get("parts") or (), signed=signed)


def _parts(parts: Sequence[Mapping[str, Any]], where: str) -> Iterator[str]:
    for number, part in enumerate(parts):
        yield from _unknown(part, _PART, f"{where}.parts[{number}]")
        result = part.get(_RESULT) or {}
        yield from _unknown(result, _RESPONSE, f"{where}.parts[{number}].function_response")
        data = part.keys() & _DATA
        if len(data) > 1:
            yield f"Invalid value at '{where}.parts[{number}]' (oneof), oneof field 'data' is set."
        if not data and "thoughtSignature" not in part:
            yield f"{where}.parts[{number}].data: required oneof field 'data' must be initialized."


def _order(turn: Mapping[str, Any], calls: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Results follow their calls at once, all of them, by the same names and ids."""
    results = [part["functionResponse"] for part in turn.get("parts") or () if _RESULT in part]
    if results and not calls:
        yield (
            "Please ensure that function response turn comes immediately after a function call "
            "turn."
        )
    elif len(results) != len(calls):
        yield (
            "Please ensure that the number of function response parts is equal to the number of "
            "function call parts of the function call turn."
        )
    for call, result in zip(calls, results, strict=False):
        if (call.get("name"), call.get("id")) != (result.get("name"), result.get("id")):
            yield "Please ensure that function response parts match the function call parts."


def _signatures(parts: Sequence[Mapping[str, Any]], *, signed: bool) -> Iterator[str]:
    for part in parts:
        given = part.get("thoughtSignature")
        if given not in (None, ANY_SIGNATURE, _url_safe(signature_of(part)), signature_of(part)):
            yield "Corrupted thought signature."
    calls = [part for part in parts if "functionCall" in part]
    if signed and calls and "thoughtSignature" not in calls[0]:
        name = calls[0]["functionCall"].get("name")
        yield (
            "Function call is missing a thought_signature in functionCall parts. This is required "
            "for tools to work correctly, and missing thought_signature may lead to degraded model "
            f"performance. Additional data, function call `default_api:{name}`."
        )


def _url_safe(signature: str) -> str:
    """The vendor takes both alphabets of base64; its own library writes the one for addresses."""
    return signature.replace("+", "-").replace("/", "_")
