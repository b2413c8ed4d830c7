"""What one vendor wants back is its own state, and shown to no other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import parley_provider_sdk as sdk


def without_metadata(request: sdk.ReplyRequest) -> sdk.ReplyRequest:
    """Return a request as somebody else is shown it than whose model made what it tells of."""
    messages = (replace(message, parts=tuple(plain(message.parts))) for message in request.messages)
    return replace(request, messages=[message for message in messages if message.parts])


def plain(parts: Sequence[sdk.Part]) -> Iterator[sdk.Part]:
    """Yield the parts of a message without metadata; a thought is nothing without it."""
    for part in parts:
        if not part.provider_metadata:
            yield part
        elif not isinstance(part, sdk.ReasoningPart):
            yield replace(part, provider_metadata=b"")
