"""Pure functions between our types and the vendor's: requests out, usage and reasons in."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any, TypeAlias

import orjson
from parley_provider_sdk import (
    BadRequest,
    Effort,
    FinishReason,
    Keep,
    OutputFormat,
    ReplyRequest,
    Tool,
    ToolCallPart,
    ToolChoice,
    ToolMode,
    UnsupportedParameter,
    Usage,
)

from parley_provider_anthropic.blocks import marked, messages
from parley_provider_anthropic.generations import (
    BUDGETS,
    LEVELS,
    Generation,
    Thinking,
    generation_of,
)

JSON: TypeAlias = dict[str, Any]

# The version that the vendor's library sends, and the last one that had these parameters.
VERSION = "2026-10-21"
SAMPLING_VERSION = "2023-06-01"
SAMPLING = frozenset({"temperature", "top_p", "top_k"})
# Allows `block_binding`: what becomes of thinking whose conversation has changed since.
BINDING_BETA = "thinking-binding-controls-2026-08-01"
# What stands in for a schema: this wire has no form for "any JSON object".
_ANY_JSON = "Reply with one JSON object and nothing else."
# While it thinks, a model takes no `top_p` below.
_LEAST_TOP_P = 0.95
_LEAST_BUDGET = BUDGETS[Effort.MINIMAL]
_NO_ARGUMENTS = '{"type":"object","properties":{}}'
_CHOICES = MappingProxyType(
    {
        ToolMode.AUTO: "auto",
        ToolMode.NONE: "none",
        ToolMode.REQUIRED: "any",
        ToolMode.NAMED: "tool",
    }
)
_REASONS = MappingProxyType(
    {
        "end_turn": FinishReason.STOP,
        "stop_sequence": FinishReason.STOP,
        "max_tokens": FinishReason.LENGTH,
        "model_context_window_exceeded": FinishReason.LENGTH,
        "tool_use": FinishReason.TOOL,
        "refusal": FinishReason.REFUSAL,
        "pause_turn": FinishReason.PAUSED,
    }
)
# Keywords of a schema whose values are data and no schemas.
_DATA = frozenset({"const", "default", "enum", "examples"})


def encode(body: JSON) -> bytes:
    """Returns the body as bytes. Raises BadRequest for what is not Unicode."""
    try:
        return orjson.dumps(body)
    except orjson.JSONEncodeError:
        raise BadRequest("The request holds text that is not Unicode.") from None


def headers(body: JSON) -> dict[str, str]:
    """Returns what a body needs to be understood: the wire's version, and a beta of it."""
    made = {"anthropic-version": SAMPLING_VERSION if SAMPLING & body.keys() else VERSION}
    if "block_binding" in body.get("thinking", ()):
        made["anthropic-beta"] = BINDING_BETA
    return made


def body(request: ReplyRequest, origin: str, max_tokens: int | None = None) -> JSON:
    """Returns the body. Raises BadRequest for what this wire cannot say.

    `origin` is the server that will read it, `max_tokens` what the model may say at most.
    """
    generation = generation_of(request.model)
    _check(request)
    # Where it does not think, what it thought before is of no use, and may be refused.
    is_off = request.reasoning_effort is Effort.NONE and generation.off == "disabled"
    # Options come first, so that none of them changes what was asked for by its own name.
    made: JSON = {
        **request.provider_options,
        "model": request.model,
        "messages": messages(request.messages, "" if is_off else origin),
        "max_tokens": max_tokens or generation.max_tokens,
    }
    _add_plain(made, request)
    _add_tools(made, request)
    _add_thinking(made, request, generation)
    _add_sampling(made, request, generation)
    _add_output(made, request.output)
    return made


def _check(request: ReplyRequest) -> None:
    """Refuses what changes a reply and has no word on this wire."""
    for name in ("frequency_penalty", "presence_penalty", "top_logprobs"):
        if getattr(request, name) is not None:
            raise UnsupportedParameter(f"Anthropic's messages know no '{name}'.", name)


