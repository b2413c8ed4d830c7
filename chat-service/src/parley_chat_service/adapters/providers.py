"""The provider service, as the core sees it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cachetools import TTLCache
from parley_rpc.client import Peer

from parley.provider.v1 import model_pb2, reply_pb2, usage_pb2
from parley.provider.v1.provider_pb2_grpc import ProviderServiceStub
from parley_chat_service.core.inputs import call_fields, fields_of, without_lost_files
from parley_chat_service.core.model import Caller, Choice, Cost, Role, Usage
from parley_chat_service.core.outline import Kind
from parley_chat_service.core.ports import Reply
from parley_chat_service.core.turn import CallDelta, Finished, Past, ReplyRequest

CACHED_SECONDS = 3.0
CACHED_CHOICES = 1_000
ROLES: dict[str, reply_pb2.Role.ValueType] = {
    Role.USER: reply_pb2.ROLE_USER,
    Role.ASSISTANT: reply_pb2.ROLE_ASSISTANT,
    Role.TOOL: reply_pb2.ROLE_TOOL,
}
REASONS = {
    reply_pb2.FINISH_REASON_STOP: "stop",
    reply_pb2.FINISH_REASON_LENGTH: "length",
    reply_pb2.FINISH_REASON_TOOL: "tool",
    reply_pb2.FINISH_REASON_REFUSAL: "refusal",
    reply_pb2.FINISH_REASON_FILTERED: "filtered",
    reply_pb2.FINISH_REASON_PAUSED: "paused",
}
SOURCES = {
    reply_pb2.USAGE_SOURCE_REPORTED: "reported",
    reply_pb2.USAGE_SOURCE_COUNTED: "counted",
    reply_pb2.USAGE_SOURCE_ESTIMATED: "estimated",
}


class GrpcProviders:
    """Asks the provider service; remembers for a moment which models there are."""

    def __init__(self, peer: Peer) -> None:
        self.peer = peer
        self.stub = ProviderServiceStub(peer.channel)
        self.known: TTLCache[Choice, Choice] = TTLCache(CACHED_CHOICES, CACHED_SECONDS)

    async def resolve(self, caller: Caller, choice: Choice, within: float) -> Choice:
        """Fill in the defaults. Failures are not remembered: what was missing may be there now."""
        known = self.known.get(choice)
        if known is not None:
            # Who is away is told now: later the turn would be acknowledged, and have to wait.
            await self.peer.connected()
            return known
        request = model_pb2.GetModelRequest(provider=choice.provider, model=choice.model)
        model = (await self.peer.call(self.stub.GetModel, request, caller, within)).model
        resolved = Choice(model.provider, model.name)
        self.known[choice] = resolved
        return resolved

    async def generate(
        self, caller: Caller, request: ReplyRequest, reply: Reply, within: float
    ) -> Finished | None:
        """Make a reply; None when the stream ended before the reply did."""
        message = request_message(request)
        finished = None
        async for event in self.peer.follow(self.stub.GenerateReply, message, caller, within):
            kind = event.WhichOneof("event")
            if kind == "text":
                reply.text(event.text)
            elif kind == "reasoning":
                reply.reasoning(event.reasoning)
            elif kind == "finished":
                finished = finished_of(event.finished)
            else:
                note(event, reply)
        return finished


def note(event: reply_pb2.GenerateReplyResponse, reply: Reply) -> None:
    """Read an event that is rare."""
    kind = event.WhichOneof("event")
    if kind == "usage":
        reply.count(usage_of(event.usage))
    elif kind == "text_metadata":
        reply.attach(Kind.TEXT, event.text_metadata)
    elif kind == "reasoning_metadata":
        reply.attach(Kind.REASONING, event.reasoning_metadata)
    elif kind == "tool_call":
        reply.call(call_delta_of(event.tool_call))
    elif kind == "answerer":
        reply.answered(choice_of(event.answerer))


def request_message(request: ReplyRequest) -> reply_pb2.GenerateReplyRequest:
    """Write a request; plain dictionaries are the cheapest way to fill a repeated field."""
    messages: list[Any] = []
    for past in request.past:
        if past.said:
            messages += said_messages(past, request.files)
        else:
            messages.append({"role": ROLES[past.role], "parts": parts(past, request.files)})
    fallbacks: list[Any] = [choice._asdict() for choice in request.fallbacks]
    message = reply_pb2.GenerateReplyRequest(
        usage_id=str(request.usage_id),
        provider=request.choice.provider,
        model=request.choice.model,
        system=request.system,
        messages=messages,
        temperature=request.temperature,
        max_tokens=request.max_tokens,
        stream=request.stream,
        fallbacks=fallbacks,
    )
    if request.packed:
        message.MergeFromString(request.packed)
    return message


def said_messages(past: Past, files: Mapping[str, bytes]) -> list[dict[str, Any]]:
    """Write what came as messages, as they came."""
    return [
        {"role": ROLES[said.role], "parts": [fields_of(part, files) for part in said.parts]}
        for said in without_lost_files(past.said, files)
    ]


def parts(past: Past, files: Mapping[str, bytes]) -> list[dict[str, Any]]:
    """Write the parts of a message: its images whose bytes are there, then its text.

    A reply whose vendor wants something back goes back in its pieces, reasoning among them.
    """
    if past.spans:
        return pieces(past)
    images = [
        {"image": {"media_type": info.media_type, "data": files[info.sha256], "name": info.name}}
        for info in past.attachments
        if info.sha256 in files
    ]
    if not past.tool_calls:
        return [*images, {"text": past.content}]
    text = [{"text": past.content}] if past.content else []
    return [*text, *({"tool_call": call_fields(call)} for call in past.tool_calls)]


def pieces(past: Past) -> list[dict[str, Any]]:
    """Write the pieces of a reply in the order in which they came, each with its metadata."""
    texts = {Kind.TEXT: past.content, Kind.REASONING: past.reasoning}
    begins = dict.fromkeys(Kind, 0)
    written = []
    for span in past.spans:
        begin = begins[span.kind]
        begins[span.kind] = end = begin + span.length
        if span.kind is Kind.CALL:
            piece: dict[str, Any] = {"tool_call": call_fields(past.tool_calls[begin])}
        else:
            piece = {span.kind.value: texts[span.kind][begin:end]}
        written.append({**piece, "provider_metadata": span.metadata})
    return written


def call_delta_of(delta: reply_pb2.ToolCallDelta) -> CallDelta:
    """Read a part of a call of a tool."""
    metadata = delta.provider_metadata
    return CallDelta(delta.index, delta.tool_call_id, delta.name, delta.arguments, metadata)


def finished_of(finished: reply_pb2.Finished) -> Finished:
    """Read the end of a reply."""
    return Finished(
        REASONS.get(finished.reason, "other"),
        usage_of(finished.usage) if finished.HasField("usage") else None,
        cost_of(finished.cost) if finished.HasField("cost") else None,
        choice_of(finished),
    )


def cost_of(cost: reply_pb2.Cost) -> Cost:
    """Read a cost."""
    return Cost(cost.nano_usd, cost.price_version)


def choice_of(
    message: reply_pb2.ModelChoice | reply_pb2.Finished | usage_pb2.UsageRecord,
) -> Choice:
    """Read who makes a reply."""
    # PostgreSQL stores no NUL, and plugins may name models as they like.
    return Choice(message.provider.replace("\0", ""), message.model.replace("\0", ""))


def usage_of(usage: reply_pb2.Usage) -> Usage:
    """Read a count of tokens."""
    return Usage(
        usage.input_tokens,
        usage.output_tokens,
        usage.cached_input_tokens,
        usage.reasoning_tokens,
        SOURCES.get(usage.source, ""),
    )
