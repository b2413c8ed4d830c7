"""Every reply ends, in one way; what is deleted stays gone."""

from __future__ import annotations

from collections.abc import Iterator

from parley_tests.checker.history import DOUBT, Act, ChatLog
from parley_tests.checker.rules.world import Violation, World

ENDINGS = {"complete", "stopped", "failed", "interrupted"}


def every_reply_ended(world: World) -> Iterator[Violation]:
    """No reply is running, and each ended in one of four ways."""
    for row in world.replies:
        if row["status"] not in ENDINGS:
            what = f"{row['message_id']} is {row['status']}"
            yield Violation("every_reply_ended", world.name_of(row), what)


def no_piece_is_left(world: World) -> Iterator[Violation]:
    """The pieces of a reply are gone when it has ended."""
    for row in world.found.events:
        reply = world.rows.get(row["message_id"])
        status = reply["status"] if reply else "not stored"
        what = f"{row['message_id']} ({status}) has {row['pieces']} pieces"
        yield Violation("no_piece_is_left", world.name_of(reply) if reply else None, what)


def stopped_only_on_request(world: World) -> Iterator[Violation]:
    """A reply is `stopped` when its user stopped it or deleted its chat, and not otherwise."""
    for row in world.replies:
        known = world.ask_of(row)
        if row["status"] != "stopped" or known is None:
            continue
        chat, sent, _ = known
        if not any(act.what == "stop" for act in sent.acts) and not chat.deletions:
            what = f"{row['message_id']} was stopped by nobody"
            yield Violation("stopped_only_on_request", chat.name, what)


def stop_is_answered(world: World) -> Iterator[Violation]:
    """A stop answers 200 with the message, whose ending stays what it says."""
    for chat, sent in world.sends():
        for act in sent.acts:
            what = None if chat.deletions or "stop" in world.history.missing else _odd(world, act)
            if what:
                yield Violation("stop_is_answered", chat.name, f"{act.message_id} {what}")


def deleted_stays_gone(world: World) -> Iterator[Violation]:
    """A deleted chat is not found, and nothing of it reappears under its name."""
    for chat in world.history.chats:
        deleted_at = chat.deleted_at
        if deleted_at is None:
            continue
        read = world.found.chats[chat.name]
        doubtful = any(_may_come_late(sent.outcome, sent.acked, deleted_at) for sent in chat.sends)
        if read.status != 404 and not doubtful:
            yield Violation("deleted_stays_gone", chat.name, f"answers {read.status}")
        shown = {message.content for message in read.messages or []}
        for sent in chat.sends:
            before = sent.acked is not None and sent.acked < deleted_at
            if before and sent.send.ask.message in shown:
                yield Violation("deleted_stays_gone", chat.name, f"{sent.send.ask.mark} reappeared")
        yield from _read_after(chat)


def _may_come_late(outcome: str, acked: float | None, deleted_at: float) -> bool:
    return outcome == DOUBT or (acked is not None and acked >= deleted_at)


def _read_after(chat: ChatLog) -> Iterator[Violation]:
    """What was read between the answer to a deletion and the next message."""
    ended = min(act.ended for act in chat.deletions if act.done)
    for read in chat.reads:
        if read.began > ended and read.status == 200:
            yield Violation("deleted_stays_gone", chat.name, "was read after it was deleted")


def _odd(world: World, act: Act) -> str | None:
    row = world.row_of(act.message_id)
    if act.status >= 500 or act.status == 0 or row is None:
        return None
    if act.status != 200 or not act.answer:
        return f"stop: {act.status} {act.reason}"
    told = act.answer.get("status")
    if told in ENDINGS and told != row["status"]:
        return f"stop told {told}, is {row['status']}"
    return None


RULES = (
    every_reply_ended,
    no_piece_is_left,
    stopped_only_on_request,
    stop_is_answered,
    deleted_stays_gone,
)
