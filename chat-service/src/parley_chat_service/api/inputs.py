"""Messages of an input, and options, as the contract has them ⇄ the core."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence

from parley_rpc.faults import InvalidArgument

from parley.chat.v1 import chat_pb2 as pb
from parley.provider.v1 import reply_pb2
from parley_chat_service.core import model
from parley_chat_service.core.inputs import (
    Blob,
    Call,
    File,
    Part,
    Picture,
    Result,
    Said,
    Text,
    Thought,
    blobs_of,
    fields_of,
    parts_of,
    without_lost_files,
)
from parley_chat_service.core.turn import NO_OPTIONS, Options

ROLES: dict[reply_pb2.Role.ValueType, model.Role] = {
    reply_pb2.ROLE_USER: model.Role.USER,
    reply_pb2.ROLE_ASSISTANT: model.Role.ASSISTANT,
    reply_pb2.ROLE_TOOL: model.Role.TOOL,
    reply_pb2.ROLE_SYSTEM: model.Role.SYSTEM,
    reply_pb2.ROLE_DEVELOPER: model.Role.DEVELOPER,
}
NUMBERS = {role: number for number, role in ROLES.items()}
# What a send says itself, and what a reply that is kept cannot have.
ELSEWHERE = (
    "usage_id",
    "provider",
    "model",
    "messages",
    "temperature",
    "max_tokens",
    "stream",
    "fallbacks",
)
NOT_KEPT = ("top_logprobs",)


def said(request: pb.SendMessageRequest) -> tuple[Said, ...]:
    """Read the messages that a send came as; InvalidArgument."""
    if request.input and (request.content or request.attachments):
        raise InvalidArgument.of("input", "must not come with content or attachments")
    return tuple(message(f"input[{index}]", one) for index, one in enumerate(request.input))


def message(field: str, written: reply_pb2.InputMessage) -> Said:
    """Read one message."""
    role = ROLES.get(written.role)
    if role is None:
        raise InvalidArgument.of(
            f"{field}.role", "must be user, assistant, tool, system or developer"
        )
    parts = (part(f"{field}.parts[{index}]", one) for index, one in enumerate(written.parts))
    return Said(role, tuple(parts))


def part(field: str, written: reply_pb2.Part) -> Part:
    """Read one piece of a message."""
    metadata = written.provider_metadata
    match written.WhichOneof("kind"):
        case "text":
            return Text(written.text, metadata)
        case "reasoning":
            return Thought(written.reasoning, metadata)
        case "image":
            return Picture(blob(written.image), metadata)
        case "file":
            return File(blob(written.file), metadata)
        case "tool_call":
            call = written.tool_call
            return Call(model.ToolCall(call.tool_call_id, call.name, call.arguments), metadata)
        case "tool_result":
            result = written.tool_result
            images = tuple(map(blob, result.images))
            names = result.tool_call_id, result.content, result.is_error
            return Result(*names, images, metadata)
    raise InvalidArgument.of(field, "must hold text, a file, or a tool's words")


def blob(written: reply_pb2.Blob) -> Blob:
    """Read a file without its bytes."""
    size = len(written.data)
    digest = hashlib.sha256(written.data).hexdigest() if size else ""
    return Blob(written.media_type, written.name, digest, size, written.url)


def files(
    written: Iterable[reply_pb2.InputMessage], said: Iterable[Said]
) -> tuple[model.Attachment, ...]:
    """Read the files of messages, which were read already, with their bytes, each once."""
    raw = (file.data for one in written for piece in one.parts for file in blobs(piece))
    read = (blob for part in parts_of(said) for blob in blobs_of(part))
    found: dict[str, model.Attachment] = {}
    for data, blob in zip(raw, read, strict=True):
        if data:
            info = model.AttachmentInfo(blob.name, blob.media_type, blob.size, blob.sha256)
            found.setdefault(blob.sha256, model.Attachment(info, data))
    return tuple(found.values())


def blobs(piece: reply_pb2.Part) -> Sequence[reply_pb2.Blob]:
    """Return the files of a piece of a message."""
    match piece.WhichOneof("kind"):
        case "image":
            return (piece.image,)
        case "file":
            return (piece.file,)
        case "tool_result":
            return piece.tool_result.images
    return ()


def written(said: Iterable[Said], data: Mapping[str, bytes]) -> list[reply_pb2.InputMessage]:
    """Write messages, with the files whose bytes are there."""
    return [
        reply_pb2.InputMessage(
            role=NUMBERS[message.role],
            parts=[reply_pb2.Part(**fields_of(part, data)) for part in message.parts],
        )
        for message in without_lost_files(said, data)
    ]


def options(request: pb.SendMessageRequest) -> Options:
    """Read how a reply is asked for; InvalidArgument for what does not count there."""
    if not request.HasField("options"):
        return NO_OPTIONS
    asked = reply_pb2.GenerateReplyRequest()
    asked.CopyFrom(request.options)
    for field, _ in asked.ListFields():
        if field.name in ELSEWHERE:
            rule = "must not be set: what the send itself says counts"
            raise InvalidArgument.of(f"options.{field.name}", rule)
        if field.name in NOT_KEPT:
            rule = "must not be set: it is not kept with a reply"
            raise InvalidArgument.of(f"options.{field.name}", rule)
    system = asked.system
    asked.ClearField("system")
    return Options(system, asked.SerializeToString(deterministic=True))
