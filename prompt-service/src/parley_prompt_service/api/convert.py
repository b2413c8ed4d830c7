"""Between the contract's messages and the core's values."""

from __future__ import annotations

import base64
from uuid import UUID

from google.protobuf.timestamp_pb2 import Timestamp
from parley_rpc.context import Caller
from parley_rpc.faults import InvalidArgument, Unauthenticated

from parley.prompt.v1 import prompt_pb2 as pb
from parley_prompt_service.core.model import Position, Prompt

DEFAULT_PAGE_SIZE = 20
MAX_PAGE_SIZE = 100


def owner_of(caller: Caller) -> UUID:
    """Read whose prompts a call is about."""
    try:
        return UUID(caller.user_id)
    except ValueError:
        raise Unauthenticated("The user context names no user by a UUID.") from None


def to_prompt(prompt: Prompt) -> pb.Prompt:
    """Write a prompt."""
    written = pb.Prompt(
        prompt_id=prompt.prompt_id,
        name=prompt.name,
        content=prompt.content,
        description=prompt.description,
        version=prompt.version,
        is_active=prompt.is_active,
        shared=prompt.shared,
        created_at=Timestamp(),
        updated_at=Timestamp(),
    )
    written.created_at.FromDatetime(prompt.created_at)
    written.updated_at.FromDatetime(prompt.updated_at)
    return written


def page_size(asked: int) -> int:
    """Read how many prompts a page may have."""
    if not 0 <= asked <= MAX_PAGE_SIZE:
        raise InvalidArgument.of("page_size", f"must be from 1 to {MAX_PAGE_SIZE}, or 0")
    return asked or DEFAULT_PAGE_SIZE


def to_token(position: Position | None) -> str:
    """Write a place in the list as an opaque token; empty at its end."""
    if position is None:
        return ""
    place = f"{position.prompt_id}\0{position.sort_name}"
    return base64.urlsafe_b64encode(place.encode()).decode()


def from_token(token: str) -> Position | None:
    """Read a place in the list; InvalidArgument when the token is not one of ours."""
    if not token:
        return None
    try:
        place = base64.b64decode(token, altchars=b"-_", validate=True).decode()
        prompt_id, sort_name = place.split("\0")
    except ValueError:
        raise InvalidArgument.of("page_token", "is not one that a former answer gave") from None
    return Position(sort_name, prompt_id)
