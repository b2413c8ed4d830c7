"""Contracts ⇄ HTTP: names, words, money and times."""

from __future__ import annotations

import base64
import contextlib
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from google.protobuf.timestamp_pb2 import Timestamp
from parley_rpc.faults import Fault, InvalidArgument, Violation

from parley.chat.v1 import chat_pb2
from parley.prompt.v1 import prompt_pb2
from parley.provider.v1 import reply_pb2, usage_pb2
from parley_gateway.api.schemas import chats, prompts
from parley_gateway.core import model

NANO = 10**9
# Where a contract's list of choices may stand, down to a part of one, which is one string here.
CHOICE_FIELD = re.compile(r"^fallbacks(?:\.choices)?(\[\d+\])?(?:\..*)?$")
Words = Mapping[int, str]
# What carries a usage and a cost, each perhaps.
Counted = chat_pb2.Message | usage_pb2.UsageRecord | usage_pb2.Attempt


def words(enum: Any, prefix: str) -> Words:
    """Return the words that HTTP has for an enum's values: `FINISH_REASON_STOP` is `stop`."""
    return {number: name.removeprefix(prefix).lower() for name, number in enum.items() if number}


ROLES = words(reply_pb2.Role, "ROLE_")
FINISH_REASONS = words(reply_pb2.FinishReason, "FINISH_REASON_")
USAGE_SOURCES = words(reply_pb2.UsageSource, "USAGE_SOURCE_")
MESSAGE_STATUSES = words(chat_pb2.MessageStatus, "MESSAGE_STATUS_")


def instant(time: Timestamp) -> datetime:
    """Return a time in UTC."""
    return time.ToDatetime(tzinfo=UTC)


def instant_text(time: Timestamp) -> str:
    """Write a time as RFC 3339 has it."""
    return instant(time).isoformat().replace("+00:00", "Z")


def dollars(nano: int) -> str:
    """Write nano-dollars as a decimal number of dollars."""
    whole, fraction = divmod(nano, NANO)
    return f"{whole}.{fraction:09d}".rstrip("0").rstrip(".")


def nano_dollars(amount: str) -> int:
    """Read a decimal number of dollars that has at most nine decimals."""
    whole, _, fraction = amount.partition(".")
    return int(whole) * NANO + int(fraction.ljust(9, "0"))


def usage(of: Counted) -> dict[str, Any] | None:
    """Return the tokens of a message or a call; None when there are none, or not yet."""
    if not of.HasField("usage"):
        return None
    counted = of.usage
    return {
        "input_tokens": counted.input_tokens,
        "output_tokens": counted.output_tokens,
        "cached_input_tokens": counted.cached_input_tokens,
        "reasoning_tokens": counted.reasoning_tokens,
        "source": USAGE_SOURCES.get(counted.source),
    }


def cost(of: Counted) -> dict[str, Any] | None:
    """Return the cost of a message or a call; None when it is unknown."""
    if not of.HasField("cost"):
        return None
    return {
        "amount": dollars(of.cost.nano_usd),
        "currency": "USD",
        "price_version": of.cost.price_version,
    }


def model_choice(text: str) -> reply_pb2.ModelChoice:
    """Read `provider/model`, or `provider` for its default model; a model may hold `/`."""
    provider, _, name = text.partition("/")
    return reply_pb2.ModelChoice(provider=provider, model=name)


def ended(message: chat_pb2.Message) -> dict[str, Any]:
    """Return how a reply ended."""
    return {
        "message_id": message.message_id,
        "status": MESSAGE_STATUSES.get(message.status, "unknown"),
        "finish_reason": FINISH_REASONS.get(message.finish_reason),
        "usage": usage(message),
        "cost": cost(message),
    }


def chat_answer(start: chat_pb2.TurnStart, message: chat_pb2.Message) -> dict[str, Any]:
    """Return a turn that has ended, as `ChatAnswer` has it."""
    return {
        "chat_id": start.chat_id,
        **ended(message),
        "response": message.content,
        "provider": message.provider or start.provider,
        "model": message.model or start.model,
        "created_at": instant_text(message.created_at),
    }


def chat_fields(chat: chat_pb2.Chat) -> dict[str, Any]:
    """Return what is told of a chat."""
    return {
        "chat_id": chat.chat_id,
        "title": chat.title,
        "provider": chat.provider or None,
        "model": chat.model or None,
        "message_count": chat.message_count,
        "created_at": instant(chat.created_at),
        "updated_at": instant(chat.updated_at),
    }


def message(stored: chat_pb2.Message) -> chats.Message:
    """Return a message of a chat."""
    return chats.Message(
        **ended(stored),
        parent_id=stored.parent_id or None,
        sibling_ids=list(stored.sibling_ids),
        seq=stored.seq,
        role=ROLES.get(stored.role, "unknown"),
        content=stored.content,
        reasoning=stored.reasoning or None,
        provider=stored.provider or None,
        model=stored.model or None,
        prompt_version=stored.prompt_version or None,
        tool_calls=[
            chats.ToolCall(tool_call_id=call.tool_call_id, name=call.name, arguments=call.arguments)
            for call in stored.tool_calls
        ],
        created_at=instant(stored.created_at),
    )


def prompt(stored: prompt_pb2.Prompt) -> prompts.Prompt:
    """Return a prompt."""
    return prompts.Prompt(
        prompt_id=stored.prompt_id,
        name=stored.name,
        content=stored.content,
        description=stored.description,
        version=stored.version,
        is_active=stored.is_active,
        shared=stored.shared,
        created_at=instant(stored.created_at),
        updated_at=instant(stored.updated_at),
    )


def active_prompt(stored: prompt_pb2.Prompt) -> prompts.ActivePrompt:
    """Return the active prompt."""
    return prompts.ActivePrompt(
        prompt=stored.content,
        prompt_id=stored.prompt_id,
        name=stored.name,
        version=stored.version,
    )


def page_token(place: model.Place) -> str:
    """Write a place in a list, opaque to the caller."""
    text = f"{place.created_at.isoformat()} {place.id}"
    return base64.urlsafe_b64encode(text.encode()).decode()


def place(token: str, is_id: Callable[[str], bool]) -> model.Place | None:
    """Read what `page_token` wrote; None for the beginning; InvalidArgument for anything else."""
    if not token:
        return None
    try:
        text = base64.b64decode(token.encode(), altchars=b"-_", validate=True).decode()
        time, _, name = text.partition(" ")
        found = model.Place(datetime.fromisoformat(time).astimezone(UTC), name)
    except (ValueError, OverflowError):
        found = model.Place(datetime.now(UTC), "")
    if not is_id(found.id):
        raise InvalidArgument.of("page_token", "It is not one of ours.")
    return found


def is_uuid(text: str) -> bool:
    """Say whether a text is a UUID."""
    try:
        UUID(text)
    except ValueError:
        return False
    return True


@contextlib.contextmanager
def naming(**names: str) -> Iterator[None]:
    """Blame fields by the names that they have in HTTP: `naming(content="message")`."""
    try:
        yield
    except Fault as fault:
        fault.violations = tuple(
            Violation(named(blamed.field, names), blamed.description) for blamed in fault.violations
        )
        raise


def named(field: str, names: Mapping[str, str]) -> str:
    """Return the name in HTTP of a contract's field."""
    return CHOICE_FIELD.sub(r"fallbacks\1", names.get(field, field))
