"""What tells the bodies of sends apart: idempotency keys stand for one of them."""

from __future__ import annotations

import hashlib

from parley_chat_service.core.inputs import values_of
from parley_chat_service.core.turn import Send


def body_hash(send: Send) -> bytes:
    """Return a digest of what a send asks for; equal for equal bodies only."""
    digest = hashlib.sha256()
    for value in (
        send.chat_id,
        send.content,
        *send.choice,
        repr(send.temperature),
        repr(send.max_tokens),
        send.prompt_id,
        *(f"{a.info.sha256} {a.info.media_type} {a.info.name}" for a in send.attachments),
        *fallback_values(send),
        *input_values(send),
        *option_values(send),
    ):
        data = value.encode()
        # Lengths keep neighbours apart: "ab", "c" is another body than "a", "bc".
        digest.update(len(data).to_bytes(8, "big"))
        digest.update(data)
    return digest.digest()


def fallback_values(send: Send) -> list[str]:
    """Return what fallbacks add to the body of a send: nothing when there are none.

    So the keys of sends without them, which a former release may have stored, stay as they are.
    The word keeps them apart from attachments, none of which it can be.
    """
    if not send.fallbacks:
        return []
    return ["fallbacks", *(name for choice in send.fallbacks for name in choice)]


def input_values(send: Send) -> list[str]:
    """Return what messages add to the body of a send: nothing when there are none."""
    return ["input", *values_of(send.said)] if send.said else []


def option_values(send: Send) -> list[str]:
    """Return what options add to the body of a send, and its parent: nothing without them."""
    system, packed, given = send.options
    options = ["options", system, packed.hex()] if given else []
    return [*options, f"parent {send.parent_id}"] if send.parent_id else options
