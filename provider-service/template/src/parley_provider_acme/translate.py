"""Says what Parley asks in Acme's words. Pure: no connection, no clock."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from parley_provider_sdk import (
    BadRequest,
    FilePart,
    FinishReason,
    ImagePart,
    Message,
    Part,
    ReasoningPart,
    ReplyRequest,
    TextPart,
    Tool,
    ToolCallPart,
    ToolResultPart,
    Usage,
)

REASONS: Mapping[str, FinishReason] = MappingProxyType(
    {
        "finished": FinishReason.STOP,
        "length": FinishReason.LENGTH,
        "call": FinishReason.TOOL,
        "filter": FinishReason.FILTERED,
    }
)


def encode(request: ReplyRequest) -> bytes:
    """Returns the body that asks for this reply. Raises BadRequest for what Acme does not take."""
    body: dict[str, Any] = {
        "model": request.model,
        "turns": [_turn(message) for message in request.messages],
        "stream": request.stream,
    }
    options = {
        "instructions": request.system or None,
        "temperature": request.temperature,
        "max_tokens": request.max_tokens,
        "stop": list(request.stop) or None,
        "tools": [_tool(tool) for tool in request.tools] or None,
    }
    body |= {name: value for name, value in options.items() if value is not None}
    return json.dumps(body | dict(request.provider_options)).encode()


def usage(tokens: Mapping[str, Any]) -> Usage:
    """Reads what Acme counted. Raises what a wrong shape raises."""
    return Usage(tokens["in"], tokens["out"], reasoning_tokens=tokens.get("thought", 0))


def seal_to_metadata(seal: str) -> bytes:
    """Returns what has to be kept so that Acme gets its seal back."""
    return json.dumps({"seal": seal}).encode() if seal else b""


def _turn(message: Message) -> dict[str, Any]:
    return {"by": message.role.value, "pieces": [_piece(part) for part in message.parts]}


def _piece(part: Part) -> dict[str, Any]:
    piece: dict[str, Any]
    match part:
        case TextPart():
            piece = {"kind": "text", "text": part.text}
        case ReasoningPart():
            piece = {"kind": "thought", "text": part.text}
        case ImagePart():
            piece = _image(part)
        case ToolCallPart():
            piece = {"kind": "call", "id": part.tool_call_id, "tool": part.name}
            piece["input"] = part.arguments
        case ToolResultPart():
            piece = {"kind": "result", "id": part.tool_call_id, "output": part.content}
            if part.images:
                piece["images"] = [_image(image) for image in part.images]
        case FilePart():
            raise BadRequest("Acme takes no files, only texts and images.")
    return piece | (json.loads(part.provider_metadata) if part.provider_metadata else {})


def _image(part: ImagePart) -> dict[str, Any]:
    if part.url:
        raise BadRequest("Acme takes images as bytes only, not by address.")
    data = base64.b64encode(part.data).decode()
    return {"kind": "image", "type": part.media_type, "data": data}


def _tool(tool: Tool) -> dict[str, Any]:
    schema = json.loads(tool.parameters) if tool.parameters else {"type": "object"}
    return {"name": tool.name, "description": tool.description, "schema": schema}
