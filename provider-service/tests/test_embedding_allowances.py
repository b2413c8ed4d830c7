"""Vectors count against what a caller may use, on every ledger there is."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from uuid import UUID

import parley_provider_sdk as sdk
from parley_provider_service.core.allowances import Allowance, Meter
from parley_provider_service.core.model import Cost, Ended

from .conftest import NewLedger
from .test_embedding import REPORTED, VECTORS, asking, scene_of


async def test_input_is_held_of_what_the_caller_may_use_and_no_output(
    new_ledger: NewLedger, ada: UUID
) -> None:
    """Generously: a token for three bytes, and some for each text."""
    ask = asking(ada)
    ledger, gate, asked = new_ledger(), asyncio.Event(), asyncio.Event()
    tokens = Allowance("user:ada", Meter.TOKENS_PER_MINUTE, 10_000)
    money = Allowance("user:ada", Meter.MONTHLY_COST, 31)

    async def slowly() -> sdk.Embeddings:
        asked.set()
        await gate.wait()
        return sdk.Embeddings(VECTORS, REPORTED)

    scene = scene_of(slowly, ledger=ledger)
    reply = await scene.generation.begin(replace(ask, allowances=(tokens, money)))
    async with asyncio.timeout(10):
        await asked.wait()
        running = await ledger.balances([tokens, money])
        _, refused = await scene.hear(replace(asking(ada), allowances=(money,)))
        gate.set()
        events = [event async for event in scene.generation.events(reply)]
    after = await ledger.balances([tokens, money])

    assert [(0, 31), (0, 31)] == [(one.used, one.held) for one in running]
    assert refused is not None
    assert "budget_exceeded" == refused.reason
    assert isinstance(events[-1], Ended)
    assert [(7, 0), (7, 0)] == [(one.used, one.held) for one in after]
    [record] = await ledger.find(ask.owner_id, [ask.usage_id])
    assert (True, REPORTED, Cost(7, "list 1"), "acme", "small", "stop") == (
        record.settled,
        record.usage,
        record.cost,
        record.provider,
        record.model,
        record.outcome,
    )
