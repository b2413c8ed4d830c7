"""Each rule, held against a run that it must not let pass."""

from __future__ import annotations

from collections.abc import Callable
from uuid import uuid4

import pytest
from parley_tests.checker.aftermath import Quiet
from parley_tests.checker.cluster import Exit
from parley_tests.checker.history import DOUBT, FAILED, OK, Act, Attempt, Read
from parley_tests.checker.rules import RULES, judge

from .worlds import OWNER, Run

pytestmark = pytest.mark.unit

Spoil = Callable[[Run], None]


def lose(run: Run) -> None:
    """An acknowledged turn is gone, as if PostgreSQL had not written it."""
    for row in run.rows(run.chat)[2:]:
        run.messages.remove(row)


def double(run: Run) -> None:
    run.add(run.chat, "user", run.plain.send.ask.message)
    run.add(run.chat, "assistant", run.plain.send.ask.text)


def hide(run: Run) -> None:
    shown = run.read(run.chat, 9.0)
    assert shown.messages
    del shown.messages[2:]
    run.final[run.chat.name] = shown


def refuse(run: Run) -> None:
    run.plain.attempts[0].outcome = FAILED


def doubt_twice(run: Run) -> None:
    run.plain.attempts[0].outcome = DOUBT
    double(run)


def two_turns_of_one_key(run: Run) -> None:
    other = run.streamed.attempts[0].message_id
    again = Attempt(2.5, 0, acked=2.6, outcome=OK, status=200, message_id=other)
    run.plain.attempts.append(again)


def another_user_message(run: Run) -> None:
    run.streamed.attempts[0].user_message_id = str(uuid4())


def take_another_body(run: Run) -> None:
    run.plain.attempts.append(Attempt(2.5, 0, "other", outcome=OK, status=200))


def store_another_body(run: Run) -> None:
    run.add(run.chat, "user", f"{run.plain.send.ask.message} other")


def move_to_another_chat(run: Run) -> None:
    for row in run.rows(run.chat):
        row["chat_id"] = "somebody-elses"


def forget_the_message_of_a_key(run: Run) -> None:
    run.keys[0]["found"] = False


def give_the_key_to_another(run: Run) -> None:
    run.keys[0]["message_id"] = run.rows(run.chat)[3]["message_id"]


def leave_a_gap(run: Run) -> None:
    run.rows(run.chat)[3]["seq"] = 5


def miscount(run: Run) -> None:
    run.rows(run.chat)[0]["message_count"] = 7


def fork(run: Run) -> None:
    run.rows(run.chat)[2]["parent_id"] = None


def swap_with_the_clock(run: Run) -> None:
    run.streamed.attempts[0].acked = 0.5


def tell_other_text(run: Run) -> None:
    shown = run.read(run.chat, 9.0)
    assert shown.messages
    shown.messages[1].content = "other"
    run.final[run.chat.name] = shown


def not_answer(run: Run) -> None:
    run.final[run.chat.name] = Read(9.0, 503, "unavailable")


def change_what_had_ended(run: Run) -> None:
    run.rows(run.chat)[1]["status"] = "interrupted"


def show_less_than_before(run: Run) -> None:
    messages = run.chat.reads[0].messages
    assert messages
    messages[3].content += " more"
    messages[3].status = "running"


def read_too_little(run: Run) -> None:
    messages = run.chat.reads[0].messages
    assert messages
    del messages[2:]


def say_what_the_vendor_did_not(run: Run) -> None:
    run.rows(run.chat)[1]["content"] = "m2w0 m1w1"


def complete_half(run: Run) -> None:
    run.rows(run.chat)[1]["content"] = "m1w0"


def complete_what_failed(run: Run) -> None:
    object.__setattr__(run.plain.send.ask, "kind", "break")
    run.rows(run.chat)[0]["content"] = run.plain.send.ask.message


def lose_what_was_shown(run: Run) -> None:
    row = run.rows(run.chat)[3]
    row["content"], row["status"] = row["content"][:5], "interrupted"


