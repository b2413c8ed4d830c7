"""The ledger equals the messages, and its sums equal its rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any
from uuid import UUID

from parley_tests.checker.rules.world import Row, Violation, World

TOKENS = ("input_tokens", "output_tokens", "cached_input_tokens", "reasoning_tokens")
# What a service had made since it last noted it, when it was killed, is nobody's debt.
ESTIMATED = "interrupted"


def nothing_is_held(world: World) -> Iterator[Violation]:
    """Every call is settled."""
    for row in world.found.ledger.values():
        if row["status"] != "settled":
            reply = world.rows.get(row["usage_id"])
            what = f"{row['usage_id']} is {row['status']} since {row['started_at']}"
            chat = world.name_of(reply) if reply else None
            yield Violation("nothing_is_held", chat, what)


def every_charge_has_a_reply(world: World) -> Iterator[Violation]:
    """A row of the ledger belongs to a reply of the same user."""
    for row in world.found.ledger.values():
        reply = world.rows.get(row["usage_id"])
        if reply is None or reply["role"] != "assistant" or reply["owner_id"] != row["owner_id"]:
            yield Violation("every_charge_has_a_reply", None, f"{row['usage_id']} has no reply")


def every_text_has_a_charge(world: World) -> Iterator[Violation]:
    """A reply with text has a row, and one with output when its service lived to count it."""
    for reply in world.replies:
        if not reply["content"] and not reply["reasoning"]:
            continue
        row = world.found.ledger.get(reply["message_id"])
        if row is None:
            what = f"{reply['message_id']} ({reply['status']}) has no row"
        elif not row["output_tokens"] and row["outcome"] != ESTIMATED:
            what = f"{reply['message_id']} ({reply['status']}) is free: {_short(row)}"
        else:
            continue
        yield Violation("every_text_has_a_charge", world.name_of(reply), what)


def usage_equals_ledger(world: World) -> Iterator[Violation]:
    """The usage and the cost of a reply are those of its row, and told once they are known."""
    for reply in world.replies:
        row = world.found.ledger.get(reply["message_id"])
        untold = reply["usage_source"] is None
        if row is None:
            if not untold:
                what = f"{reply['message_id']} has usage and no row"
                yield Violation("usage_equals_ledger", world.name_of(reply), what)
        elif untold:
            if row["source"] is not None and not reply["deleted"]:
                what = f"{reply['message_id']} ({reply['status']}) tells nothing of {_short(row)}"
                yield Violation("usage_equals_ledger", world.name_of(reply), what)
        elif _figures(reply) != _figures(row) or reply["usage_source"] != row["source"]:
            what = f"{reply['message_id']} tells {_figures(reply)}, the ledger {_short(row)}"
            yield Violation("usage_equals_ledger", world.name_of(reply), what)


def sums_equal_rows(world: World) -> Iterator[Violation]:
    """The sums by day are those of the settled rows, for each user."""
    sums: dict[UUID, Counter[str]] = {}
    for row in world.found.ledger.values():
        if row["status"] == "settled":
            total = sums.setdefault(row["owner_id"], Counter())
            total.update({name: row[name] for name in TOKENS})
            total.update(requests=1, cost_nano_usd=row["cost_nano_usd"] or 0)
    for owner in sums.keys() | world.found.days.keys():
        day: dict[str, Any] = dict(world.found.days.get(owner, {}))
        day.pop("owner_id", None)
        if Counter(day) != sums.get(owner, Counter()):
            yield Violation("sums_equal_rows", None, f"{owner}: {day}, rows {sums.get(owner)}")


def routes_tell_the_ledger(world: World) -> Iterator[Violation]:
    """`GET /usage/records` tells every row of the ledger, once and as it is."""
    told = Counter(record["usage_id"] for record in world.found.records)
    for record in world.found.records:
        row = world.found.ledger.get(UUID(record["usage_id"]))
        if row is None or told[record["usage_id"]] != 1 or not _alike(record, row):
            yield Violation("routes_tell_the_ledger", None, f"{record['usage_id']} is told wrongly")
    ours = {
        str(key) for key, row in world.found.ledger.items() if row["owner_id"] in world.found.owners
    }
    for usage_id in sorted(ours - told.keys()):
        yield Violation("routes_tell_the_ledger", None, f"{usage_id} is not told")


def _alike(record: Row, row: Row) -> bool:
    usage = record["usage"]
    same = not usage or usage["output_tokens"] == row["output_tokens"]
    return bool(same and record["settled"] == (row["status"] == "settled"))


def _figures(row: Row) -> tuple[Any, ...]:
    return (*(row[name] for name in TOKENS), row["cost_nano_usd"])


def _short(row: Row) -> str:
    return f"{row['outcome']} {row['source']} {_figures(row)} {row['output_chars']} characters"


RULES = (
    nothing_is_held,
    every_charge_has_a_reply,
    every_text_has_a_charge,
    usage_equals_ledger,
    sums_equal_rows,
    routes_tell_the_ledger,
)