def left_out(request: ReplyRequest, max_tokens: int | None = None) -> frozenset[str]:
    """Returns the fields of a request that its body would not hold, because others exclude them."""
    named = ("temperature", "top_p", "top_k", "reasoning_effort", "reasoning_tokens")
    asked = {name for name in named if getattr(request, name) is not None}
    if not asked:
        return frozenset()
    # None of what is long has a say in it.
    made = body(replace(request, messages=(), tools=(), output=None), "", max_tokens)
    if "thinking" in made or "effort" in made.get("output_config", ()):
        asked.discard("reasoning_effort")
    if "budget_tokens" in made.get("thinking", ()):
        asked.discard("reasoning_tokens")
    return frozenset(asked - made.keys())


def usage(counts: Mapping[str, int]) -> Usage:
    """Adds up the vendor's counts, which tell apart what was cached from what was not."""
    cached = counts.get("cache_read_input_tokens", 0)
    lasting = counts.get("ephemeral_1h_input_tokens", 0)
    apart = lasting + counts.get("ephemeral_5m_input_tokens", 0)
    written = max(counts.get("cache_creation_input_tokens", 0), apart)
    return Usage(
        input_tokens=counts.get("input_tokens", 0) + cached + written,
        output_tokens=counts.get("output_tokens", 0),
        cached_input_tokens=cached,
        reasoning_tokens=counts.get("thinking_tokens", 0),
        cache_write_tokens=written,
        long_cache_write_tokens=lasting,
    )


def finish_reason(word: object) -> FinishReason:
    """Returns our reason for the vendor's."""
    return _REASONS.get(word, FinishReason.OTHER) if isinstance(word, str) else FinishReason.OTHER


def _add_plain(made: JSON, request: ReplyRequest) -> None:
    """Adds what the wire has under other names, and only what was asked for."""
    plain = {
        "max_tokens": request.max_tokens,
        "system": _system(request) or None,
        "stop_sequences": list(request.stop) or None,
        "stream": request.stream or None,
    }
    made |= {name: value for name, value in plain.items() if value is not None}


def _system(request: ReplyRequest) -> str | list[JSON]:
    """Returns the instruction, in blocks where it is marked; a blank one the vendor refuses."""
    if not request.system_marks:
        return request.system
    made, begin = list[JSON](), 0
    ends = [(mark.end, mark.keep) for mark in request.system_marks]
    for end, keep in (*ends, (len(request.system), None)):
        text = request.system[begin:end]
        if text.strip():
            made.append(marked({"type": "text", "text": text}, keep))
            begin = end
        elif made and keep is Keep.LONG:
            marked(made[-1], keep)
    return made


def _add_tools(made: JSON, request: ReplyRequest) -> None:
    tools = [*_vendors(request.provider_options), *map(_tool, request.tools)]
    choice = _choice(request.tool_choice, request.parallel_tool_calls)
    if not tools:
        # Servers refuse calls in a history without tools; what was called may not be called again.
        tools, choice = list(_called(request)), {"type": "none"}
    if not tools:
        return
    made["tools"] = tools
    # What the vendor does when nothing is said.
    if choice != {"type": "auto"}:
        made["tool_choice"] = choice


def _called(request: ReplyRequest) -> Iterator[JSON]:
    """Yields a tool for every name that was called, whose arguments nobody describes any more."""
    parts = (part for message in request.messages for part in message.parts)
    for name in dict.fromkeys(part.name for part in parts if isinstance(part, ToolCallPart)):
        yield {"name": name, "input_schema": {"type": "object"}}


def _vendors(options: Mapping[str, Any]) -> list[Any]:
    """Returns the vendor's own tools, which options name."""
    tools = options.get("tools") or []
    if not isinstance(tools, list):
        raise BadRequest("The option 'tools' is no list.")
    return tools


def _choice(choice: ToolChoice, parallel: bool | None) -> JSON:
    made: JSON = {"type": _CHOICES[choice.mode]}
    if choice.mode is ToolMode.NAMED:
        made["name"] = choice.name
    if parallel is not None and choice.mode is not ToolMode.NONE:
        made["disable_parallel_tool_use"] = not parallel
    return made


def _tool(tool: Tool) -> JSON:
    made: JSON = {"name": tool.name}
    if tool.description:
        made["description"] = tool.description
    made["input_schema"] = _schema(tool.parameters or _NO_ARGUMENTS)
    if tool.strict:
        made["strict"] = True
    return marked(made, tool.keep)


