"""What is asked: from the dialect's body to the contract's request."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from parley_rpc.faults import InvalidArgument

from parley.provider.v1 import reply_pb2
from parley.provider.v1.reply_pb2 import GenerateReplyRequest, OutputFormat, ToolChoice
from parley_gateway.api.dialects.bodies import hand_on, json_of
from parley_gateway.api.dialects.failures import ERROR_CODE, Dialect
from parley_gateway.api.dialects.messages import body as asked
from parley_gateway.api.dialects.messages.conversation import conversation, instruction
from parley_gateway.api.dialects.messages.marks import keep_of, mark_all

# What is not passed on, for a reply is the same without it. The README says why, one by one.
HINTS = frozenset({"metadata", "service_tier"})
# What a field says when it asks for nothing.
USUAL: Mapping[str, object] = {"speed": "standard"}
# Clients that are told so go on without: their tools' loop asks for a thread each time.
NO_THREADS = "thread_unsupported_request"
EFFORTS = {
    "low": reply_pb2.EFFORT_LOW,
    "medium": reply_pb2.EFFORT_MEDIUM,
    "high": reply_pb2.EFFORT_HIGH,
    "xhigh": reply_pb2.EFFORT_XHIGH,
    "max": reply_pb2.EFFORT_XHIGH,
}
# What the dialect does when nothing is said of the effort.
USUAL_EFFORT = "high"
# Which effort a budget of tokens stands for, where vendors do not count them.
BUDGETS = ((2_048, "low"), (8_192, "medium"), (24_576, "high"))
CHOICES = {
    asked.AnthropicChoiceAuto: reply_pb2.TOOL_MODE_AUTO,
    asked.AnthropicChoiceAny: reply_pb2.TOOL_MODE_REQUIRED,
    asked.AnthropicChoiceTool: reply_pb2.TOOL_MODE_NAMED,
    asked.AnthropicChoiceNone: reply_pb2.TOOL_MODE_NONE,
}


def request_of(body: asked.AnthropicPrompt, unknown: Mapping[str, Any]) -> GenerateReplyRequest:
    """Write a body as the contract has it; InvalidArgument.

    What we do not know is left to the provider: one that speaks the dialect knows it.
    """
    refuse_thread(unknown)
    told = instruction(body.system, body.messages)
    request = GenerateReplyRequest(
        model=body.model,
        system=told.text,
        system_marks=told.marks,
        messages=conversation(body.messages),
    )
    if not request.messages:
        raise InvalidArgument.of("messages", "must hold something to answer")
    mark_all(request, body)
    options = {**unknown}
    if any(tool.is_special for tool in body.tools or ()):
        options |= special_tools(body)
    else:
        add_tools(request, body)
    if body.output_config and body.output_config.task_budget:
        options["output_config"] = {"task_budget": body.output_config.task_budget}
    add_thinking(request, body)
    add_format(request, body)
    if isinstance(body, asked.AnthropicBody):
        add_limits(request, body)
    add_options(request, options)
    return request


def refuse_thread(unknown: Mapping[str, Any]) -> None:
    """Refuse a conversation that we would hold, and of which more is sent; InvalidArgument."""
    if unknown.get("thread") is not None:
        rule = "Conversations are not kept here: send all messages, without `thread`."
        fault = InvalidArgument.of("thread", rule)
        fault.metadata[ERROR_CODE] = NO_THREADS
        raise fault


def add_limits(request: GenerateReplyRequest, body: asked.AnthropicBody) -> None:
    """Add what limits the reply, and how it is sampled."""
    request.max_tokens = body.max_tokens
    request.stream = bool(body.stream)
    request.stop.extend(body.stop_sequences or ())
    if body.temperature is not None:
        request.temperature = body.temperature
    if body.top_p is not None:
        request.top_p = body.top_p
    # None of the likeliest is no choice at all: it means all of them.
    if body.top_k:
        request.top_k = body.top_k
    if request.HasField("reasoning_tokens") and request.reasoning_tokens >= body.max_tokens:
        raise InvalidArgument.of("max_tokens", "must be greater than thinking.budget_tokens")


def add_tools(request: GenerateReplyRequest, body: asked.AnthropicPrompt) -> None:
    """Add the tools, and how free the model is to call them; InvalidArgument."""
    for tool in body.tools or ():
        schema = json_of(tool.input_schema).decode()
        request.tools.add(
            name=tool.name,
            description=tool.description or "",
            parameters=schema,
            strict=bool(tool.strict),
            keep=keep_of(tool.cache_control),
        )
    choice = body.tool_choice
    if choice is None:
        return
    request.tool_choice.CopyFrom(ToolChoice(mode=CHOICES[type(choice)]))
    if isinstance(choice, asked.AnthropicChoiceTool):
        request.tool_choice.name = choice.name
        if choice.name not in tool_names(body.tools):
            raise InvalidArgument.of("tool_choice.name", "must be one of the tools")
    if isinstance(choice, asked.AnthropicChoice) and choice.disable_parallel_tool_use is not None:
        request.parallel_tool_calls = not choice.disable_parallel_tool_use


def special_tools(body: asked.AnthropicPrompt) -> dict[str, Any]:
    """Return all that is said of tools as it came: vendors that speak the dialect know it."""
    said = {"tools": body.tools, "tool_choice": body.tool_choice}
    return {name: bare(msgspec.to_builtins(value)) for name, value in said.items() if value}


def bare(value: Any) -> Any:
    """Return what was said without what says nothing."""
    if isinstance(value, list):
        return [bare(one) for one in value]
    return {name: one for name, one in value.items() if one is not None}


def tool_names(tools: Sequence[asked.AnthropicTool] | None) -> set[str]:
    """Return how the tools are named."""
    return {tool.name for tool in tools or ()}


def add_thinking(request: GenerateReplyRequest, body: asked.AnthropicPrompt) -> None:
    """Add how long the model thinks; an effort that is named goes before a budget's."""
    effort: str | None = body.output_config.effort if body.output_config else None
    match body.thinking:
        case asked.AnthropicThinkingDisabled():
            request.reasoning_effort = reply_pb2.EFFORT_NONE
            return
        case asked.AnthropicThinkingEnabled(budget_tokens=budget):
            request.reasoning_tokens = budget
            effort = effort or effort_of(budget)
        case asked.AnthropicThinkingAdaptive():
            effort = effort or USUAL_EFFORT
    if effort is not None:
        request.reasoning_effort = EFFORTS[effort]


def effort_of(budget: int) -> str:
    """Return the effort that a budget of tokens stands for."""
    return next((effort for most, effort in BUDGETS if budget <= most), "xhigh")


def add_format(request: GenerateReplyRequest, body: asked.AnthropicPrompt) -> None:
    """Add the schema of the reply; the dialect had another place for it before."""
    form = (body.output_config and body.output_config.format) or body.output_format
    if form is not None:
        schema = json_of(form.form).decode()
        request.output.CopyFrom(OutputFormat(schema=schema, strict=True))


def add_options(request: GenerateReplyRequest, unknown: Mapping[str, Any]) -> None:
    """Leave to the provider what we do not know, and what says something; InvalidArgument."""
    options = {
        name: value
        for name, value in unknown.items()
        if value is not None and value != USUAL.get(name) and name not in HINTS
    }
    hand_on(request, options, Dialect.ANTHROPIC)
