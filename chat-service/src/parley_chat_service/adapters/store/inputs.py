"""The columns that hold what was said in messages, and the calls of tools of replies."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from types import MappingProxyType
from typing import Any

from psycopg.types.json import Jsonb

from parley_chat_service.core.inputs import (
    INSTRUCTING,
    Blob,
    Call,
    File,
    Part,
    Picture,
    Result,
    Said,
    Text,
    Thought,
    spoken,
)
from parley_chat_service.core.model import Role, ToolCall

# What the column `input` begins with: how the rest of it is written.
VERSION = b"1\n"
KINDS: Mapping[str, type[Part]] = MappingProxyType(
    {
        "text": Text,
        "reasoning": Thought,
        "image": Picture,
        "file": File,
        "tool_call": Call,
        "tool_result": Result,
    }
)
NAMES = MappingProxyType({kind: name for name, kind in KINDS.items()})


def input_column(provider: str, said: Sequence[Said]) -> bytes:
    """Write the column `input`; nothing stands for null.

    After its version a line of JSON: who was asked, and the messages. Those that are part of the
    system prompt stand apart, with their places: a release that does not know them reads the rest.
    Bytes of files stand in `attachments`, by their names.
    """
    if not said:
        return b""
    messages = [message_column(message) for message in spoken(said)]
    column: dict[str, Any] = {"provider": provider, "messages": messages}
    instructions = [
        {"at": place, **message_column(message)}
        for place, message in enumerate(said)
        if message.role in INSTRUCTING
    ]
    if instructions:
        column["instructions"] = instructions
    return VERSION + json.dumps(column, ensure_ascii=False, separators=(",", ":")).encode()


def input_of(column: bytes | None) -> tuple[str, tuple[Said, ...]]:
    """Read the column `input`: who was asked, and the messages.

    None that a later release has written in another way: then the row's text stands for them.
    """
    if column is None or not column.startswith(VERSION):
        return "", ()
    read = json.loads(column.removeprefix(VERSION))
    said = [message_of(message) for message in read["messages"]]
    for message in read.get("instructions", ()):
        said.insert(message["at"], message_of(message))
    return read["provider"], tuple(said)


def message_column(message: Said) -> dict[str, Any]:
    """Write one message."""
    return {"role": message.role, "parts": [part_column(part) for part in message.parts]}


def message_of(column: dict[str, Any]) -> Said:
    """Read one message."""
    return Said(Role(column["role"]), tuple(map(part_of, column["parts"])))


def part_column(part: Part) -> dict[str, Any]:
    """Write one piece of a message; what is empty is left out."""
    fields = {name: value for name, value in asdict(part).items() if value}
    if part.metadata:
        fields["metadata"] = base64.b64encode(part.metadata).decode()
    return {"kind": NAMES[type(part)], **fields}


def part_of(column: dict[str, Any]) -> Part:
    """Read one piece of a message."""
    fields = dict(column)
    kind = KINDS[fields.pop("kind")]
    if "metadata" in fields:
        fields["metadata"] = base64.b64decode(fields["metadata"])
    metadata = fields.get("metadata", b"")
    if kind is Call:
        return Call(ToolCall(**fields["call"]), metadata)
    if kind is Picture or kind is File:
        return kind(Blob(**fields["blob"]), metadata)
    if kind is Result:
        images = tuple(Blob(**blob) for blob in fields.get("images", ()))
        names = fields["tool_call_id"], fields.get("content", ""), fields.get("is_error", False)
        return Result(*names, images, metadata)
    return kind(fields.get("text", ""), metadata)


def tool_calls_column(calls: Sequence[ToolCall]) -> Jsonb | None:
    """Write the column `tool_calls`."""
    return Jsonb([asdict(call) for call in calls]) if calls else None


def tool_calls_of(column: Sequence[dict[str, str]] | None) -> tuple[ToolCall, ...]:
    """Read the column `tool_calls`."""
    return tuple(ToolCall(**call) for call in column or ())
