"""The conversation: from the dialect's messages to the contract's."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import NamedTuple

from parley.provider.v1.reply_pb2 import (
    ROLE_ASSISTANT,
    ROLE_TOOL,
    ROLE_USER,
    Blob,
    InputMessage,
    Keep,
    Part,
    SystemMark,
    ToolCall,
    ToolResult,
)
from parley_gateway.api.dialects import opaque
from parley_gateway.api.dialects.bodies import json_of
from parley_gateway.api.dialects.messages import blocks, carried
from parley_gateway.api.dialects.messages.carried import Owner
from parley_gateway.api.dialects.messages.marks import keep_of, kept

# How the dialect's own guide wants arguments given back that are no JSON object.
NO_OBJECT = "INVALID_JSON"
PARAGRAPH = "\n\n"
PDF = "application/pdf"
PLAIN = "text/plain"


def conversation(messages: Sequence[blocks.AnthropicInputMessage]) -> Iterator[InputMessage]:
    """Yield the messages that say something, without instructions."""
    for message in messages:
        match message:
            case blocks.AnthropicUserMessage():
                yield from asked(message.content)
            case blocks.AnthropicAssistantMessage():
                yield from said(message.content)


class Instruction(NamedTuple):
    """What a model is told before all messages, and the places up to which it is to be kept."""

    text: str
    marks: Sequence[SystemMark]


def instruction(
    system: str | Sequence[blocks.AnthropicInstruction] | None,
    messages: Iterable[blocks.AnthropicInputMessage],
) -> Instruction:
    """Join all instructions, wherever they stand."""
    texts, marks, end = list[str](), list[SystemMark](), -len(PARAGRAPH)
    contents = (one.content for one in messages if isinstance(one, blocks.AnthropicSystemMessage))
    for content in (system or "", *contents):
        for text, control in texts_of(content):
            if not kept(text, control):
                continue
            texts.append(text)
            end += len(PARAGRAPH) + len(text)
            if control is not None:
                marks.append(SystemMark(end=end, keep=keep_of(control)))
    return Instruction(PARAGRAPH.join(texts), marks)


def texts_of(
    content: str | Sequence[blocks.AnthropicInstruction],
) -> Iterator[tuple[str, blocks.Control]]:
    """Yield the texts of what is nothing but text, with their marks."""
    if isinstance(content, str):
        yield content, None
    else:
        yield from ((block.text, block.cache_control) for block in content)


def asked(content: blocks.UserContent) -> Iterator[InputMessage]:
    """Yield what a user says, and what tools answer, as messages of their own."""
    if isinstance(content, str):
        if content:
            yield InputMessage(role=ROLE_USER, parts=[Part(text=content)])
        return
    for is_result, run in groupby(content, is_tool_result):
        parts = [part for block in run for part in asked_parts(block)]
        if parts:
            yield InputMessage(role=ROLE_TOOL if is_result else ROLE_USER, parts=parts)


def is_tool_result(block: blocks.AnthropicBlock) -> bool:
    """Say whether a block is what a tool answered."""
    return isinstance(block, blocks.AnthropicToolResultBlock)


def asked_parts(block: blocks.AnthropicBlock) -> Iterator[Part]:
    """Yield the parts that a block of a user's message becomes."""
    match block:
        case blocks.AnthropicTextBlock(text=text) if kept(text, block.cache_control):
            yield Part(text=text, keep=keep_of(block.cache_control))
        case blocks.AnthropicImageBlock():
            yield Part(image=image(block), keep=keep_of(block.cache_control))
        case blocks.AnthropicDocumentBlock():
            if block.context:
                yield Part(text=block.context)
            yield Part(file=document(block), keep=keep_of(block.cache_control))
        case blocks.AnthropicToolResultBlock():
            yield Part(tool_result=result(block), keep=longest(block))


def longest(block: blocks.AnthropicToolResultBlock) -> Keep.ValueType:
    """Return how long to keep a result: it is one piece, so marks within it are at its end."""
    inner = [] if isinstance(block.content, str) else block.content or ()
    return max(keep_of(one.cache_control) for one in (block, *inner))


