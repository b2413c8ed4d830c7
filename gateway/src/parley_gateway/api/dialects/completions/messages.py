"""Messages of Chat Completions to those of the contract."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from parley_rpc.faults import InvalidArgument

from parley.provider.v1.reply_pb2 import (
    ROLE_ASSISTANT,
    ROLE_TOOL,
    ROLE_USER,
    Blob,
    InputMessage,
    Part,
    ToolCall,
    ToolResult,
)
from parley_gateway.api.dialects.completions import body, layout
from parley_gateway.api.dialects.opaque import unwrapped

# Calls in the old form have no names of their own.
LEGACY_ID = "call_{number}"
SCHEMES = ("http://", "https://")
NO_AUDIO = "Recordings are not taken: send their text."
NO_FILE_ID = "Files are kept nowhere here: send it as `file_data`."


class Conversation:
    """What is said, as the contract has it: the instructions apart from the messages."""

    def __init__(self, messages: Sequence[body.Message]) -> None:
        """Translate messages; InvalidArgument."""
        self.instructions: list[str] = []
        self.messages: list[InputMessage] = []
        # The last call in the old form: its result names the function only.
        self._calls = 0
        for number, message in enumerate(messages):
            self._add(message, f"messages[{number}]")
        if not self.messages:
            # Somebody has to say something: most vendors answer no instruction alone.
            self._say(ROLE_USER, [Part(text=self.instructions.pop())])

    @property
    def system(self) -> str:
        """The instructions, in order."""
        return "\n\n".join(text for text in self.instructions if text)

    def _add(self, message: body.Message, place: str) -> None:
        match message:
            case body.System() | body.Developer():
                self.instructions.append(text_of(message.content))
            case body.User():
                self._say(ROLE_USER, users_parts(message, f"{place}.content"))
            case body.Assistant():
                self._say(ROLE_ASSISTANT, self._assistants_parts(message, place))
            case body.Tool():
                part = result_part(message, f"{place}.content")
                self._say(ROLE_TOOL, [part])
            case body.FunctionResult():
                name = LEGACY_ID.format(number=self._calls)
                result = ToolResult(tool_call_id=name, content=message.content or "")
                self._say(ROLE_TOOL, [Part(tool_result=result)])

    def _say(self, role: Any, parts: Sequence[Part]) -> None:
        self.messages.append(InputMessage(role=role, parts=parts))

    def _assistants_parts(self, message: body.Assistant, place: str) -> list[Part]:
        if message.audio is not None:
            raise InvalidArgument.of(f"{place}.audio", NO_AUDIO)
        calls = [call_part(call.id, call.function, call) for call in message.tool_calls or ()]
        if message.function_call is not None:
            self._calls += 1
            name = LEGACY_ID.format(number=self._calls)
            calls.append(call_part(name, message.function_call, message.function_call))
        text = text_of(message.content) + (message.refusal or "")
        said = layout.Said(thoughts(message), text, calls)
        return layout.ordered(said, message.extra_content)


def text_of(content: str | Sequence[body.Text | body.OnlyText | body.Refusal] | None) -> str:
    """Return the text of content that is nothing but text."""
    if content is None or isinstance(content, str):
        return content or ""
    return "".join(
        part.refusal if isinstance(part, body.Refusal) else part.text for part in content
    )


def users_parts(message: body.User, place: str) -> list[Part]:
    """Translate what somebody said; InvalidArgument."""
    if isinstance(message.content, str):
        return [Part(text=message.content)]
    return [
        TRANSLATED[type(part)](part, f"{place}[{number}]")
        for number, part in enumerate(message.content)
    ]


def text_part(part: body.Text, _place: str) -> Part:
    """Translate text."""
    return Part(text=part.text)


def image_part(part: body.Image, place: str) -> Part:
    """Translate an image; InvalidArgument."""
    return Part(image=image(part, place))


def image(part: body.Image, place: str) -> Blob:
    """Return an image: its bytes, or where its vendor finds it; InvalidArgument."""
    url = part.image_url.url
    if url.startswith("data:"):
        return data_blob(url, f"{place}.image_url.url")
    if not url.lower().startswith(SCHEMES):
        rule = "It must be an address (http, https) or a `data:` URL."
        raise InvalidArgument.of(f"{place}.image_url.url", rule)
    return Blob(url=url)


def file_part(part: body.File, place: str) -> Part:
    """Translate a file; InvalidArgument."""
    data = part.file.file_data
    if data is None:
        raise InvalidArgument.of(f"{place}.file", NO_FILE_ID)
    place, name = f"{place}.file.file_data", part.file.filename or ""
    if data.startswith("data:"):
        blob = data_blob(data, place)
    else:
        blob = Blob(media_type=media_type_of(name), data=decoded(data, place))
    blob.name = name
    return Part(file=blob)


def audio_part(_: body.Audio, place: str) -> Part:
    """Refuse a recording; InvalidArgument."""
    raise InvalidArgument.of(place, NO_AUDIO)


TRANSLATED: Mapping[type, Callable[[Any, str], Part]] = MappingProxyType(
    {
        body.Text: text_part,
        body.Image: image_part,
        body.File: file_part,
        body.Audio: audio_part,
    }
)
MEDIA_TYPES: Mapping[str, str] = MappingProxyType(
    {"pdf": "application/pdf", "txt": "text/plain", "md": "text/markdown", "csv": "text/csv"}
)


def media_type_of(name: str) -> str:
    """Return what a file's name says of its type; PDF when it says nothing, as clients mean."""
    return MEDIA_TYPES.get(name.rpartition(".")[2].lower(), MEDIA_TYPES["pdf"])


def data_blob(url: str, place: str) -> Blob:
    """Read a `data:` URL; InvalidArgument."""
    head, comma, data = url.partition(",")
    media_type, *parameters = head.removeprefix("data:").split(";")
    if not comma or "base64" not in parameters:
        raise InvalidArgument.of(place, "A `data:` URL must hold base64.")
    return Blob(media_type=media_type or "text/plain", data=decoded(data, place))


def decoded(data: str, place: str) -> bytes:
    """Read base64; InvalidArgument."""
    try:
        return base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError):
        raise InvalidArgument.of(place, "It is not base64.") from None


def result_part(message: body.Tool, place: str) -> Part:
    """Translate what a tool answered; InvalidArgument."""
    result = ToolResult(tool_call_id=message.tool_call_id)
    if isinstance(message.content, str):
        result.content = message.content
        return Part(tool_result=result)
    texts = [part for part in message.content if isinstance(part, body.Text)]
    result.content = text_of(texts)
    for number, part in enumerate(message.content):
        if isinstance(part, body.Image):
            result.images.append(image(part, f"{place}[{number}]"))
    return Part(tool_result=result)


def call_part(name: str, called: body.Called, carrier: body.Call | body.Called) -> Part:
    """Translate a call of a tool, and what its vendor wants back with it."""
    call = ToolCall(tool_call_id=name, name=called.name, arguments=called.arguments)
    return Part(tool_call=call, provider_metadata=layout.metadata_of(carrier.extra_content))


def thoughts(message: body.Assistant) -> list[Part]:
    """Translate reasoning: its pieces, or all of it where a client kept no pieces."""
    pieces = [piece for piece in message.reasoning_details or () if piece.text or piece.signature]
    if pieces:
        return [
            Part(reasoning=piece.text or "", provider_metadata=unwrapped(piece.signature))
            for piece in pieces
        ]
    return [Part(reasoning=message.reasoning_content)] if message.reasoning_content else []
