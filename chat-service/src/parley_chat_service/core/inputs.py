"""What is said since the last reply: messages of any role, in pieces, kept as one of the user's."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from parley_chat_service.core.model import Role, ToolCall

# Whose words are part of the system prompt, here and in all that follows.
INSTRUCTING = frozenset({Role.SYSTEM, Role.DEVELOPER})


@dataclass(frozen=True, slots=True)
class Blob:
    """Bytes that their SHA-256 in hexadecimal names, or the address that a vendor fetches."""

    media_type: str
    name: str = ""
    sha256: str = ""
    size: int = 0
    url: str = ""


@dataclass(frozen=True, slots=True)
class Text:
    """Text."""

    text: str
    metadata: bytes = b""


@dataclass(frozen=True, slots=True)
class Thought:
    """What a model thought aloud."""

    text: str
    metadata: bytes = b""


@dataclass(frozen=True, slots=True)
class Picture:
    """An image."""

    blob: Blob
    metadata: bytes = b""


@dataclass(frozen=True, slots=True)
class File:
    """A file."""

    blob: Blob
    metadata: bytes = b""


@dataclass(frozen=True, slots=True)
class Call:
    """A call of a tool that a model asked for."""

    call: ToolCall
    metadata: bytes = b""


@dataclass(frozen=True, slots=True)
class Result:
    """What a tool answered."""

    tool_call_id: str
    content: str
    is_error: bool = False
    images: Sequence[Blob] = ()
    metadata: bytes = b""


Part: TypeAlias = Text | Thought | Picture | File | Call | Result


@dataclass(frozen=True, slots=True)
class Said:
    """One message. `parts` hold what vendors want back with them, which only they read."""

    role: Role
    parts: Sequence[Part]


def parts_of(said: Iterable[Said]) -> Iterator[Part]:
    """Yield the pieces of messages."""
    for message in said:
        yield from message.parts


def blobs_of(part: Part) -> Sequence[Blob]:
    """Return the files and images of a piece."""
    if isinstance(part, Picture | File):
        return (part.blob,)
    return part.images if isinstance(part, Result) else ()


def texts_of(part: Part) -> Sequence[str]:
    """Return what a piece says, whoever says it."""
    if isinstance(part, Text | Thought):
        return (part.text,)
    if isinstance(part, Call):
        return (part.call.tool_call_id, part.call.name, part.call.arguments)
    return (part.tool_call_id, part.content) if isinstance(part, Result) else ()


def words_of(said: Iterable[Said]) -> str:
    """Return what users said in messages, by blank lines: the text of the message they become."""
    users = (message for message in said if message.role is Role.USER)
    texts = (part.text for part in parts_of(users) if isinstance(part, Text))
    return "\n\n".join(filter(None, texts))


def spoken(said: Iterable[Said]) -> tuple[Said, ...]:
    """Return messages without those that are part of the system prompt."""
    return tuple(message for message in said if message.role not in INSTRUCTING)


def instructions_of(said: Iterable[Said]) -> Iterator[str]:
    """Yield what messages add to the system prompt, in order."""
    told = (message for message in said if message.role in INSTRUCTING)
    yield from (part.text for part in parts_of(told) if isinstance(part, Text) and part.text)


def first_words_of(said: Iterable[Said]) -> str:
    """Return the first text of messages that is not blank, for want of a user's."""
    texts = (part.text for part in parts_of(spoken(said)) if isinstance(part, Text))
    return next((text for text in texts if text.strip()), "")


def bare(said: Iterable[Said]) -> tuple[Said, ...]:
    """Return messages as they are shown to a vendor that did not make them.

    Without what another wants back, and without what its model thought.
    """
    return tuple(
        Said(message.role, parts)
        for message in said
        if (parts := tuple(bare_parts(message.parts))) or not message.parts
    )


def bare_parts(parts: Iterable[Part]) -> Iterator[Part]:
    """Yield the pieces of a message likewise."""
    for part in parts:
        if not isinstance(part, Thought):
            yield replace(part, metadata=b"") if part.metadata else part


def without_lost_files(said: Iterable[Said], files: Mapping[str, bytes]) -> tuple[Said, ...]:
    """Return messages without the files whose bytes are not there."""

    def is_there(blob: Blob) -> bool:
        return bool(blob.url) or blob.sha256 in files

    def kept(parts: Iterable[Part]) -> Iterator[Part]:
        for part in parts:
            if isinstance(part, Result):
                yield replace(part, images=tuple(filter(is_there, part.images)))
            elif all(map(is_there, blobs_of(part))):
                yield part

    messages = (Said(message.role, tuple(kept(message.parts))) for message in said)
    return tuple(message for message in messages if message.parts)


def fields_of(part: Part, files: Mapping[str, bytes]) -> dict[str, Any]:
    """Return a piece by the names that the contract has for it; `files` has the bytes."""
    fields = kind_of(part, files)
    if part.metadata:
        fields["provider_metadata"] = part.metadata
    return fields


def kind_of(part: Part, files: Mapping[str, bytes]) -> dict[str, Any]:
    """Return a piece without its metadata."""
    match part:
        case Text():
            return {"text": part.text}
        case Thought():
            return {"reasoning": part.text}
        case Picture():
            return {"image": blob_fields(part.blob, files)}
        case File():
            return {"file": blob_fields(part.blob, files)}
        case Call():
            return {"tool_call": call_fields(part.call)}
        case Result():
            result = {
                "tool_call_id": part.tool_call_id,
                "content": part.content,
                "is_error": part.is_error,
                "images": [blob_fields(blob, files) for blob in part.images],
            }
            return {"tool_result": result}


def call_fields(call: ToolCall) -> dict[str, str]:
    """Return a call of a tool by the names that the contract has."""
    return {"tool_call_id": call.tool_call_id, "name": call.name, "arguments": call.arguments}


def blob_fields(blob: Blob, files: Mapping[str, bytes]) -> dict[str, Any]:
    """Return a file likewise."""
    data = b"" if blob.url else files[blob.sha256]
    return {"media_type": blob.media_type, "name": blob.name, "data": data, "url": blob.url}


def values_of(said: Iterable[Said]) -> Iterator[str]:
    """Yield all that messages consist of, in order, so that others have other values."""
    for message in said:
        yield f"message {message.role} {len(message.parts)}"
        for part in message.parts:
            blobs = blobs_of(part)
            yield f"{type(part).__name__} {part.metadata.hex()} {len(blobs)}"
            yield from texts_of(part)
            if isinstance(part, Result):
                yield repr(part.is_error)
            for blob in blobs:
                yield from (blob.media_type, blob.name, blob.sha256, blob.url)