def image(block: blocks.AnthropicImageBlock) -> Blob:
    """Return an image, or where it is found."""
    source = block.source
    if isinstance(source, blocks.AnthropicAddress):
        return Blob(url=source.url)
    return Blob(media_type=source.media_type, data=source.data)


def document(block: blocks.AnthropicDocumentBlock) -> Blob:
    """Return a document, or where it is found."""
    source, name = block.source, block.title or ""
    match source:
        case blocks.AnthropicAddress():
            return Blob(media_type=PDF, url=source.url, name=name)
        case blocks.AnthropicPdf():
            return Blob(media_type=PDF, data=source.data, name=name)
        case blocks.AnthropicPlainText():
            return Blob(media_type=PLAIN, data=source.data.encode(), name=name)


def result(block: blocks.AnthropicToolResultBlock) -> ToolResult:
    """Return what a tool answered: its texts, and its images behind them."""
    made = ToolResult(tool_call_id=block.tool_use_id, is_error=bool(block.is_error))
    if isinstance(block.content, str):
        made.content = block.content
        return made
    texts: list[str] = []
    for one in block.content or ():
        match one:
            case blocks.AnthropicTextBlock():
                texts.append(one.text)
            case blocks.AnthropicImageBlock():
                made.images.append(image(one))
            case blocks.AnthropicResultDocument():
                texts += filter(None, (one.title, one.context, one.source.data))
    made.content = PARAGRAPH.join(texts)
    return made


def said(content: blocks.AssistantContent) -> Iterator[InputMessage]:
    """Yield what a model said, with what its vendor wants back."""
    if isinstance(content, str):
        parts = [Part(text=content)] if content else []
    else:
        parts = []
        for block in content:
            if isinstance(block, blocks.AnthropicRedactedThinkingBlock):
                give_back(carried.read(block.data), parts)
            else:
                parts += said_parts(block)
    if parts:
        yield InputMessage(role=ROLE_ASSISTANT, parts=parts)


def said_parts(block: blocks.AnthropicBlock) -> Iterator[Part]:
    """Yield the part that a block of a model's message becomes; none for one that is empty."""
    match block:
        case blocks.AnthropicTextBlock(text=text) if kept(text, block.cache_control):
            yield Part(text=text, keep=keep_of(block.cache_control))
        case blocks.AnthropicThinkingBlock(thinking=thinking, signature=signature):
            metadata = opaque.unwrapped(signature)
            if thinking or metadata:
                yield Part(reasoning=thinking, provider_metadata=metadata)
        case blocks.AnthropicToolUseBlock():
            call = ToolCall(
                tool_call_id=block.id, name=block.name, arguments=arguments(block.input)
            )
            yield Part(tool_call=call, keep=keep_of(block.cache_control))


def arguments(given: dict[str, object]) -> str:
    """Return arguments as the model wrote them, when they were no JSON object."""
    text = given.get(NO_OBJECT)
    if isinstance(text, str) and len(given) == 1:
        return text
    return json_of(given).decode()


def give_back(one: carried.Carried, parts: list[Part]) -> None:
    """Put metadata where it belongs; nowhere when that is gone."""
    if not one.metadata:
        return
    if one.owner is Owner.THINKING:
        parts.append(Part(reasoning="", provider_metadata=one.metadata))
    elif one.owner is Owner.BLANK:
        parts.append(Part(text="", provider_metadata=one.metadata))
    else:
        owner = next((part for part in reversed(parts) if is_owner(part, one)), None)
        if owner is not None:
            owner.provider_metadata = one.metadata


def is_owner(part: Part, one: carried.Carried) -> bool:
    """Say whether metadata belongs to a part."""
    if one.owner is Owner.CALL:
        return part.HasField("tool_call") and part.tool_call.tool_call_id == one.call_id
    return part.HasField("text") and not part.provider_metadata
