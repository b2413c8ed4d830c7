"""Marks of what a vendor is to keep of a prompt: `cache_control`, in the contract's words."""

from __future__ import annotations

from collections.abc import Iterator

from parley_rpc.faults import InvalidArgument

from parley.provider.v1 import reply_pb2
from parley.provider.v1.reply_pb2 import GenerateReplyRequest, Keep, Part
from parley_gateway.api.dialects.messages.blocks import (
    AnthropicBlock,
    AnthropicInstruction,
    AnthropicToolResultBlock,
    Control,
)
from parley_gateway.api.dialects.messages.body import AnthropicPrompt, AnthropicTool

FIELD = "cache_control"
# What the dialect has room for.
MOST_MARKS = 4
LONG = "1h"


def keep_of(control: Control) -> Keep.ValueType:
    """Return how long a vendor is to keep what comes before."""
    if control is None:
        return reply_pb2.KEEP_UNSPECIFIED
    return reply_pb2.KEEP_LONG if control.ttl == LONG else reply_pb2.KEEP_SHORT


def kept(text: str, control: Control) -> bool:
    """Say whether a text says something; InvalidArgument when it is marked and says nothing."""
    if not text and control is not None:
        raise InvalidArgument.of(FIELD, "cannot be set for empty text blocks")
    return bool(text)


def mark_all(request: GenerateReplyRequest, body: AnthropicPrompt) -> None:
    """Mark all of the prompt, where that is asked for; InvalidArgument for too many marks."""
    found = sum(one.cache_control is not None for one in markable(body))
    if body.cache_control is not None:
        found += mark_last(request, keep_of(body.cache_control))
    if found > MOST_MARKS:
        rule = f"A maximum of {MOST_MARKS} blocks with cache_control may be provided."
        raise InvalidArgument.of(FIELD, f"{rule} Found {found}.")


def markable(
    body: AnthropicPrompt,
) -> Iterator[AnthropicTool | AnthropicInstruction | AnthropicBlock]:
    """Yield all that may have a mark."""
    yield from body.tools or ()
    for content in (body.system, *(message.content for message in body.messages)):
        if content is None or isinstance(content, str):
            continue
        yield from content
        for block in content:
            if isinstance(block, AnthropicToolResultBlock) and isinstance(block.content, list):
                yield from block.content


def mark_last(request: GenerateReplyRequest, keep: Keep.ValueType) -> bool:
    """Mark the last piece that can be; say whether it was not before.

    InvalidArgument when it is marked otherwise.
    """
    parts = (part for message in reversed(request.messages) for part in reversed(message.parts))
    last = next(filter(can_be_marked, parts), None)
    if last is None or last.keep == keep:
        return False
    if last.keep:
        raise InvalidArgument.of(FIELD, "must have the ttl that the last block asks for")
    last.keep = keep
    return True


def can_be_marked(part: Part) -> bool:
    """Say whether a piece ends what can be kept: thoughts do not, nor does an empty text."""
    return not part.HasField("reasoning") and not (part.HasField("text") and not part.text)
