"""Turns our messages into the vendor's `contents`."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator, Sequence
from typing import Any, TypeAlias

import orjson
from parley_provider_sdk import (
    BadRequest,
    FilePart,
    ImagePart,
    Message,
    Part,
    ReasoningPart,
    ReplyRequest,
    Role,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)

from parley_provider_google import generations, signatures

JSON: TypeAlias = dict[str, Any]

# Begins the ids of calls that came without one. The vendor never sees these.
MADE = "parley-call-"


def contents(request: ReplyRequest) -> list[JSON]:
    """Returns the turns. Raises BadRequest for a result without its call."""
    made: list[JSON] = []
    # What each call's function is named: a result on this wire says the name.
    names: dict[str, str] = {}
    answers: JSON | None = None
    foreign = signatures.FOREIGN if generations.is_signed(request.model) else ""
    for message in request.messages:
        results = [part for part in message.parts if isinstance(part, ToolResultPart)]
        if results:
            # All results of a turn of calls stand in one turn, however many messages they came in.
            if answers is None:
                answers = {"role": "user", "parts": []}
                made.append(answers)
            for part in results:
                answers["parts"] += _results(part, names, nests=bool(foreign))
        if turn := _turn(message, foreign):
            answers = None
            made.append(turn)
        calls = [part for part in message.parts if isinstance(part, ToolCallPart)]
        names.update({call.tool_call_id: call.name for call in calls})
    return made


def _turn(message: Message, foreign: str) -> JSON | None:
    """Returns what a message says besides results; None when that is nothing."""
    if message.role is Role.ASSISTANT:
        parts = list(_said(message.parts))
        _sign(parts, foreign)
        return {"role": "model", "parts": parts} if parts else None
    given = [_given(part) for part in message.parts if not isinstance(part, ToolResultPart)]
    parts = [part for part in given if part]
    return {"role": "user", "parts": parts} if parts else None


def _said(parts: Sequence[Part]) -> Iterator[JSON]:
    for part in parts:
        signature = signatures.given(part.provider_metadata)
        signed = {signatures.FIELD: signature} if signature else {}
        match part:
            case TextPart(text) if text or signature:
                yield {"text": text, **signed}
            case ReasoningPart(text) if signature:
                # What is not signed is of no use to the vendor, or another's.
                yield {"text": text, "thought": True, **signed}
            case ToolCallPart():
                yield {"functionCall": _call(part), **signed}
            case ImagePart() | FilePart():
                yield {**_media(part), **signed}


def _sign(parts: list[JSON], foreign: str) -> None:
    """Signs the first call of a turn none of whose calls is signed: another vendor made it."""
    calls = [part for part in parts if "functionCall" in part]
    if foreign and calls and not any(signatures.FIELD in part for part in calls):
        calls[0][signatures.FIELD] = foreign


def _given(part: Part) -> JSON | None:
    match part:
        case TextPart(text):
            return {"text": text} if text else None
        case ImagePart() | FilePart():
            return _media(part)
    raise BadRequest(f"A user's message cannot hold a {type(part).__name__}.")


def _call(part: ToolCallPart) -> JSON:
    return {**_id(part.tool_call_id), "name": part.name, "args": _arguments(part.arguments)}


def _results(part: ToolResultPart, names: dict[str, str], *, nests: bool) -> list[JSON]:
    """Returns a result and its images: in it where the generation reads them, else beside it."""
    made, shown = _result(part, names), [_media(image) for image in part.images]
    if shown and nests:
        made["functionResponse"]["parts"] = shown
        return [made]
    return [made, *shown]


def _result(part: ToolResultPart, names: dict[str, str]) -> JSON:
    name = names.get(part.tool_call_id)
    if name is None:
        raise BadRequest("The result of a tool has no call before it.")
    response = {"error" if part.is_error else "output": part.content}
    return {"functionResponse": {**_id(part.tool_call_id), "name": name, "response": response}}


def _id(call_id: str) -> JSON:
    return {} if call_id.startswith(MADE) else {"id": call_id}


def _arguments(text: str) -> JSON:
    """The vendor takes an object and nothing else; what a model wrote may not be one."""
    try:
        made = orjson.loads(text or b"{}")
    except orjson.JSONDecodeError:
        made = text
    return made if isinstance(made, dict) else {"arguments": made}


def _media(part: ImagePart | FilePart) -> JSON:
    if part.url:
        kind = {"mimeType": part.media_type} if part.media_type else {}
        return {"fileData": {"fileUri": part.url, **kind}}
    data = b64encode(part.data).decode()
    return {"inlineData": {"mimeType": part.media_type, "data": data}}
