"""What was shown is what is stored, and what is stored is what the vendor said."""

from __future__ import annotations

from collections.abc import Iterator

from parley_tests.checker.history import View
from parley_tests.checker.reading import GAVE_UP
from parley_tests.checker.rules.world import Row, Violation, World, start_of

# How a reply is stored whose caller was told this instead of its end.
TOLD = {"turn_interrupted": "interrupted", "overloaded": "failed", "bad_request": "failed"}


UNFOUND = {"chat_not_found", "message_not_found"}


def text_is_the_vendors(world: World) -> Iterator[Violation]:
    """A reply is a beginning of what the vendor says to its message; whole when it is complete."""
    for row in world.replies:
        known = world.ask_of(row)
        if known is None:
            continue
        ask = known[2]
        for name, whole in (("content", ask.text), ("reasoning", ask.reasoning)):
            if not whole.startswith(row[name]):
                what = f"{row['message_id']}: {name} {start_of(row[name])}"
                yield Violation("text_is_the_vendors", world.name_of(row), what)
            elif row["status"] == "complete" and row[name] != whole:
                what = f"{row['message_id']} is complete without the whole {name}"
                yield Violation("text_is_the_vendors", world.name_of(row), what)
        if row["status"] == "complete" and ask.status != "complete":
            what = f"{row['message_id']} is complete; its vendor failed"
            yield Violation("text_is_the_vendors", world.name_of(row), what)


def shown_is_stored(world: World) -> Iterator[Violation]:
    """What any reader saw, from wherever it began, stands in the store at that place."""
    for chat, sent in world.sends():
        for view in sent.views:
            row = world.row_of(view.message_id)
            if row is not None:
                for what in _unstored(view, row):
                    yield Violation("shown_is_stored", chat.name, f"{view.message_id} {what}")


def positions_are_true(world: World) -> Iterator[Violation]:
    """Every event id is the place behind all that was sent."""
    for chat, sent in world.sends():
        for view in sent.views:
            if view.misplaced:
                what = f"{view.message_id}: {view.misplaced[0]}"
                yield Violation("positions_are_true", chat.name, what)


def end_is_final(world: World) -> Iterator[Violation]:
    """What a reader was told as the end is what is stored, to the last character."""
    for chat, sent in world.sends():
        for view in sent.views:
            row = world.row_of(view.message_id)
            if row is not None:
                for what in _unlike_the_end(view, row):
                    yield Violation("end_is_final", chat.name, f"{view.message_id} {what}")
        for attempt in sent.of_own_body:
            row = world.row_of(attempt.message_id)
            told = TOLD.get(attempt.reason)
            if row is not None and told and row["status"] != told:
                what = f"{attempt.message_id} told {attempt.reason}, is {row['status']}"
                yield Violation("end_is_final", chat.name, what)


def replies_can_be_followed(world: World) -> Iterator[Violation]:
    """Who was told of a reply can read it from any place, at any gateway, to its end."""
    for chat, sent in world.sends():
        for view in sent.views:
            lost = view.via == "resume" and view.problem in UNFOUND and not chat.deletions
            if lost or view.broken == GAVE_UP:
                what = f"{view.message_id} after {view.at}: {view.problem or view.broken}"
                yield Violation("replies_can_be_followed", chat.name, what)


def _unstored(view: View, row: Row) -> Iterator[str]:
    thought, said = view.at
    if row["content"][said : said + len(view.text)] != view.text:
        shown, kept = start_of(view.text), start_of(row["content"])
        yield f"({view.via}) showed at {said} {shown}; stored: {kept}"
    reasoning = view.reasoning or ""
    if row["reasoning"][thought : thought + len(reasoning)] != reasoning:
        yield f"({view.via}) showed other reasoning than is stored"


def _unlike_the_end(view: View, row: Row) -> Iterator[str]:
    told = TOLD.get(view.problem)
    if told and row["status"] != told:
        yield f"told {view.problem}, is {row['status']}"
    if not view.end:
        return
    if view.end["status"] != row["status"]:
        yield f"ended {view.end['status']}, is {row['status']}"
    if view.at[1] + len(view.text) != len(row["content"]):
        yield f"ended at {view.at[1] + len(view.text)} of {len(row['content'])} characters"
    if view.reasoning is not None and view.at[0] + len(view.reasoning) != len(row["reasoning"]):
        yield f"ended at {view.at[0] + len(view.reasoning)} of {len(row['reasoning'])} of reasoning"
    usage = view.end.get("usage")
    if usage and usage["output_tokens"] != row["output_tokens"]:
        yield f"ended with {usage}, has {row['output_tokens']}"


RULES = (
    text_is_the_vendors,
    shown_is_stored,
    positions_are_true,
    end_is_final,
    replies_can_be_followed,
)
