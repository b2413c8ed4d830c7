"""The rules that requests keep; whoever breaks one is told the field and the rule."""

from __future__ import annotations

import hashlib
import math
import re

from parley_rpc.faults import InvalidArgument

from parley_chat_service.core.model import Attachment
from parley_chat_service.core.turn import Send

CHAT_ID = re.compile(r"[A-Za-z0-9_-]{1,50}")
IDEMPOTENCY_KEY = re.compile(r"[\x21-\x7e]{1,255}")
MEDIA_TYPES = ("image/png", "image/jpeg", "image/webp", "image/gif")
MOST_ATTACHMENTS = 10
LARGEST_ATTACHMENT = 20_000_000
# All together, so that they fit into one call with the conversation.
LARGEST_ATTACHMENTS = 24_000_000
LONGEST_NAME = 200
MOST_FALLBACKS = 8
DEFAULT_PAGE = 20
LARGEST_PAGE = 100


def check_send(send: Send, longest: int) -> None:
    """Check a send; `longest` is the limit of its content in characters."""
    check_content(send.content, longest)
    if send.chat_id:
        check_chat_id(send.chat_id)
    check_name("provider", send.choice.provider)
    check_name("model", send.choice.model)
    check_name("system_prompt_id", send.prompt_id)
    temperature = send.temperature
    require(
        temperature is None or (math.isfinite(temperature) and 0 <= temperature <= 2),
        "temperature",
        "must be between 0 and 2",
    )
    require(send.max_tokens is None or send.max_tokens >= 1, "max_tokens", "must be 1 or more")
    check_fallbacks(send)
    check_attachments(send)
    if send.idempotency_key:
        require(
            IDEMPOTENCY_KEY.fullmatch(send.idempotency_key) is not None,
            "idempotency_key",
            "must be at most 255 visible ASCII characters",
        )


def check_content(content: str, longest: int) -> None:
    """Check the words of a message."""
    require(bool(content) and not content.isspace(), "content", "must not be blank")
    require(len(content) <= longest, "content", f"must be at most {longest} characters")
    check_text("content", content)


def check_chat_id(chat_id: str) -> None:
    """Check the name of a chat."""
    require(
        CHAT_ID.fullmatch(chat_id) is not None,
        "chat_id",
        "must be 1 to 50 of the characters A-Z a-z 0-9 _ -",
    )


def check_name(field: str, name: str) -> None:
    """Check the name of something that may be left out."""
    require(len(name) <= LONGEST_NAME, field, f"must be at most {LONGEST_NAME} characters")
    check_text(field, name)


def check_text(field: str, text: str) -> None:
    """Check that a text can be stored."""
    require("\0" not in text, field, "must not contain NUL")


def check_fallbacks(send: Send) -> None:
    """Check who is asked instead; whether they exist is for the provider service to say."""
    choices = send.fallbacks
    require(len(choices) <= MOST_FALLBACKS, "fallbacks", f"must be at most {MOST_FALLBACKS}")
    for index, choice in enumerate(choices):
        field = f"fallbacks[{index}]"
        require(bool(choice.provider), f"{field}.provider", "must not be empty")
        check_name(f"{field}.provider", choice.provider)
        check_name(f"{field}.model", choice.model)


def check_attachments(send: Send) -> None:
    """Check the files of a send."""
    files = send.attachments
    require(len(files) <= MOST_ATTACHMENTS, "attachments", f"must be at most {MOST_ATTACHMENTS}")
    for index, attachment in enumerate(files):
        check_attachment(f"attachments[{index}]", attachment)
    size = sum(attachment.info.size for attachment in files)
    require(
        size <= LARGEST_ATTACHMENTS,
        "attachments",
        f"must be at most {LARGEST_ATTACHMENTS} bytes together",
    )


def check_attachment(field: str, attachment: Attachment) -> None:
    """Check one file."""
    info = attachment.info
    check_name(f"{field}.name", info.name)
    require(
        info.media_type in MEDIA_TYPES,
        f"{field}.media_type",
        f"must be one of {', '.join(MEDIA_TYPES)}",
    )
    require(
        1 <= info.size <= LARGEST_ATTACHMENT,
        f"{field}.data",
        f"must be 1 to {LARGEST_ATTACHMENT} bytes",
    )


def page_size(asked: int) -> int:
    """Return the size of a page; 0 asks for the default."""
    require(0 <= asked <= LARGEST_PAGE, "page_size", f"must be between 1 and {LARGEST_PAGE}")
    return asked or DEFAULT_PAGE


def require(kept: bool, field: str, rule: str) -> None:
    """Raise InvalidArgument unless the rule is kept."""
    if not kept:
        raise InvalidArgument.of(field, rule)


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
