"""One order for everybody, without gaps, and in agreement with the clock."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import pairwise
from uuid import UUID

from parley_tests.checker.history import ChatLog, Read, Seen
from parley_tests.checker.rules.world import Row, Violation, World, start_of


def seq_is_gap_free(world: World) -> Iterator[Violation]:
    """The messages of a chat are numbered from 1 without a gap, and the chat knows how many."""
    for rows in world.by_chat.values():
        numbers = [row["seq"] for row in rows]
        counts = {rows[0]["message_count"], rows[0]["last_seq"]}
        if numbers != list(range(1, len(rows) + 1)) or counts != {len(rows)}:
            what = f"numbers {numbers}, counts {counts}"
            yield Violation("seq_is_gap_free", world.name_of(rows[0]), what)


def reply_follows_message(world: World) -> Iterator[Violation]:
    """Messages and replies take turns, each the child of the one before."""
    for rows in world.by_chat.values():
        wrong = rows[0]["parent_id"] is not None or rows[-1]["role"] != "assistant"
        for before, after in pairwise(rows):
            roles = before["role"], after["role"]
            fits = roles in {("user", "assistant"), ("assistant", "user")}
            wrong |= not fits or after["parent_id"] != before["message_id"]
        if wrong:
            what = str([(row["seq"], row["role"], str(row["parent_id"])) for row in rows])
            yield Violation("reply_follows_message", world.name_of(rows[0]), what)


def real_time_order(world: World) -> Iterator[Violation]:
    """What was acknowledged before another was sent has the lower number."""
    for rows in world.by_chat.values():
        first_ack = float("inf")
        for row in reversed([row for row in rows if row["role"] == "user"]):
            known = world.asks.get(row["content"])
            if known is None:
                continue
            sent = known[1]
            if first_ack < sent.began:
                what = f"{sent.send.ask.mark} is before what was acknowledged earlier"
                yield Violation("real_time_order", world.name_of(row), what)
            if sent.acked is not None:
                first_ack = min(first_ack, sent.acked)


def readers_agree_with_tables(world: World) -> Iterator[Violation]:
    """At the end a history is what is stored, message by message."""
    live: dict[tuple[UUID, str], list[Row]] = {
        (rows[0]["owner_id"], rows[0]["chat_id"]): rows
        for rows in world.by_chat.values()
        if not rows[0]["deleted"]
    }
    for chat in world.history.chats:
        read = world.found.chats[chat.name]
        rows = live.get((world.owner(chat), chat.session.chat_id), [])
        if read.status not in {200, 404}:
            yield Violation("readers_agree_with_tables", chat.name, f"{read.status} {read.reason}")
        elif [_told(m) for m in read.messages or []] != [_kept(row) for row in rows]:
            yield Violation("readers_agree_with_tables", chat.name, "shows what is not stored")


def earlier_reads_hold(world: World) -> Iterator[Violation]:
    """What a history once showed stays: the same messages, and all that had ended unchanged."""
    for chat in world.history.chats:
        for read in chat.reads:
            if read.messages is None or chat.deletions:
                continue
            final = world.found.chats[chat.name].messages or []
            for what in _changes(read.messages, final):
                yield Violation("earlier_reads_hold", chat.name, what)


def reads_see_what_was_acknowledged(world: World) -> Iterator[Violation]:
    """A history shows every message that was acknowledged before it was asked for."""
    for chat in world.history.chats:
        for read in chat.reads:
            if chat.deletions or read.status not in {200, 404}:
                continue
            yield from _missing(chat, read)


def _missing(chat: ChatLog, read: Read) -> Iterator[Violation]:
    shown = {message.content for message in read.messages or []}
    for sent in chat.sends:
        known = sent.acked is not None and sent.acked < read.began
        if known and sent.send.ask.message not in shown:
            what = f"{sent.send.ask.mark} was acknowledged and not shown ({read.status})"
            yield Violation("reads_see_what_was_acknowledged", chat.name, what)


def _changes(earlier: list[Seen], final: list[Seen]) -> Iterator[str]:
    if [m.message_id for m in earlier] != [m.message_id for m in final[: len(earlier)]]:
        yield "shows other messages than before"
        return
    for before, after in zip(earlier, final, strict=False):
        if before.status != "running" and _told(before) != _told(after):
            yield f"{before.message_id} had ended and changed"
        if not after.content.startswith(before.content):
            yield f"{before.message_id} lost {start_of(before.content)}"
        if not after.reasoning.startswith(before.reasoning):
            yield f"{before.message_id} lost reasoning"


def _told(message: Seen) -> tuple[object, ...]:
    return (
        message.message_id,
        message.parent_id,
        message.seq,
        message.role,
        message.status,
        message.content,
        message.reasoning,
    )


def _kept(row: Mapping[str, object]) -> tuple[object, ...]:
    parent = row["parent_id"]
    return (
        str(row["message_id"]),
        str(parent) if parent else None,
        row["seq"],
        row["role"],
        row["status"],
        row["content"],
        row["reasoning"],
    )


RULES = (
    seq_is_gap_free,
    reply_follows_message,
    real_time_order,
    readers_agree_with_tables,
    earlier_reads_hold,
    reads_see_what_was_acknowledged,
)
