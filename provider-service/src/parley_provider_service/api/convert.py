"""Between the contract's messages and the core's values."""

from __future__ import annotations

import base64
from typing import Any
from uuid import UUID

import parley_provider_sdk as sdk
from google.protobuf.json_format import MessageToDict
from google.protobuf.struct_pb2 import Struct
from parley_rpc.context import Caller
from parley_rpc.faults import InvalidArgument, Unauthenticated

from parley.provider.v1 import model_pb2, provider_pb2, reply_pb2, usage_pb2
from parley_provider_service.core.model import (
    Ask,
    Checkup,
    Cost,
    Ended,
    Event,
    Listing,
    Model,
    ProviderStatus,
    UsageRecord,
)

STATUSES = {
    ProviderStatus.READY: provider_pb2.PROVIDER_STATUS_READY,
    ProviderStatus.UNCONFIGURED: provider_pb2.PROVIDER_STATUS_UNCONFIGURED,
    ProviderStatus.UNHEALTHY: provider_pb2.PROVIDER_STATUS_UNHEALTHY,
    ProviderStatus.DISABLED: provider_pb2.PROVIDER_STATUS_DISABLED,
    ProviderStatus.BROKEN: provider_pb2.PROVIDER_STATUS_BROKEN,
}
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
BLOB_BYTES = 20 * 1024 * 1024


def to_provider(listing: Listing) -> provider_pb2.Provider:
    """Write a provider."""
    installed = listing.installed
    return provider_pb2.Provider(
        name=installed.name,
        display_name=installed.display_name,
        status=STATUSES[listing.status],
        enabled=listing.enabled,
        is_default=listing.is_default,
        default_model=listing.default_model,
        models=listing.models,
        plugin_package=installed.package,
        plugin_version=installed.version,
        error=listing.error,
    )


def to_checkup(checkup: Checkup) -> provider_pb2.CheckProviderResponse:
    """Write what came of asking a provider how it is."""
    written = provider_pb2.CheckProviderResponse(
        provider=checkup.provider,
        status=STATUSES[checkup.status],
        latency_ms=checkup.latency_ms,
        detail=checkup.detail,
    )
    written.checked_at.FromDatetime(checkup.checked_at)
    return written


def to_model(model: Model) -> model_pb2.Model:
    """Write a model."""
    written = model_pb2.Model(
        provider=model.provider,
        name=model.name,
        display_name=model.display_name,
        context_window=model.context_window,
        max_output_tokens=model.max_output_tokens,
        capabilities=sorted(model.capabilities),
    )
    if model.price is not None:
        written.price.input_nano_usd_per_million = model.price.input
        written.price.output_nano_usd_per_million = model.price.output
        written.price.version = model.price.version
    return written


def to_event(event: Event) -> reply_pb2.GenerateReplyResponse:
    """Write one event of a reply."""
    match event:
        case sdk.TextDelta(text):
            return reply_pb2.GenerateReplyResponse(text=text)
        case sdk.ReasoningDelta(text):
            return reply_pb2.GenerateReplyResponse(reasoning=text)
        case sdk.ToolCallDelta():
            return reply_pb2.GenerateReplyResponse(
                tool_call=reply_pb2.ToolCallDelta(
                    index=event.index,
                    tool_call_id=event.tool_call_id,
                    name=event.name,
                    arguments=event.arguments,
                    provider_metadata=event.provider_metadata,
                )
            )
        case sdk.UsageUpdate(usage):
            return reply_pb2.GenerateReplyResponse(usage=to_usage(usage))
        case Ended():
            finished = reply_pb2.Finished(reason=REASONS[event.reason], usage=to_usage(event.usage))
            if event.cost is not None:
                finished.cost.CopyFrom(to_cost(event.cost))
            return reply_pb2.GenerateReplyResponse(finished=finished)


def to_usage(usage: sdk.Usage) -> reply_pb2.Usage:
    """Write the tokens of a reply."""
    return reply_pb2.Usage(
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        cached_input_tokens=usage.cached_input_tokens,
        reasoning_tokens=usage.reasoning_tokens,
        source=SOURCES[usage.source],
    )


