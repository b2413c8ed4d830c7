"""Replies: between the contract's messages and the core's values."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import parley_provider_sdk as sdk
from google.protobuf.json_format import MessageToDict
from google.protobuf.struct_pb2 import Struct
from parley_rpc.context import Caller
from parley_rpc.faults import InvalidArgument

from parley.provider.v1 import reply_pb2
from parley_provider_service.api.allowances import from_allowances
from parley_provider_service.api.fields import from_uuid, owner_of
from parley_provider_service.core.model import (
    Answerer,
    Ask,
    Cost,
    Ended,
    Event,
    ModelChoice,
    Owners,
)
from parley_provider_service.core.rules import is_address

ROLES = {
    reply_pb2.ROLE_USER: sdk.Role.USER,
    reply_pb2.ROLE_ASSISTANT: sdk.Role.ASSISTANT,
    reply_pb2.ROLE_TOOL: sdk.Role.TOOL,
}
REASONS = {
    sdk.FinishReason.STOP: reply_pb2.FINISH_REASON_STOP,
    sdk.FinishReason.LENGTH: reply_pb2.FINISH_REASON_LENGTH,
    sdk.FinishReason.TOOL: reply_pb2.FINISH_REASON_TOOL,
    sdk.FinishReason.REFUSAL: reply_pb2.FINISH_REASON_REFUSAL,
    sdk.FinishReason.FILTERED: reply_pb2.FINISH_REASON_FILTERED,
    sdk.FinishReason.PAUSED: reply_pb2.FINISH_REASON_PAUSED,
    sdk.FinishReason.OTHER: reply_pb2.FINISH_REASON_OTHER,
}
SOURCES = {
    sdk.UsageSource.REPORTED: reply_pb2.USAGE_SOURCE_REPORTED,
    sdk.UsageSource.COUNTED: reply_pb2.USAGE_SOURCE_COUNTED,
    sdk.UsageSource.ESTIMATED: reply_pb2.USAGE_SOURCE_ESTIMATED,
}
TOOL_MODES = {
    reply_pb2.TOOL_MODE_UNSPECIFIED: sdk.ToolMode.AUTO,
    reply_pb2.TOOL_MODE_AUTO: sdk.ToolMode.AUTO,
    reply_pb2.TOOL_MODE_NONE: sdk.ToolMode.NONE,
    reply_pb2.TOOL_MODE_REQUIRED: sdk.ToolMode.REQUIRED,
    reply_pb2.TOOL_MODE_NAMED: sdk.ToolMode.NAMED,
}
EFFORTS = {
    reply_pb2.EFFORT_NONE: sdk.Effort.NONE,
    reply_pb2.EFFORT_MINIMAL: sdk.Effort.MINIMAL,
    reply_pb2.EFFORT_LOW: sdk.Effort.LOW,
    reply_pb2.EFFORT_MEDIUM: sdk.Effort.MEDIUM,
    reply_pb2.EFFORT_HIGH: sdk.Effort.HIGH,
    reply_pb2.EFFORT_XHIGH: sdk.Effort.XHIGH,
}
KEEPS = {
    reply_pb2.KEEP_SHORT: sdk.Keep.SHORT,
    reply_pb2.KEEP_LONG: sdk.Keep.LONG,
}
BLOB_BYTES = 20 * 1024 * 1024


def to_event(event: Event) -> Iterator[reply_pb2.GenerateReplyResponse]:
    """Write one event of a reply; text and what its vendor wants back with it are two messages."""
    match event:
        case sdk.TextDelta() | sdk.ReasoningDelta():
            yield from to_text(event)
        case sdk.ToolCallDelta():
            yield reply_pb2.GenerateReplyResponse(tool_call=to_call(event))
        case sdk.Logprobs(tokens):
            written = reply_pb2.Logprobs(tokens=[to_logprob(one) for one in tokens])
            yield reply_pb2.GenerateReplyResponse(logprobs=written)
        case sdk.UsageUpdate(usage):
            yield reply_pb2.GenerateReplyResponse(usage=to_usage(usage))
        case Answerer(provider, model):
            choice = reply_pb2.ModelChoice(provider=provider, model=model)
            yield reply_pb2.GenerateReplyResponse(answerer=choice)
        case Ended():
            yield reply_pb2.GenerateReplyResponse(finished=to_finished(event))


def to_text(
    event: sdk.TextDelta | sdk.ReasoningDelta,
) -> Iterator[reply_pb2.GenerateReplyResponse]:
    """Write text or reasoning, and what ends its piece."""
    is_text, metadata = isinstance(event, sdk.TextDelta), event.provider_metadata
    if event.text and is_text:
        yield reply_pb2.GenerateReplyResponse(text=event.text)
    elif event.text:
        yield reply_pb2.GenerateReplyResponse(reasoning=event.text)
    if metadata and is_text:
        yield reply_pb2.GenerateReplyResponse(text_metadata=metadata)
    elif metadata:
        yield reply_pb2.GenerateReplyResponse(reasoning_metadata=metadata)


def to_call(event: sdk.ToolCallDelta) -> reply_pb2.ToolCallDelta:
    """Write a part of a tool call."""
    return reply_pb2.ToolCallDelta(
        index=event.index,
        tool_call_id=event.tool_call_id,
        name=event.name,
        arguments=event.arguments,
        provider_metadata=event.provider_metadata,
    )


def to_logprob(token: sdk.TokenLogprob) -> reply_pb2.TokenLogprob:
    """Write the probability of a token, and of others in its place."""
    return reply_pb2.TokenLogprob(
        token=token.token,
        logprob=token.logprob,
        bytes=token.spelling,
        top=[to_logprob(other) for other in token.top],
    )


def to_finished(event: Ended) -> reply_pb2.Finished:
    """Write the end of a reply."""
    finished = reply_pb2.Finished(
        reason=REASONS[event.reason],
        usage=to_usage(event.usage),
        provider=event.provider,
        model=event.model,
        stop_sequence=event.stop_sequence,
    )
    if event.cost is not None:
        finished.cost.CopyFrom(to_cost(event.cost))
    return finished


def to_usage(usage: sdk.Usage) -> reply_pb2.Usage:
    """Write the tokens of a reply."""
    return reply_pb2.Usage(
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        cached_input_tokens=usage.cached_input_tokens,
        reasoning_tokens=usage.reasoning_tokens,
        source=SOURCES[usage.source],
        cache_write_tokens=usage.cache_write_tokens,
        long_cache_write_tokens=usage.long_cache_write_tokens,
    )


def to_cost(cost: Cost) -> reply_pb2.Cost:
    """Write the cost of a reply."""
    return reply_pb2.Cost(nano_usd=cost.nano_usd, price_version=cost.price_version)


def from_ask(request: reply_pb2.GenerateReplyRequest, caller: Caller, seconds: float) -> Ask:
    """Read what somebody wants; InvalidArgument for what cannot be said to a provider at all."""
    return Ask(
        usage_id=from_uuid("usage_id", request.usage_id),
        owner_id=owner_of(caller),
        key_id=caller.key_id,
        provider=request.provider,
        request=from_request(request),
        seconds=seconds,
        fallbacks=[ModelChoice(one.provider, one.model) for one in request.fallbacks],
        scopes=caller.scopes,
        allowances=from_allowances(caller.allowances),
        options_dialect=request.options_dialect,
        owners=owners_of(request),
    )


def owners_of(request: reply_pb2.GenerateReplyRequest) -> Owners:
    """Read whose metadata the parts of messages hold; nothing when none of them says."""
    owners = [[part.metadata_provider for part in message.parts] for message in request.messages]
    return owners if any(map(any, owners)) else ()


def from_request(request: reply_pb2.GenerateReplyRequest) -> sdk.ReplyRequest:
    """Read what a model is asked."""
    return sdk.ReplyRequest(
        model=request.model,
        messages=[from_message(message) for message in request.messages],
        system=request.system,
        temperature=given(request, "temperature"),
        max_tokens=given(request, "max_tokens"),
        stream=request.stream,
        tools=[
            sdk.Tool(
                tool.name, tool.description, tool.parameters, tool.strict, from_keep(tool.keep)
            )
            for tool in request.tools
        ],
        provider_options=from_options(request.provider_options),
        tool_choice=from_tool_choice(request),
        parallel_tool_calls=given(request, "parallel_tool_calls"),
        output=from_output(request),
        reasoning_effort=EFFORTS.get(request.reasoning_effort),
        stop=tuple(request.stop),
        top_p=given(request, "top_p"),
        seed=given(request, "seed"),
        frequency_penalty=given(request, "frequency_penalty"),
        presence_penalty=given(request, "presence_penalty"),
        top_k=given(request, "top_k"),
        top_logprobs=given(request, "top_logprobs"),
        reasoning_tokens=given(request, "reasoning_tokens"),
        system_marks=[from_mark(mark) for mark in request.system_marks],
    )


def from_mark(mark: reply_pb2.SystemMark) -> sdk.SystemMark:
    """Read a mark within the instruction; InvalidArgument."""
    keep = from_keep(mark.keep)
    if keep is None:
        raise InvalidArgument.of("system_marks.keep", "must be short or long")
    return sdk.SystemMark(mark.end, keep)


def from_keep(keep: reply_pb2.Keep.ValueType) -> sdk.Keep | None:
    """Read how long a vendor is to keep what comes before; None for what is no mark."""
    return KEEPS.get(keep)


def given(request: reply_pb2.GenerateReplyRequest, name: str) -> Any:
    """Return an optional field; None when it is absent."""
    return getattr(request, name) if request.HasField(name) else None  # type: ignore[arg-type]  # names of optional fields only


def from_tool_choice(request: reply_pb2.GenerateReplyRequest) -> sdk.ToolChoice:
    """Read how free the model is to call tools; InvalidArgument for a tool that is not there."""
    if not request.HasField("tool_choice"):
        return sdk.ToolChoice()
    choice = sdk.ToolChoice(TOOL_MODES[request.tool_choice.mode], request.tool_choice.name)
    is_named = choice.mode is sdk.ToolMode.NAMED
    if is_named and choice.name not in {tool.name for tool in request.tools}:
        raise InvalidArgument.of("tool_choice.name", "must be one of the tools")
    return choice


def from_output(request: reply_pb2.GenerateReplyRequest) -> sdk.OutputFormat | None:
    """Read what the reply must look like."""
    if not request.HasField("output"):
        return None
    output = request.output
    return sdk.OutputFormat(output.schema, output.name or "reply", output.strict)


def from_message(message: reply_pb2.InputMessage) -> sdk.Message:
    """Read one message of the conversation."""
    role = ROLES.get(message.role)
    if role is None:
        raise InvalidArgument.of("messages.role", "must be user, assistant or tool")
    return sdk.Message(role, [from_part(part) for part in message.parts])


def from_part(part: reply_pb2.Part) -> sdk.Part:
    """Read one piece of a message."""
    extra, keep = part.provider_metadata, from_keep(part.keep)
    match part.WhichOneof("kind"):
        case "text":
            return sdk.TextPart(part.text, extra, keep)
        case "reasoning":
            return sdk.ReasoningPart(part.reasoning, extra)
        case "image":
            return from_image(part.image, extra, keep)
        case "file":
            return sdk.FilePart(*from_blob(part.file), extra, part.file.url, keep)
        case "tool_call":
            call = part.tool_call
            return sdk.ToolCallPart(call.tool_call_id, call.name, call.arguments, extra, keep)
        case "tool_result":
            result = part.tool_result
            said = (result.tool_call_id, result.content, result.is_error, extra)
            return sdk.ToolResultPart(*said, tuple(map(from_image, result.images)), keep)
    raise InvalidArgument.of("messages.parts", "must hold text, a file, or a tool's words")


def from_image(
    blob: reply_pb2.Blob, extra: bytes = b"", keep: sdk.Keep | None = None
) -> sdk.ImagePart:
    """Read an image."""
    return sdk.ImagePart(*from_blob(blob), extra, blob.url, keep)


def from_blob(blob: reply_pb2.Blob) -> tuple[str, bytes, str]:
    """Read bytes with their media type, or nothing where there is an address of them."""
    if len(blob.data) > BLOB_BYTES:
        raise InvalidArgument.of("messages.parts.data", "must have at most 20 MB")
    if blob.url and (blob.data or not is_address(blob.url)):
        rule = "must be an address, http or https, in place of data"
        raise InvalidArgument.of("messages.parts.url", rule)
    if not (blob.url or blob.data):
        raise InvalidArgument.of("messages.parts.data", "must not be empty without a url")
    return blob.media_type, blob.data, blob.name


def from_options(options: Struct) -> dict[str, Any]:
    """Read what only a vendor knows. A Struct knows no integers: whole numbers become such."""
    if not options.fields:
        return {}

    def whole(value: Any) -> Any:
        if isinstance(value, float) and value.is_integer():
            return int(value)
        if isinstance(value, dict):
            return {name: whole(item) for name, item in value.items()}
        return [whole(item) for item in value] if isinstance(value, list) else value

    options_read: dict[str, Any] = whole(MessageToDict(options))
    return options_read
