"""A Chat Completions request to that of the contract."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import msgspec
from parley_rpc.faults import Fault, InvalidArgument, Violation

from parley.provider.v1 import reply_pb2
from parley.provider.v1.reply_pb2 import (
    GenerateReplyRequest,
    OutputFormat,
    Tool,
    ToolChoice,
)
from parley_gateway.api.dialects.bodies import hand_on
from parley_gateway.api.dialects.completions import body, parameters
from parley_gateway.api.dialects.completions.body import CompletionBody
from parley_gateway.api.dialects.completions.messages import Conversation
from parley_gateway.api.dialects.failures import Dialect

EFFORTS: Mapping[str, Any] = MappingProxyType(
    {
        "default": reply_pb2.EFFORT_UNSPECIFIED,
        "none": reply_pb2.EFFORT_NONE,
        "minimal": reply_pb2.EFFORT_MINIMAL,
        "low": reply_pb2.EFFORT_LOW,
        "medium": reply_pb2.EFFORT_MEDIUM,
        "high": reply_pb2.EFFORT_HIGH,
        "xhigh": reply_pb2.EFFORT_XHIGH,
        # The most that the contract has.
        "max": reply_pb2.EFFORT_XHIGH,
    }
)
MODES: Mapping[str, Any] = MappingProxyType(
    {
        "auto": reply_pb2.TOOL_MODE_AUTO,
        "none": reply_pb2.TOOL_MODE_NONE,
        "required": reply_pb2.TOOL_MODE_REQUIRED,
    }
)
# Parameters that both have by the same name.
SAME = (
    "temperature",
    "top_p",
    "frequency_penalty",
    "presence_penalty",
    "seed",
    "parallel_tool_calls",
)
# What the contract's fields are called here, where that differs.
NAMES: Mapping[str, str] = MappingProxyType(
    {"output": "response_format", "text": "input", "texts": "input"}
)
HEAD = re.compile(r"^[A-Za-z_]+")


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked for, and in which form it is answered."""

    request: GenerateReplyRequest
    choices: int = 1
    is_streamed: bool = False
    is_counted: bool = False
    # Calls are answered in the form that came before tools.
    is_legacy: bool = False
    service_tier: str | None = None


def asked(given: CompletionBody, unknown: Mapping[str, Any]) -> Asked:
    """Translate a request; InvalidArgument."""
    said = Conversation(given.messages)
    request = GenerateReplyRequest(
        model=given.model,
        system=said.system,
        messages=said.messages,
        stream=bool(given.stream),
        max_tokens=most_tokens(given),
        stop=[given.stop] if isinstance(given.stop, str) else given.stop or (),
        reasoning_effort=EFFORTS[given.reasoning_effort or "default"],
        top_logprobs=top_logprobs(given),
        **{name: getattr(given, name) for name in SAME},
    )
    ask_for_tools(request, given)
    if given.response_format is not None:
        ask_for_format(request, given.response_format)
    hand_on(request, parameters.options(given, unknown), Dialect.OPENAI)
    streaming = given.stream_options
    return Asked(
        request,
        choices=given.n or 1,
        is_streamed=bool(given.stream),
        is_counted=bool(streaming and streaming.include_usage),
        is_legacy=bool(given.functions) and not given.tools,
        service_tier=given.service_tier and "default",
    )


def most_tokens(given: CompletionBody) -> int | None:
    """Return the limit of the output by either of its names; InvalidArgument for two limits."""
    newer, older = given.max_completion_tokens, given.max_tokens
    if newer is not None and older is not None and newer != older:
        raise InvalidArgument.of("max_tokens", "It is the old name of `max_completion_tokens`.")
    return older if newer is None else newer


def top_logprobs(given: CompletionBody) -> int | None:
    """Return how many probabilities are asked for in each place; InvalidArgument."""
    if given.logprobs:
        return given.top_logprobs or 0
    if given.top_logprobs:
        raise InvalidArgument.of("top_logprobs", "It needs `logprobs`.")
    return None


def ask_for_tools(request: GenerateReplyRequest, given: CompletionBody) -> None:
    """Say which tools there are and how free the model is to call them; InvalidArgument."""
    tools = [tool.function for tool in given.tools or ()]
    choice = given.tool_choice
    if not tools and given.functions:
        tools = given.functions
        named = given.function_call
        choice = body.NamedTool(named) if isinstance(named, body.Named) else named
        # The old form has room for one.
        request.parallel_tool_calls = False
    if isinstance(choice, body.AllowedTools):
        tools, choice = left(tools, choice.allowed_tools)
    request.tools.extend(map(tool_of, tools))
    if isinstance(choice, body.NamedTool):
        name = choice.function.name
        request.tool_choice.CopyFrom(ToolChoice(mode=reply_pb2.TOOL_MODE_NAMED, name=name))
    elif choice is not None:
        request.tool_choice.CopyFrom(ToolChoice(mode=MODES[choice]))


def left(tools: Sequence[body.Function], allowed: body.Allowed) -> tuple[list[body.Function], Any]:
    """Return the tools that are left, and how free the model is to call them."""
    names = {tool.function.name for tool in allowed.tools}
    missing = names - {tool.name for tool in tools}
    if missing:
        rule = f"There is no tool '{min(missing)}'."
        raise InvalidArgument.of("tool_choice.allowed_tools.tools", rule)
    return [tool for tool in tools if tool.name in names], allowed.mode


def tool_of(function: body.Function) -> Tool:
    """Translate a tool."""
    schema = function.parameters
    return Tool(
        name=function.name,
        description=function.description or "",
        parameters="" if schema is None else msgspec.json.encode(schema).decode(),
        strict=bool(function.strict),
    )


def ask_for_format(
    request: GenerateReplyRequest, given: body.Prose | body.AnyObject | body.SchemaFormat
) -> None:
    """Say what the reply must look like."""
    if isinstance(given, body.SchemaFormat):
        asked_for = given.json_schema
        schema = asked_for.schema or {}
        if schema and asked_for.description:
            schema = {"description": asked_for.description, **schema}
        request.output.CopyFrom(
            OutputFormat(
                schema=msgspec.json.encode(schema).decode() if schema else "",
                name=asked_for.name,
                strict=bool(asked_for.strict),
            )
        )
    elif isinstance(given, body.AnyObject):
        request.output.CopyFrom(OutputFormat())


@contextlib.contextmanager
def naming() -> Iterator[None]:
    """Blame fields by the names that they have in this dialect."""
    try:
        yield
    except Fault as fault:
        raise named(fault) from None


def named(fault: Fault) -> Fault:
    """Return a fault that blames fields by their names in this dialect.

    Of messages it names no single one: instructions count here and not in the contract.
    """
    fault.violations = tuple(
        Violation(name_of(blamed.field), blamed.description) for blamed in fault.violations
    )
    return fault


def name_of(field: str) -> str:
    """Return what a field of the contract is called here."""
    if field.startswith("provider_options."):
        return field.removeprefix("provider_options.")
    found = HEAD.match(field)
    head = found[0] if found else ""
    if head == "messages":
        return head
    return NAMES.get(head, field)
