"""The pieces of a reply, as they come and as they are stored."""

from __future__ import annotations

import random

import pytest
from parley_chat_service.adapters.store.rows import spans_column, spans_of
from parley_chat_service.core.calls import CALL_OVERHEAD, LARGEST_CALLS
from parley_chat_service.core.faults import ToolCallsTooLarge
from parley_chat_service.core.model import ToolCall
from parley_chat_service.core.outline import LARGEST_METADATA, MOST_SPANS, Kind, Span
from parley_chat_service.core.running import RunningTurn
from parley_chat_service.core.turn import CallDelta
from uuid_utils.compat import uuid7

from .fakes import Step, Thought, Wanted

pytestmark = pytest.mark.unit

TEXT, REASONING, CALL = Kind.TEXT, Kind.REASONING, Kind.CALL


def taken_in(*script: Step) -> RunningTurn:
    turn = RunningTurn(uuid7(), lambda _: None, watched=True)
    for step in script:
        if isinstance(step, Wanted):
            turn.attach(*step)
        elif isinstance(step, Thought):
            turn.reasoning(str(step))
        elif isinstance(step, CallDelta):
            turn.call(step)
        else:
            turn.text(str(step))
    turn.take()
    return turn


def folded(script: list[Step]) -> list[tuple[Kind, str, bytes]]:
    """Add up a reply as plugins do: neighbours of a kind are one piece, up to its metadata."""
    pieces: list[tuple[Kind, str, bytes]] = []
    for step in script:
        if isinstance(step, Wanted):
            kind, text, metadata = step.kind, "", step.metadata
        else:
            kind = REASONING if isinstance(step, Thought) else TEXT
            text, metadata = str(step).replace("\0", ""), b""
        if pieces and pieces[-1][0] is kind and not pieces[-1][2]:
            kind, before, _ = pieces.pop()
            text = before + text
        pieces.append((kind, text, metadata))
    return [piece for piece in pieces if piece[1] or piece[2]]


def cut(turn: RunningTurn) -> list[tuple[Kind, str, bytes]]:
    """Cut the text of a reply by its pieces."""
    rest = {
        TEXT: "".join(piece.text for piece in turn.pieces),
        REASONING: "".join(piece.reasoning for piece in turn.pieces),
    }
    pieces = []
    for kind, length, metadata in turn.spans:
        pieces.append((kind, rest[kind][:length], metadata))
        rest[kind] = rest[kind][length:]
    assert ["", ""] == list(rest.values())
    return pieces


def test_a_reply_without_metadata_has_no_pieces() -> None:
    assert () == taken_in(Thought("Hm."), "Hello", Wanted(TEXT, b"")).spans


def test_pieces_end_where_another_kind_begins_or_with_their_metadata() -> None:
    turn = taken_in("a", Thought("bc"), Wanted(REASONING, b"1"), "de", "f", Wanted(TEXT, b"2"), "g")

    assert (
        Span(TEXT, 1), Span(REASONING, 2, b"1"), Span(TEXT, 3, b"2"), Span(TEXT, 1),
    ) == turn.spans  # fmt: skip


def test_a_piece_may_be_nothing_but_metadata() -> None:
    turn = taken_in(Wanted(REASONING, b"1"), Wanted(REASONING, b"2"), "a", Wanted(REASONING, b"3"))

    assert (
        Span(REASONING, 0, b"1"), Span(REASONING, 0, b"2"), Span(TEXT, 1), Span(REASONING, 0, b"3"),
    ) == turn.spans  # fmt: skip


def test_pieces_count_what_is_stored_however_it_comes() -> None:
    dice = random.Random(11)  # noqa: S311  (a repeatable choice of chunks, no secret)
    for _ in range(200):
        script: list[Step] = [Wanted(TEXT, b"x")]
        turn = taken_in(*script)
        for _ in range(dice.randrange(1, 30)):
            step = dice.choice([str, Thought])("".join(dice.choices("a漢🏴\u200d\0", k=3)))
            wanted = Wanted(dice.choice([TEXT, REASONING]), dice.choice([b"", b"{}"]))
            options: list[Step] = [step, step, wanted]
            chosen = dice.choice(options)
            if isinstance(chosen, Wanted):
                turn.attach(*chosen)
            elif isinstance(chosen, Thought):
                turn.reasoning(str(chosen))
            else:
                turn.text(str(chosen))
            if chosen != Wanted(wanted.kind, b""):
                script.append(chosen)
            if not dice.randrange(3):
                turn.take()
        turn.take()

        assert joined(folded(script)) == joined(cut(turn))


