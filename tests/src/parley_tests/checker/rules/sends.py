"""Acknowledged once, refused never, in doubt at most once, one key one turn."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from parley_tests.checker.history import DOUBT, FAILED, OK, ChatLog, Sent
from parley_tests.checker.rules.world import Violation, World


def acknowledged_once(world: World) -> Iterator[Violation]:
    """A message whose `start` or answer was seen is there exactly once, for its reader too."""
    for chat, sent in world.sends():
        if sent.outcome != OK:
            continue
        count = len(world.rows_of(chat, sent))
        if count != 1:
            yield _wrong("acknowledged_once", chat, sent, f"is stored {count} times")
        elif not chat.deletions:
            shown = _shown(world, chat, sent)
            if shown != 1:
                yield _wrong("acknowledged_once", chat, sent, f"is shown {shown} times")


def refused_absent(world: World) -> Iterator[Violation]:
    """A message that was refused is nowhere."""
    for chat, sent in world.sends():
        if sent.outcome == FAILED and world.rows_of(chat, sent):
            yield _wrong("refused_absent", chat, sent, "was refused and is stored")


def doubtful_once(world: World) -> Iterator[Violation]:
    """A message in doubt is there at most once."""
    for chat, sent in world.sends():
        count = len(world.rows_of(chat, sent))
        if sent.outcome == DOUBT and count > 1:
            yield _wrong("doubtful_once", chat, sent, f"is stored {count} times")


def one_key_one_turn(world: World) -> Iterator[Violation]:
    """All sends with one key tell of one turn, and of the one that is stored."""
    for chat, sent in world.sends():
        told = {a.message_id for a in sent.of_own_body if a.message_id}
        if len(told) > 1:
            yield _wrong("one_key_one_turn", chat, sent, f"became {len(told)} turns: {told}")
        for message_id in told:
            row = world.row_of(message_id)
            asked = row and world.rows.get(row["parent_id"])
            if asked is None or asked["content"] != sent.send.ask.message:
                yield _wrong("one_key_one_turn", chat, sent, f"has another's reply {message_id}")
        for attempt in sent.of_own_body:
            asked_id = attempt.user_message_id
            if asked_id and asked_id not in {
                str(r["message_id"]) for r in world.rows_of(chat, sent)
            }:
                yield _wrong("one_key_one_turn", chat, sent, f"was told another id {asked_id}")


def key_binds_body(world: World) -> Iterator[Violation]:
    """A key that was used is refused with another body, and nothing of that is stored."""
    for chat, sent in world.sends():
        for attempt in sent.attempts:
            if attempt.body == "same":
                continue
            refused = attempt.status == 422 and attempt.reason == "idempotency_key_reused"
            answered = attempt.outcome in {OK, FAILED}
            if answered and not refused:
                what = f"another body got {attempt.status} {attempt.reason}"
                yield _wrong("key_binds_body", chat, sent, what)
        if world.stored.get((world.owner(chat), f"{sent.send.ask.message} other")):
            yield _wrong("key_binds_body", chat, sent, "another body is stored")


def nothing_unasked(world: World) -> Iterator[Violation]:
    """Nobody has a message that nobody sent there."""
    for row in world.found.messages:
        if row["role"] != "user":
            continue
        known = world.asks.get(row["content"])
        if known is None:
            yield Violation(
                "nothing_unasked", world.name_of(row), f"unknown: {row['content'][:80]}"
            )
            continue
        chat = known[0]
        if (world.owner(chat), chat.session.chat_id) != (row["owner_id"], row["chat_id"]):
            yield Violation(
                "nothing_unasked", world.name_of(row), f"foreign: {row['content'][:80]}"
            )


def keys_point_to_messages(world: World) -> Iterator[Violation]:
    """Every idempotency key stands for a message that exists, and for the one it was sent with."""
    counts = Counter((key["owner_id"], key["key"]) for key in world.found.keys)
    found: dict[Any, Any] = {(key["owner_id"], key["key"]): key for key in world.found.keys}
    for key in world.found.keys:
        if not key["found"]:
            yield Violation("keys_point_to_messages", None, f"{key['key']} stands for nothing")
    for chat, sent in world.sends():
        name = world.owner(chat), sent.send.key
        if not sent.send.key or sent.outcome != OK:
            continue
        rows = world.rows_of(chat, sent)
        row = found.get(name)
        reply = row and world.rows.get(row["message_id"])
        if (
            counts[name] != 1
            or not rows
            or not reply
            or reply["parent_id"] != rows[0]["message_id"]
        ):
            yield _wrong("keys_point_to_messages", chat, sent, "its key does not stand for it")


def _shown(world: World, chat: ChatLog, sent: Sent) -> int:
    read = world.found.chats.get(chat.name)
    messages = (read and read.messages) or []
    return sum(m.role == "user" and m.content == sent.send.ask.message for m in messages)


def _wrong(rule: str, chat: ChatLog, sent: Sent, what: str) -> Violation:
    return Violation(rule, chat.name, f"{sent.send.ask.mark} {what}")


RULES = (
    acknowledged_once,
    refused_absent,
    doubtful_once,
    one_key_one_turn,
    key_binds_body,
    nothing_unasked,
    keys_point_to_messages,
)