def to_cost(cost: Cost) -> reply_pb2.Cost:
    """Write the cost of a reply."""
    return reply_pb2.Cost(nano_usd=cost.nano_usd, price_version=cost.price_version)


def to_record(record: UsageRecord) -> usage_pb2.UsageRecord:
    """Write a row of the ledger."""
    written = usage_pb2.UsageRecord(usage_id=str(record.usage_id), settled=record.settled)
    if record.usage is not None:
        written.usage.CopyFrom(to_usage(record.usage))
    if record.cost is not None:
        written.cost.CopyFrom(to_cost(record.cost))
    return written


def from_ask(request: reply_pb2.GenerateReplyRequest, caller: Caller, seconds: float) -> Ask:
    """Read what somebody wants; InvalidArgument for what cannot be said to a provider at all."""
    return Ask(
        usage_id=from_uuid("usage_id", request.usage_id),
        owner_id=owner_of(caller),
        key_id=caller.key_id,
        provider=request.provider,
        request=sdk.ReplyRequest(
            model=request.model,
            messages=[from_message(message) for message in request.messages],
            system=request.system,
            temperature=request.temperature if request.HasField("temperature") else None,
            max_tokens=request.max_tokens if request.HasField("max_tokens") else None,
            stream=request.stream,
            tools=[
                sdk.Tool(tool.name, tool.description, tool.parameters) for tool in request.tools
            ],
            provider_options=from_options(request.provider_options),
        ),
        seconds=seconds,
    )


def from_message(message: reply_pb2.InputMessage) -> sdk.Message:
    """Read one message of the conversation."""
    role = ROLES.get(message.role)
    if role is None:
        raise InvalidArgument.of("messages.role", "must be user, assistant or tool")
    return sdk.Message(role, [from_part(part) for part in message.parts])


def from_part(part: reply_pb2.Part) -> sdk.Part:
    """Read one piece of a message."""
    extra = part.provider_metadata
    match part.WhichOneof("kind"):
        case "text":
            return sdk.TextPart(part.text, extra)
        case "reasoning":
            return sdk.ReasoningPart(part.reasoning, extra)
        case "image":
            return sdk.ImagePart(*from_blob(part.image), extra)
        case "file":
            return sdk.FilePart(*from_blob(part.file), extra)
        case "tool_call":
            call = part.tool_call
            return sdk.ToolCallPart(call.tool_call_id, call.name, call.arguments, extra)
        case "tool_result":
            result = part.tool_result
            return sdk.ToolResultPart(result.tool_call_id, result.content, result.is_error, extra)
    raise InvalidArgument.of("messages.parts", "must hold text, a file, or a tool's words")


def from_blob(blob: reply_pb2.Blob) -> tuple[str, bytes, str]:
    """Read bytes with their media type."""
    if len(blob.data) > BLOB_BYTES:
        raise InvalidArgument.of("messages.parts.data", "must have at most 20 MB")
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


def from_uuid(field: str, text: str) -> UUID:
    """Read an id."""
    try:
        return UUID(text)
    except ValueError:
        raise InvalidArgument.of(field, "must be a UUID") from None


def owner_of(caller: Caller) -> UUID:
    """Read in whose name a call is made."""
    try:
        return UUID(caller.user_id)
    except ValueError:
        raise Unauthenticated("The user context names no user by a UUID.") from None


def page_size(asked: int, most: int) -> int:
    """Read how much a page may hold; 0 means as much as it can."""
    if not 0 <= asked <= most:
        raise InvalidArgument.of("page_size", f"must be from 1 to {most}, or 0")
    return asked or most


def to_token(place: str) -> str:
    """Write a place in a list as an opaque token."""
    return base64.urlsafe_b64encode(place.encode()).decode()


def from_token(token: str) -> str:
    """Read a place in a list; empty is its beginning."""
    try:
        return base64.b64decode(token, altchars=b"-_", validate=True).decode()
    except ValueError:
        raise InvalidArgument.of("page_token", "is not one that a former answer gave") from None