def joined(pieces: list[tuple[Kind, str, bytes]]) -> list[tuple[Kind, str, bytes]]:
    """Join neighbours that only a delta without text has parted."""
    whole: list[tuple[Kind, str, bytes]] = []
    for kind, text, metadata in pieces:
        if whole and whole[-1][0] is kind and not whole[-1][2]:
            whole[-1] = kind, whole[-1][1] + text, metadata
        else:
            whole.append((kind, text, metadata))
    return whole


@pytest.mark.parametrize(("size", "kept"), [(LARGEST_METADATA, 2), (LARGEST_METADATA + 1, 0)])
def test_too_much_metadata_is_given_up_as_a_whole(size: int, kept: int) -> None:
    turn = taken_in(Wanted(REASONING, b"x"), Wanted(TEXT, bytes(size - 1)), "a")

    assert kept == len([span for span in turn.spans if span.metadata])
    assert ("size" if not kept else "", size) == (turn.outline.given_up, turn.outline.size)


def test_too_many_pieces_are_given_up_as_a_whole() -> None:
    turn = taken_in(Wanted(TEXT, b"x"), *[Thought("a"), "b"] * (MOST_SPANS // 2), "c")

    assert ((), "pieces") == (turn.spans, turn.outline.given_up)


def test_calls_stand_among_the_pieces_in_the_order_in_which_they_began() -> None:
    turn = taken_in(
        Thought("a"), "b", CallDelta(0, "1", "look"), CallDelta(1, "2", "look"),
        CallDelta(0, metadata=b"x"), "cd", CallDelta(1, metadata=b"y"),
    )  # fmt: skip

    assert (
        Span(REASONING, 1), Span(TEXT, 1), Span(CALL, 1, b"x"), Span(CALL, 1, b"y"), Span(TEXT, 2),
    ) == turn.spans  # fmt: skip


def test_calls_stay_when_metadata_is_given_up() -> None:
    turn = taken_in(CallDelta(0, "1", "look", metadata=bytes(LARGEST_METADATA + 1)), "a")

    assert ((), "size") == (turn.spans, turn.outline.given_up)
    assert (ToolCall("1", "look", ""),) == turn.calls.whole("tool")


@pytest.mark.parametrize(
    ("reason", "kept"), [("tool", 3), ("stop", 3), ("length", 1), ("filtered", 1), ("refusal", 1)]
)
def test_a_reply_that_was_cut_keeps_no_half_call(reason: str, kept: int) -> None:
    turn = taken_in(
        CallDelta(0, "1", "look", '{"a": '), CallDelta(1, "2", "look"), CallDelta(0, "", "", "1}"),
        CallDelta(2, "3", "look", '{"a": "'),
    )  # fmt: skip

    calls = turn.calls.whole(reason)

    assert kept == len(calls)
    assert ToolCall("1", "look", '{"a": 1}') == calls[0]


def test_calls_have_an_end() -> None:
    turn = taken_in(CallDelta(0, "1", "look", "x" * (LARGEST_CALLS - CALL_OVERHEAD - 5)))

    with pytest.raises(ToolCallsTooLarge):
        turn.call(CallDelta(0, "", "", "x"))
    with pytest.raises(ToolCallsTooLarge):
        taken_in(*(CallDelta(index) for index in range(LARGEST_CALLS // CALL_OVERHEAD + 1)))


@pytest.mark.parametrize(
    "spans",
    [
        (Span(TEXT, 3, b"{}"),),
        (Span(REASONING, 0, b"\n\0\xff["), Span(TEXT, 2), Span(REASONING, 10**6, b"[]\n")),
        (Span(TEXT, 1), Span(CALL, 1, b"{}"), Span(CALL, 1)),
    ],
)
def test_pieces_are_stored_and_read(spans: tuple[Span, ...]) -> None:
    assert spans == spans_of(spans_column(spans))


def test_no_pieces_are_stored_as_nothing() -> None:
    assert b"" == spans_column(())
