"""Input items: what a client says, what the model said before, and what tools answered."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Sequence
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct
from parley_rpc.faults import InvalidArgument

from parley.provider.v1.reply_pb2 import (
    ROLE_ASSISTANT,
    ROLE_DEVELOPER,
    ROLE_SYSTEM,
    ROLE_TOOL,
    ROLE_USER,
    Blob,
    InputMessage,
    Part,
    ToolCall,
    ToolResult,
)
from parley_gateway.api.dialects import opaque
from parley_gateway.api.dialects.bodies import refuse
from parley_gateway.api.dialects.responses import carriers

DATA_URL = re.compile(r"data:([\w.+-]+/[\w.+-]+)?(?:;[\w=.-]+)*;base64,(.*)", re.DOTALL)
NO_FILES = "Files are not kept here: send the bytes."
Address = Annotated[str, Meta(pattern=r"^(https?://.+|data:.+)")]


class InputText(Struct, tag="input_text", tag_field="type"):
    """What is said."""

    text: str


class InputImage(Struct, tag="input_image", tag_field="type"):
    """An image, by its address or within it."""

    image_url: Address | None = None
    file_id: str | None = None
    detail: str | None = None


class InputFile(Struct, tag="input_file", tag_field="type"):
    """A file: its bytes, or its address."""

    file_data: str | None = None
    file_url: Annotated[str, Meta(pattern=r"^https?://.+")] | None = None
    file_id: str | None = None
    filename: str | None = None


class OutputText(Struct, tag="output_text", tag_field="type"):
    """What the model said."""

    text: str


class Refusal(Struct, tag="refusal", tag_field="type"):
    """What the model said instead of an answer."""

    refusal: str


class ReasoningText(Struct, tag="reasoning_text", tag_field="type"):
    """What the model thought."""

    text: str


class SummaryText(Struct, tag="summary_text", tag_field="type"):
    """What is told of what the model thought."""

    text: str


Piece = InputText | InputImage | InputFile | OutputText | Refusal
Shown = InputText | InputImage | InputFile


class Message(Struct, tag="message", tag_field="type"):
    """What somebody says."""

    role: Literal["user", "assistant", "system", "developer"]
    content: str | list[Piece]


class FunctionCall(Struct, tag="function_call", tag_field="type"):
    """A call of a tool, as the model made it."""

    call_id: Annotated[str, Meta(min_length=1)]
    name: Annotated[str, Meta(min_length=1)]
    arguments: str


class FunctionCallOutput(Struct, tag="function_call_output", tag_field="type"):
    """What a tool answered."""

    call_id: Annotated[str, Meta(min_length=1)]
    output: str | list[Shown]


class Reasoning(Struct, tag="reasoning", tag_field="type"):
    """What the model thought, with what its vendor wants back."""

    summary: list[SummaryText] = []
    content: list[ReasoningText] | None = None
    encrypted_content: str | None = None


Item = Message | FunctionCall | FunctionCallOutput | Reasoning
DECODABLE = frozenset({"message", "function_call", "function_call_output", "reasoning"})
REFUSED = {
    "item_reference": "References to items are not resolved: send the item, or name the response "
    "before in `previous_response_id`.",
}


# Whose words are part of the system prompt.
INSTRUCTING = {"system": ROLE_SYSTEM, "developer": ROLE_DEVELOPER}


class Conversation:
    """Items as the contract has them: messages in order, instructions among them."""

    def __init__(self) -> None:
        self.messages: list[InputMessage] = []

    def turn(self, role: int) -> InputMessage:
        """Return the message that the speaker is at, instructions aside, or a new one."""
        last = next((one for one in reversed(self.messages) if speaks(one)), None)
        if last is None or last.role != role:
            last = InputMessage(role=role)  # type: ignore[arg-type]  # a role
            self.messages.append(last)
        return last

    @property
    def system(self) -> list[str]:
        """Return what the instructions say, in order."""
        told = (one for one in self.messages if not speaks(one))
        return [part.text for one in told for part in one.parts]

    @property
    def spoken(self) -> list[InputMessage]:
        """Return the messages without the instructions."""
        return [one for one in self.messages if speaks(one)]


def speaks(message: InputMessage) -> bool:
    """Say whether a message is none of the instructions."""
    return message.role not in INSTRUCTING.values()


def read(given: str | Sequence[dict[str, Any]]) -> Conversation:
    """Read the input of a response; InvalidArgument."""
    conversation = Conversation()
    if isinstance(given, str):
        part = Part(text=given)
        conversation.messages.append(InputMessage(role=ROLE_USER, parts=[part]))
        return conversation
    metadata: dict[str, bytes] = {}
    for number, item in enumerate(decoded(given)):
        add(item, conversation, metadata, f"input[{number}]")
    for message in conversation.messages:
        for part in message.parts:
            if part.HasField("tool_call"):
                part.provider_metadata = metadata.get(part.tool_call.tool_call_id, b"")
    conversation.messages = [one for one in conversation.messages if one.parts]
    return conversation


def decoded(given: Sequence[dict[str, Any]]) -> list[Item]:
    """Read items by their types; those of messages may be left out."""
    for number, item in enumerate(given):
        kind = item.get("type") or "message"
        if not isinstance(kind, str) or kind not in DECODABLE:
            place = f"input[{number}].type"
            told = REFUSED.get(kind) if isinstance(kind, str) else None
            raise InvalidArgument.of(place, told or "Items of this type are not taken here.")
    whole = [{**item, "type": item.get("type") or "message"} for item in given]
    try:
        return msgspec.convert({"input": whole}, Items).input
    except msgspec.ValidationError as error:
        refuse(str(error))


class Items(Struct):
    """The input alone."""

    input: list[Item]


def add(item: Item, conversation: Conversation, metadata: dict[str, bytes], place: str) -> None:
    """Add an item to a conversation."""
    match item:
        case Message():
            add_message(item, conversation, place)
        case FunctionCall():
            call = ToolCall(tool_call_id=item.call_id, name=item.name, arguments=item.arguments)
            conversation.turn(ROLE_ASSISTANT).parts.append(Part(tool_call=call))
        case FunctionCallOutput():
            result = tool_result(item, place)
            conversation.turn(ROLE_TOOL).parts.append(Part(tool_result=result))
        case Reasoning():
            add_reasoning(item, conversation, metadata)


def add_message(item: Message, conversation: Conversation, place: str) -> None:
    """Add what somebody says."""
    content = item.content
    pieces = [InputText(text=content)] if isinstance(content, str) else content
    parts = [part_of(piece, f"{place}.content[{n}]") for n, piece in enumerate(pieces)]
    if item.role in INSTRUCTING:
        if any(not part.HasField("text") for part in parts):
            raise InvalidArgument.of(f"{place}.content", "Instructions are text.")
        told = [part for part in parts if part.text]
        conversation.messages.append(InputMessage(role=INSTRUCTING[item.role], parts=told))
    elif item.role == "user":
        conversation.messages.append(InputMessage(role=ROLE_USER, parts=parts))
    else:
        if any(not part.HasField("text") for part in parts):
            raise InvalidArgument.of(f"{place}.content", "An assistant's message is text.")
        turn = conversation.turn(ROLE_ASSISTANT)
        turn.parts.extend(part for part in parts if part.text)


def add_reasoning(item: Reasoning, conversation: Conversation, metadata: dict[str, bytes]) -> None:
    """Add what the model thought, or what its vendor wants back with another piece."""
    carried = opaque.unwrapped(item.encrypted_content)
    kind, call_id, inner = carriers.opened(carried)
    if kind is carriers.Kind.CALL:
        metadata[call_id] = inner
        return
    parts = conversation.turn(ROLE_ASSISTANT).parts
    if kind is carriers.Kind.TEXT:
        if not parts or not parts[-1].HasField("text") or parts[-1].provider_metadata:
            parts.append(Part(text=""))
        parts[-1].provider_metadata = inner
        return
    told = item.content or item.summary
    text = "".join(one.text for one in told)
    if text or carried:
        parts.append(Part(reasoning=text, provider_metadata=carried))


def part_of(piece: Piece, place: str) -> Part:
    """Return a piece of a message as the contract has it; InvalidArgument."""
    match piece:
        case InputText() | OutputText():
            return Part(text=piece.text)
        case Refusal():
            return Part(text=piece.refusal)
        case InputImage():
            return Part(image=image(piece, place))
    return Part(file=file(piece, place))


def tool_result(item: FunctionCallOutput, place: str) -> ToolResult:
    """Return what a tool answered; InvalidArgument."""
    result = ToolResult(tool_call_id=item.call_id)
    if isinstance(item.output, str):
        result.content = item.output
        return result
    texts = []
    for number, piece in enumerate(item.output):
        where = f"{place}.output[{number}]"
        match piece:
            case InputText():
                texts.append(piece.text)
            case InputImage():
                result.images.append(image(piece, where))
            case InputFile():
                raise InvalidArgument.of(where, "A tool's answer is text and images.")
    result.content = "\n".join(texts)
    return result


def image(piece: InputImage, place: str) -> Blob:
    """Return an image; InvalidArgument."""
    if piece.file_id is not None:
        raise InvalidArgument.of(f"{place}.file_id", NO_FILES)
    if piece.image_url is None:
        raise InvalidArgument.of(f"{place}.image_url", "There is no image.")
    if not piece.image_url.startswith("data:"):
        return Blob(url=piece.image_url)
    return data(piece.image_url, f"{place}.image_url")


def file(piece: InputFile, place: str) -> Blob:
    """Return a file; InvalidArgument."""
    name = piece.filename or ""
    if piece.file_id is not None:
        raise InvalidArgument.of(f"{place}.file_id", NO_FILES)
    if piece.file_url is not None:
        return Blob(url=piece.file_url, name=name)
    if piece.file_data is None:
        raise InvalidArgument.of(f"{place}.file_data", "There is no file.")
    given = piece.file_data
    blob = data(
        given if given.startswith("data:") else f"data:application/pdf;base64,{given}",
        f"{place}.file_data",
    )
    blob.name = name
    return blob


def data(url: str, place: str) -> Blob:
    """Return what a data URL holds; InvalidArgument."""
    found = DATA_URL.fullmatch(url)
    try:
        held = base64.b64decode(found[2], validate=True) if found else b""
    except (binascii.Error, ValueError):
        held = b""
    if not found or not held:
        raise InvalidArgument.of(place, "It must be data:<media type>;base64,<bytes>.")
    return Blob(media_type=found[1] or "application/octet-stream", data=held)
