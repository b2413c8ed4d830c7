"""Marks of what a vendor is to keep of a prompt: `cache_control`, in the contract's words."""

from __future__ import annotations

from collections.abc import Iterator

from parley_rpc.faults import InvalidArgument

from parley.provider.v1 import reply_pb2
from parley.provider.v1.reply_pb2 import GenerateReplyRequest, Keep, Part
from parley_gateway.api.dialects.messages.blocks import Control
from parley_gateway.api.dialects.messages.body import AnthropicPrompt

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
    keep = keep_of(body.cache_control)
    if keep:
        mark_last(request, keep)
    found = sum(tool.cache_control is not None for tool in body.tools or ())
    found += len(request.system_marks)
    found += sum(part.keep != 0 for part in parts_of(request))
    if found > MOST_MARKS:
        rule = f"A maximum of {MOST_MARKS} blocks with cache_control may be provided."
        raise InvalidArgument.of(FIELD, f"{rule} Found {found}.")


def mark_last(request: GenerateReplyRequest, keep: Keep.ValueType) -> None:
    """Mark the last piece that can be; InvalidArgument when it is marked otherwise."""
    last = next((part for part in reversed([*parts_of(request)]) if can_be_marked(part)), None)
    if last is None:
        return
    if last.keep not in (reply_pb2.KEEP_UNSPECIFIED, keep):
        raise InvalidArgument.of(FIELD, "must have the ttl that the last block asks for")
    last.keep = keep


def can_be_marked(part: Part) -> bool:
    """Say whether a piece ends what can be kept: thoughts do not, nor does an empty text."""
    return not part.HasField("reasoning") and not (part.HasField("text") and not part.text)


def parts_of(request: GenerateReplyRequest) -> Iterator[Part]:
    """Yield the pieces of all messages."""
    for message in request.messages:
        yield from message.parts