def _add_thinking(made: JSON, request: ReplyRequest, generation: Generation) -> None:
    thinking, level = _thinking(request, generation, made["max_tokens"])
    if thinking:
        # One changed system prompt would otherwise make every later request of a chat fail.
        if generation.binds and thinking["type"] == "adaptive" and _gives_back(made["messages"]):
            thinking["block_binding"] = {"prefix_mismatch_behavior": "drop_block"}
        made["thinking"] = thinking
    if level:
        made["output_config"] = {**made.get("output_config", {}), "effort": level}


def _add_sampling(made: JSON, request: ReplyRequest, generation: Generation) -> None:
    """Adds what goes together: the vendor refuses the rest, and a reply is the same without it.

    Where the model takes none of it, the vendor may say so.
    """
    temperature, top_p, top_k = request.temperature, request.top_p, request.top_k
    if generation.samples and _is_thinking(made.get("thinking")):
        temperature = top_k = None
        top_p = top_p if top_p is not None and top_p >= _LEAST_TOP_P else None
    if generation.samples and temperature is not None and not generation.samples_both:
        top_p = None
    asked = {"temperature": temperature, "top_p": top_p, "top_k": top_k}
    made |= {name: value for name, value in asked.items() if value is not None}


def _is_thinking(made: object) -> bool:
    return isinstance(made, dict) and made.get("type") in ("enabled", "adaptive")


def _thinking(
    request: ReplyRequest, generation: Generation, max_tokens: int
) -> tuple[JSON | None, str]:
    """Returns how to think, None for as the vendor thinks fit, and the level of effort."""
    effort = request.reasoning_effort
    is_forced = request.tool_choice.mode in (ToolMode.REQUIRED, ToolMode.NAMED)
    tokens = request.reasoning_tokens if generation.thinking is Thinking.BUDGET else None
    if tokens is not None and effort is not Effort.NONE:
        return (None if is_forced else _counted(tokens, max_tokens)), ""
    if effort is None:
        # It thinks anyhow; this only makes it show what, instead of keeping silent for a minute.
        shows = generation.thinking is Thinking.DEFAULT and "thinking" not in (
            request.provider_options
        )
        return (_adaptive() if shows and not is_forced else None), ""
    if effort is Effort.NONE and generation.off:
        return {"type": generation.off}, ""
    if not generation.is_adaptive:
        return (None if is_forced else _budgeted(effort, generation, max_tokens)), ""
    # Thinking and a call that must be made exclude each other; effort goes with both.
    return (None if is_forced else _adaptive()), LEVELS.get(effort, generation.most)


def _adaptive() -> JSON:
    return {"type": "adaptive", "display": "summarized"}


def _counted(tokens: int, max_tokens: int) -> JSON | None:
    """Returns how to think with so many tokens, of which the vendor wants some left to answer."""
    budget = min(max(tokens, _LEAST_BUDGET), max_tokens - 1)
    return {"type": "enabled", "budget_tokens": budget} if budget >= _LEAST_BUDGET else None


def _budgeted(effort: Effort, generation: Generation, max_tokens: int) -> JSON | None:
    """Leaves half of what it may say for the answer; None when that is too little to think."""
    budget = min(BUDGETS.get(effort, 0), max_tokens // 2)
    if generation.thinking is Thinking.NEVER or budget < _LEAST_BUDGET:
        return None
    return {"type": "enabled", "budget_tokens": budget}


def _gives_back(made: Iterable[JSON]) -> bool:
    return any(
        block["type"] in ("thinking", "redacted_thinking")
        for message in made
        if isinstance(message["content"], list)
        for block in message["content"]
    )


def _add_output(made: JSON, output: OutputFormat | None) -> None:
    if output is None:
        return
    if not output.schema:
        system = made.get("system") or ""
        if isinstance(system, list):
            made["system"] = [*system, {"type": "text", "text": _ANY_JSON}]
        else:
            made["system"] = "\n\n".join(filter(None, (system, _ANY_JSON)))
        return
    form = {"type": "json_schema", "schema": _closed(_schema(output.schema))}
    made["output_config"] = {**made.get("output_config", {}), "format": form}


def _schema(text: str) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        raise BadRequest("A schema in the request is no JSON.") from None


def _closed(schema: Any) -> Any:
    """Closes every object that says nothing of further fields: the vendor takes no open one."""
    if isinstance(schema, list):
        return [_closed(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    made = {name: one if name in _DATA else _closed(one) for name, one in schema.items()}
    if schema.get("type") == "object":
        made.setdefault("additionalProperties", False)
    return made
