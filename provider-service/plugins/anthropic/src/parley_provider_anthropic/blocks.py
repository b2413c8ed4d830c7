"""Pure functions from our messages to the vendor's, whose content is made of blocks.

On this wire the roles take turns, a tool's results are the user's and come first, and reasoning
goes back exactly as it came, but only to where it came from: each server knows its own signatures
and refuses others. Blank texts are left out, because the vendor refuses them too.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator, Sequence
from types import MappingProxyType
from typing import Any, TypeAlias

import orjson
from parley_provider_sdk import (
    BadRequest,
    FilePart,
    ImagePart,
    Keep,
    Message,
    Part,
    ReasoningPart,
    Role,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)

JSON: TypeAlias = dict[str, Any]

# Tells our metadata from other vendors'.
MARK = "anthropic"
_PDF = "application/pdf"
# What asks to keep the prompt.
_MARKS = MappingProxyType(
    {Keep.SHORT: {"type": "ephemeral"}, Keep.LONG: {"type": "ephemeral", "ttl": "1h"}}
)


def messages(given: Sequence[Message], origin: str) -> list[JSON]:
    """Returns the vendor's messages. Raises BadRequest for a part that its role cannot hold.

    `origin` is the server whose reasoning is given back; without one, none is.
    """
    turns: list[tuple[str, list[JSON]]] = []
    for message in given:
        role = "assistant" if message.role is Role.ASSISTANT else "user"
        blocks = list(_assistants(message, origin) if role == "assistant" else _users(message))
        if turns and turns[-1][0] == role:
            turns[-1][1].extend(blocks)
        elif blocks:
            turns.append((role, blocks))
    return [{"role": role, "content": _content(blocks)} for role, blocks in turns]


def signed(signature: str, origin: str) -> bytes:
    """Returns the metadata of reasoning that can be read; some servers sign it with nothing."""
    return orjson.dumps({MARK: {"from": origin, "signature": signature}})


def redacted(data: str, origin: str) -> bytes:
    """Returns the metadata of reasoning that is encrypted."""
    return orjson.dumps({MARK: {"from": origin, "data": data}})


def marked(block: JSON, keep: Keep | None) -> JSON:
    """Returns a block or a tool up to which the vendor is to keep the prompt, where it is."""
    if keep is not None:
        block["cache_control"] = dict(_MARKS[keep])
    return block


def _content(blocks: list[JSON]) -> str | list[JSON]:
    """Returns what nearly every message is as the plain text that it is."""
    if len(blocks) == 1 and blocks[0].keys() == {"type", "text"}:
        text: str = blocks[0]["text"]
        return text
    # A stable sort: what is no result keeps its order behind them.
    return sorted(blocks, key=lambda block: block["type"] != "tool_result")


def _users(message: Message) -> Iterator[JSON]:
    for part in message.parts:
        match part:
            case TextPart():
                yield from _text(part)
            case ImagePart():
                yield marked(_image(part), part.keep)
            case FilePart():
                yield marked(_file(part), part.keep)
            case ToolResultPart():
                yield marked(_result(part), part.keep)
            case _:
                raise BadRequest(f"A user's message cannot hold a {type(part).__name__}.")


def _assistants(message: Message, origin: str) -> Iterator[JSON]:
    for part in message.parts:
        match part:
            case TextPart():
                yield from _text(part)
            case ReasoningPart():
                yield from _reasoning(part, origin)
            case ToolCallPart():
                yield marked(_call(part), part.keep)
            case _:
                yield from _misplaced(part)


def _misplaced(part: Part) -> Iterator[JSON]:
    raise BadRequest(f"A reply of a model cannot hold a {type(part).__name__}.")


def _text(part: TextPart) -> Iterator[JSON]:
    if part.text.strip():
        yield marked({"type": "text", "text": part.text}, part.keep)


def _image(part: ImagePart | FilePart) -> JSON:
    return {"type": "image", "source": _address(part) if part.url else _base64(part)}


def _file(part: FilePart) -> JSON:
    if part.media_type.startswith("image/"):
        return _image(part)
    made: JSON = {"type": "document", "source": _document(part)}
    if part.name:
        made["title"] = part.name
    return made


def _document(part: FilePart) -> JSON:
    is_pdf = part.media_type == _PDF
    if not part.url:
        return _base64(part) if is_pdf else _plain(part)
    if part.media_type and not is_pdf:
        what = part.media_type
        raise BadRequest(f"Files are taken by address as PDF or image, and not as {what}.")
    return _address(part)


def _address(part: ImagePart | FilePart) -> JSON:
    return {"type": "url", "url": part.url}


def _plain(part: FilePart) -> JSON:
    """Takes as text whatever is text, as its type may say anything. Raises BadRequest."""
    try:
        text = part.data.decode()
    except UnicodeDecodeError:
        what = part.media_type or "unknown"
        raise BadRequest(f"Files are taken as PDF, image or text, and not as {what}.") from None
    return {"type": "text", "media_type": "text/plain", "data": text}


def _base64(part: ImagePart | FilePart) -> JSON:
    data = b64encode(part.data).decode()
    return {"type": "base64", "media_type": part.media_type, "data": data}


def _result(part: ToolResultPart) -> JSON:
    content: str | list[JSON] = part.content
    if part.images:
        content = [*_text(TextPart(part.content)), *map(_image, part.images)]
    made: JSON = {"type": "tool_result", "tool_use_id": part.tool_call_id, "content": content}
    if part.is_error:
        made["is_error"] = True
    return made


def _call(part: ToolCallPart) -> JSON:
    return {
        "type": "tool_use",
        "id": part.tool_call_id,
        "name": part.name,
        "input": _arguments(part.arguments),
    }


def _arguments(text: str) -> JSON:
    """Returns the arguments as the object that the wire wants, even when a model wrote none."""
    try:
        made = orjson.loads(text or b"{}")
    except orjson.JSONDecodeError:
        made = text
    return made if isinstance(made, dict) else {"arguments": made}


def _reasoning(part: ReasoningPart, origin: str) -> Iterator[JSON]:
    given = _metadata(part.provider_metadata)
    data, signature = given.get("data"), given.get("signature")
    if not origin or given.get("from") != origin:
        return
    if isinstance(data, str):
        yield {"type": "redacted_thinking", "data": data}
    elif isinstance(signature, str):
        yield {"type": "thinking", "thinking": part.text, "signature": signature}


def _metadata(text: bytes) -> JSON:
    try:
        made = orjson.loads(text or b"{}")
    except orjson.JSONDecodeError:
        return {}
    ours = made.get(MARK) if isinstance(made, dict) else None
    return ours if isinstance(ours, dict) else {}
