"""The rules that requests keep; whoever breaks one is told the field and the rule."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from parley_rpc.faults import InvalidArgument

from parley_chat_service.core.inputs import (
    Blob,
    Call,
    File,
    Part,
    Picture,
    Result,
    Said,
    Text,
    Thought,
    blobs_of,
    parts_of,
    spoken,
    texts_of,
)
from parley_chat_service.core.model import Attachment, Role
from parley_chat_service.core.outline import LARGEST_METADATA
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
# What messages may consist of together; the words of users among them have a limit of their own.
MOST_PARTS = 2_000
MOST_FILES = 100
LONGEST_INPUTS = 5
LONGEST_URL = 8_000
LARGEST_OPTIONS = 2 << 20
# Who may say what.
SAYINGS: Mapping[Role, tuple[type[Part], ...]] = MappingProxyType(
    {
        Role.USER: (Text, Picture, File, Result),
        Role.ASSISTANT: (Text, Thought, Call),
        Role.TOOL: (Result,),
        Role.SYSTEM: (Text,),
        Role.DEVELOPER: (Text,),
    }
)
DEFAULT_PAGE = 20
LARGEST_PAGE = 100


def check_send(send: Send, longest: int) -> None:
    """Check a send; `longest` is the limit of its content in characters."""
    if send.said:
        check_said(send, longest)
    else:
        check_content(send.content, longest)
        check_attachments(send)
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
    check_options(send, longest)
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


def check_said(send: Send, longest: int) -> None:
    """Check a send that came as messages; all they say is limited to some of the longest ones."""
    said = send.said
    parts = list(parts_of(said))
    require(len(parts) <= MOST_PARTS, "input", f"must have at most {MOST_PARTS} parts")
    for index, message in enumerate(said):
        check_message(f"input[{index}]", message)
    heard = parts_of(spoken(said))
    blank = all(isinstance(part, Text) and not part.text.strip() for part in heard)
    require(not blank, "input", "must not be blank")
    check_text("input", send.content)
    rule = f"must have at most {longest} characters that users said"
    require(len(send.content) <= longest, "input", rule)
    size = sum(len(text) for part in parts for text in texts_of(part))
    most = LONGEST_INPUTS * longest
    require(size <= most, "input", f"must have at most {most} characters")
    size = sum(len(part.metadata) for part in parts)
    rule = f"must have at most {LARGEST_METADATA} bytes of metadata"
    require(size <= LARGEST_METADATA, "input", rule)
    check_files([blob for part in parts for blob in blobs_of(part)])


def check_message(field: str, message: Said) -> None:
    """Check one message."""
    require(bool(message.parts), f"{field}.parts", "must not be empty")
    for index, part in enumerate(message.parts):
        place = f"{field}.parts[{index}]"
        rule = f"is nothing that a message with the role {message.role} may hold"
        require(isinstance(part, SAYINGS[message.role]), place, rule)
        if isinstance(part, Call):
            require(bool(part.call.name), f"{place}.tool_call.name", "must not be empty")
        if isinstance(part, Call | Result):
            call_id = part.call.tool_call_id if isinstance(part, Call) else part.tool_call_id
            require(bool(call_id), f"{place}.tool_call_id", "must not be empty")
        for blob in blobs_of(part):
            check_blob(place, blob, pictures=not isinstance(part, File))


def check_blob(field: str, blob: Blob, *, pictures: bool) -> None:
    """Check one file of a message, which nobody here opens."""
    check_name(f"{field}.name", blob.name)
    check_name(f"{field}.media_type", blob.media_type)
    if blob.url:
        is_address = blob.url.startswith(("http://", "https://")) and not blob.size
        rule = "must begin with http:// or https://, and come without data"
        require(is_address and len(blob.url) <= LONGEST_URL, f"{field}.url", rule)
        return
    rule = f"must be one of {', '.join(MEDIA_TYPES)}" if pictures else "must not be empty"
    fits = blob.media_type in MEDIA_TYPES if pictures else bool(blob.media_type)
    require(fits, f"{field}.media_type", rule)
    rule = f"must be 1 to {LARGEST_ATTACHMENT} bytes"
    require(1 <= blob.size <= LARGEST_ATTACHMENT, f"{field}.data", rule)


def check_files(blobs: Sequence[Blob]) -> None:
    """Check the files of all messages together."""
    require(len(blobs) <= MOST_FILES, "input", f"must have at most {MOST_FILES} files")
    size = sum(blob.size for blob in blobs)
    rule = f"must have files of at most {LARGEST_ATTACHMENTS} bytes together"
    require(size <= LARGEST_ATTACHMENTS, "input", rule)


def check_options(send: Send, longest: int) -> None:
    """Check what else a send asks; what it means is for the provider service to say."""
    system, packed, _ = send.options
    require(len(system) <= longest, "options.system", f"must be at most {longest} characters")
    rule = "must be empty with options.system, which takes the prompt's place"
    require(not (system and send.prompt_id), "system_prompt_id", rule)
    rule = f"must be at most {LARGEST_OPTIONS} bytes"
    require(len(packed) <= LARGEST_OPTIONS, "options", rule)


def page_size(asked: int) -> int:
    """Return the size of a page; 0 asks for the default."""
    require(0 <= asked <= LARGEST_PAGE, "page_size", f"must be between 1 and {LARGEST_PAGE}")
    return asked or DEFAULT_PAGE


def require(kept: bool, field: str, rule: str) -> None:
    """Raise InvalidArgument unless the rule is kept."""
    if not kept:
        raise InvalidArgument.of(field, rule)