def lose_reasoning(run: Run) -> None:
    row = run.rows(run.chat)[3]
    row["reasoning"], row["status"] = "", "interrupted"


def skip_on_resumption(run: Run) -> None:
    view = run.streamed.views[1]
    view.text = view.text[1:]


def misplace(run: Run) -> None:
    run.streamed.views[0].misplaced.append("0.9 is at 0.10")


def end_early(run: Run) -> None:
    view = run.streamed.views[1]
    view.text = view.text[:-1]


def end_otherwise(run: Run) -> None:
    view = run.streamed.views[1]
    view.end = {"status": "stopped", "usage": None}


def fail_what_is_complete(run: Run) -> None:
    run.plain.attempts[0].reason = "turn_interrupted"


def interrupt_what_is_complete(run: Run) -> None:
    view = run.streamed.views[1]
    view.end, view.problem = None, "turn_interrupted"


def find_no_reply(run: Run) -> None:
    view = run.streamed.views[1]
    view.text, view.end, view.problem = "", None, "message_not_found"


def follow_in_vain(run: Run) -> None:
    view = run.streamed.views[1]
    view.end, view.broken = None, "gave up"


def run_for_ever(run: Run) -> None:
    run.rows(run.chat)[3]["status"] = "running"


def leave_pieces(run: Run) -> None:
    run.events.append({"message_id": run.rows(run.chat)[3]["message_id"], "pieces": 2})


def stop_unasked(run: Run) -> None:
    run.rows(run.chat)[1]["status"] = "stopped"


def stop_and_go_on(run: Run) -> None:
    run.streamed.acts[0].answer = {"status": "stopped"}


def refuse_to_stop(run: Run) -> None:
    stop = run.streamed.acts[0]
    stop.status, stop.reason = 404, "message_not_found"


def reappear(run: Run) -> None:
    run.final[run.gone.name] = run.read(run.gone, 9.0)


def show_after_deletion(run: Run) -> None:
    run.gone.reads.append(run.read(run.gone, 3.0))


def hold(run: Run) -> None:
    next(iter(run.ledger.values()))["status"] = "held"


def charge_for_nothing(run: Run) -> None:
    stray = uuid4()
    run.ledger[stray] = next(iter(run.ledger.values())) | {"usage_id": stray}


def not_charge(run: Run) -> None:
    del run.ledger[run.rows(run.chat)[1]["message_id"]]


def give_away(run: Run) -> None:
    run.ledger[run.rows(run.chat)[1]["message_id"]]["output_tokens"] = 0


def tell_other_usage(run: Run) -> None:
    run.rows(run.chat)[1]["input_tokens"] = 8


def tell_no_cost(run: Run) -> None:
    run.rows(run.chat)[1]["cost_nano_usd"] = None


def tell_no_usage(run: Run) -> None:
    run.rows(run.chat)[1]["usage_source"] = None


def sum_wrongly(run: Run) -> None:
    run.ledger[run.rows(run.chat)[1]["message_id"]]["input_tokens"] += 1


def tell_a_row_twice(run: Run) -> None:
    run.records.append(run.records[0])


def tell_a_row_not(run: Run) -> None:
    del run.records[0]


def die(run: Run) -> None:
    run.exits.append(Exit("gateway0", 1, wanted=False, at=4.0))


def not_come_to_rest(run: Run) -> None:
    run.quiet = Quiet(
        clients_done=1.0, nothing_runs=None, nothing_held=1.0, all_told=1.0, healthy=1.0
    )


def log_a_traceback(run: Run) -> None:
    run.trouble.append("1 x chat: Traceback")


