"""The plan is a function of the seed, and of nothing else."""

from __future__ import annotations

from itertools import islice

import pytest
from parley_tests.checker.nemesis import KINDS, LINK_FAULTS, SERVICES, targets
from parley_tests.checker.plan import Fault, Session, faults, sessions

pytestmark = pytest.mark.unit

LINKS = ["client-gateway0", "service-chat0", "database-chat0"]


def chats(seed: int, client: int = 0) -> list[Session]:
    return list(islice(sessions(seed, client, user=1), 300))


def blows(seed: int) -> list[Fault]:
    return list(islice(faults(seed, KINDS, targets(LINKS, SERVICES), pace=1.0), 1000))


def test_one_seed_makes_one_plan() -> None:
    assert chats(7) == chats(7)
    assert blows(7) == blows(7)


def test_another_seed_or_client_makes_another() -> None:
    assert chats(7) != chats(8)
    assert [s.lanes for s in chats(7, 0)] != [s.lanes for s in chats(7, 1)]
    assert blows(7) != blows(8)


def test_everything_that_clients_can_do_is_planned() -> None:
    sends = [send for session in chats(7) for lane in session.lanes for send in lane]

    assert {"echo", "think", "break", "error"} == {send.ask.kind for send in sends}
    for does in ("streamed", "key", "twin", "again", "other_body", "readers", "reads_history"):
        assert {True, False} == {bool(getattr(send, does)) for send in sends}, does
    assert any(send.stop_after is not None for send in sends)
    assert any(send.leave_after is not None for send in sends)
    assert any(session.deleted for session in chats(7))
    assert {1, 2, 3} == {len(session.lanes) for session in chats(7)}


def test_every_word_of_a_plan_has_its_own_mark() -> None:
    sends = [send for session in chats(7) for lane in session.lanes for send in lane]
    words = [word for send in sends for word in send.ask.text.split()]

    assert len(words) == len(set(words))


def test_every_kind_of_blow_falls_on_whom_it_may() -> None:
    allowed = targets(LINKS, SERVICES)

    assert set(KINDS) == {fault.kind for fault in blows(7)}
    assert all(fault.target in allowed[fault.kind] for fault in blows(7))
    assert all(set(allowed[kind]) == set(LINKS) for kind in LINK_FAULTS)


def test_no_kind_of_blow_is_no_blow() -> None:
    assert [] == list(faults(7, {}, {}, pace=1.0))


def test_victims_can_be_chosen() -> None:
    assert ["chat0", "chat1"] == targets(LINKS, ["chat"])["kill"]
