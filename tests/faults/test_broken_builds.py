"""The checker catches builds with a fault put in, each by the rule that is there for it."""

from __future__ import annotations

import shutil
from dataclasses import replace

import pytest
from parley_tests.checker.report import summary
from parley_tests.checker.run import Order, execute

pytestmark = [pytest.mark.integration, pytest.mark.timeout(210)]

ORDER = Order(seed=5, messages=800, seconds=60, quiet_within=2, wind_down=3, kinds={})
CHAT = "chat_service"
KILL_CHATS = replace(ORDER, kinds={"kill": 1}, kills=3, victims=["chat"])
BROKEN = {
    "acknowledged_once": {
        "sends are not repeatable": replace(ORDER, broken={CHAT: "idempotency"}),
        "commits do not wait for the disk": replace(
            ORDER,
            synchronous_commit=False,
            kinds={"kill-database": 1, "kill-backend": 1},
            kills=4,
            pace=2.5,
        ),
    },
    # Longer than the lease of a worker that was killed.
    "every_reply_ended": {
        "nobody sweeps up": replace(KILL_CHATS, broken={CHAT: "sweeper"}, quiet_within=15)
    },
}


@pytest.mark.parametrize(
    ("rule", "order"),
    [
        pytest.param(rule, order, id=fault)
        for rule, orders in BROKEN.items()
        for fault, order in orders.items()
    ],
)
def test_a_broken_build_is_caught(rule: str, order: Order) -> None:
    outcome = execute(order)
    shutil.rmtree(outcome.folder)

    assert rule in {violation.rule for violation in outcome.violations}, summary(outcome)