SPOILT: list[tuple[str, Spoil]] = [
    ("acknowledged_once", lose),
    ("acknowledged_once", double),
    ("acknowledged_once", hide),
    ("refused_absent", refuse),
    ("doubtful_once", doubt_twice),
    ("one_key_one_turn", two_turns_of_one_key),
    ("one_key_one_turn", another_user_message),
    ("key_binds_body", take_another_body),
    ("key_binds_body", store_another_body),
    ("nothing_unasked", move_to_another_chat),
    ("keys_point_to_messages", forget_the_message_of_a_key),
    ("keys_point_to_messages", give_the_key_to_another),
    ("seq_is_gap_free", leave_a_gap),
    ("seq_is_gap_free", miscount),
    ("reply_follows_message", fork),
    ("real_time_order", swap_with_the_clock),
    ("readers_agree_with_tables", tell_other_text),
    ("readers_agree_with_tables", not_answer),
    ("earlier_reads_hold", change_what_had_ended),
    ("earlier_reads_hold", show_less_than_before),
    ("reads_see_what_was_acknowledged", read_too_little),
    ("text_is_the_vendors", say_what_the_vendor_did_not),
    ("text_is_the_vendors", complete_half),
    ("text_is_the_vendors", complete_what_failed),
    ("shown_is_stored", lose_what_was_shown),
    ("shown_is_stored", lose_reasoning),
    ("shown_is_stored", skip_on_resumption),
    ("positions_are_true", misplace),
    ("end_is_final", end_early),
    ("end_is_final", end_otherwise),
    ("end_is_final", fail_what_is_complete),
    ("end_is_final", interrupt_what_is_complete),
    ("replies_can_be_followed", find_no_reply),
    ("replies_can_be_followed", follow_in_vain),
    ("every_reply_ended", run_for_ever),
    ("no_piece_is_left", leave_pieces),
    ("stopped_only_on_request", stop_unasked),
    ("stop_is_answered", stop_and_go_on),
    ("stop_is_answered", refuse_to_stop),
    ("deleted_stays_gone", reappear),
    ("deleted_stays_gone", show_after_deletion),
    ("nothing_is_held", hold),
    ("every_charge_has_a_reply", charge_for_nothing),
    ("every_text_has_a_charge", not_charge),
    ("every_text_has_a_charge", give_away),
    ("usage_equals_ledger", tell_other_usage),
    ("usage_equals_ledger", tell_no_cost),
    ("usage_equals_ledger", tell_no_usage),
    ("sums_equal_rows", sum_wrongly),
    ("routes_tell_the_ledger", tell_a_row_twice),
    ("routes_tell_the_ledger", tell_a_row_not),
    ("nobody_died_unasked", die),
    ("comes_to_rest", not_come_to_rest),
    ("logs_are_clean", log_a_traceback),
]


def test_a_good_run_breaks_no_rule() -> None:
    assert [] == judge(Run().world)


@pytest.mark.parametrize(("rule", "spoil"), SPOILT, ids=lambda it: getattr(it, "__name__", it))
def test_a_rule_does_not_let_pass(rule: str, spoil: Spoil) -> None:
    run = Run()
    spoil(run)

    assert rule in {violation.rule for violation in judge(run.world)}


def test_every_rule_has_a_run_that_breaks_it() -> None:
    assert set(RULES) == {rule for rule, _ in SPOILT}


def test_a_message_in_doubt_may_be_there_or_not() -> None:
    there, lost = Run(), Run()
    for run in (there, lost):
        run.plain.attempts[0].outcome = DOUBT
        run.plain.attempts[0].message_id = ""
        run.plain.attempts[0].acked = None
        run.plain.views.clear()
    lost.messages[:] = lost.rows(lost.gone)
    lost.history.chats.remove(lost.chat)

    assert [[], []] == [
        [v for v in judge(run.world) if v.rule in {"acknowledged_once", "doubtful_once"}]
        for run in (there, lost)
    ]


def test_a_deletion_whose_answer_was_lost_is_done_when_the_next_finds_nothing() -> None:
    lost = Act("delete", "", began=1.0, status=404, in_doubt=True)
    refused = Act("delete", "", began=1.0, status=404)

    assert (True, False) == (lost.done, refused.done)
    assert OWNER == Run().world.owner(Run().chat)
