"""Whose a vendor's state is: a client may turn to another provider with what one wants back.

Within the dialects metadata is bytes that nobody looks into; these say in front whose they are.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from parley.provider.v1.reply_pb2 import GenerateReplyResponse, InputMessage, Part

# No JSON begins so, and no name of a provider holds it.
MARK = b"\1"
# Ends a piece and holds nothing.
NOTHING = b"{}"
METADATA = ("text_metadata", "reasoning_metadata")


class Owner:
    """Marks the metadata of one reply with the name of the provider that makes it."""

    def __init__(self, provider: str) -> None:
        # As far as is known: the events say so where it was not asked for by name.
        self.provider = provider

    def mark(self, event: GenerateReplyResponse) -> None:
        """Mark what an event brings of metadata."""
        kind = event.WhichOneof("event")
        if kind == "answerer":
            self.provider = event.answerer.provider
        elif kind in METADATA:
            setattr(event, kind, self._marked(getattr(event, kind)))
        elif kind == "tool_call" and event.tool_call.provider_metadata:
            call = event.tool_call
            call.provider_metadata = self._marked(call.provider_metadata)

    def _marked(self, metadata: bytes) -> bytes:
        if metadata == NOTHING:
            return metadata
        return b"%s%s%s%s" % (MARK, self.provider.encode(), MARK, metadata)


def has_metadata(messages: Iterable[InputMessage]) -> bool:
    """Say whether any piece of messages has metadata."""
    return any(part.provider_metadata for message in messages for part in message.parts)


def tell(messages: Iterable[InputMessage]) -> None:
    """Say of each piece that comes back whose its metadata is."""
    for message in messages:
        for part in message.parts:
            if part.provider_metadata:
                part.metadata_provider, part.provider_metadata = unmarked(part.provider_metadata)


def keep(messages: Sequence[InputMessage], provider: str) -> list[InputMessage]:
    """Return messages as one provider is shown them: with no other's metadata."""
    tell(messages)
    kept = []
    for message in messages:
        parts = [part for part in message.parts if shown(part, provider)]
        if parts or not message.parts:
            kept.append(InputMessage(role=message.role, parts=parts))
    return kept


def shown(part: Part, provider: str) -> bool:
    """Take another provider's metadata off a part; say whether something is left of it."""
    owner = part.metadata_provider
    part.ClearField("metadata_provider")
    if owner in ("", provider):
        return True
    part.ClearField("provider_metadata")
    # A thought is nothing without it.
    return not part.HasField("reasoning")


def unmarked(metadata: bytes) -> tuple[str, bytes]:
    """Return whose metadata is, and what it is."""
    if not metadata.startswith(MARK):
        return "", metadata
    provider, _, rest = metadata.removeprefix(MARK).partition(MARK)
    return provider.decode(errors="replace"), rest
