"""What one vendor wants back is its own state, and shown to no other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import parley_provider_sdk as sdk

from parley_provider_service.core.model import Owners


def without_metadata(request: sdk.ReplyRequest) -> sdk.ReplyRequest:
    """Return a request as somebody else is shown it than whose model made what it tells of."""
    messages = (replace(message, parts=tuple(plain(message.parts))) for message in request.messages)
    return replace(request, messages=[message for message in messages if message.parts])


def of_one(request: sdk.ReplyRequest, owners: Owners, provider: str) -> sdk.ReplyRequest:
    """Return a request as one provider is shown it: without what is known to be another's."""
    if not owners:
        return request
    messages = (
        replace(message, parts=tuple(kept(message.parts, theirs, provider)))
        for message, theirs in zip(request.messages, owners, strict=True)
    )
    return replace(request, messages=[message for message in messages if message.parts])


def kept(parts: Sequence[sdk.Part], owners: Sequence[str], provider: str) -> Iterator[sdk.Part]:
    """Yield the parts of a message, those that are another provider's without metadata."""
    for part, owner in zip(parts, owners, strict=True):
        if owner in ("", provider):
            yield part
        else:
            yield from plain([part])


def plain(parts: Sequence[sdk.Part]) -> Iterator[sdk.Part]:
    """Yield the parts of a message without metadata; a thought is nothing without it."""
    for part in parts:
        if not part.provider_metadata:
            yield part
        elif not isinstance(part, sdk.ReasoningPart):
            yield replace(part, provider_metadata=b"")
