"""GetAllowances, and what an answer of the ledger may hold, through a real channel."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any
from uuid import UUID

import pytest
from google.rpc.status_pb2 import Status
from parley_provider_service.bootstrap import NAME, build_server
from parley_provider_service.core.sums import UsageFilter, UsageGroup, UsageSum
from parley_rpc.client import Peer
from parley_rpc.context import Metadata
from parley_rpc.faults import LimitExceeded, kind_of, reason_of
from parley_rpc.status import from_status
from parley_tests.believing import OpenToAnybody, vouched
from uuid_utils.compat import uuid7

from parley.context.v1 import context_pb2
from parley.context.v1.context_pb2 import Allowance, UserContext
from parley.provider.v1 import reply_pb2, usage_pb2
from parley.provider.v1.provider_pb2_grpc import ProviderServiceStub

from .fakes import DONE
from .scene import Scene

pytestmark = pytest.mark.unit

DAILY, MONTHLY = context_pb2.METER_DAILY_COST, context_pb2.METER_MONTHLY_COST
MINUTE, TURNS = context_pb2.METER_TOKENS_PER_MINUTE, context_pb2.METER_CONCURRENT_TURNS


@pytest.fixture
def gate() -> asyncio.Event:
    return asyncio.Event()


@pytest.fixture
def scene(gate: asyncio.Event) -> Scene:
    return Scene(gate.wait, DONE)


@pytest.fixture
async def stub(scene: Scene) -> AsyncIterator[Any]:
    server = build_server(scene.servicer, OpenToAnybody())
    await server.start("127.0.0.1:0", [NAME])
    peer = Peer("provider", f"127.0.0.1:{server.port}", None)
    yield ProviderServiceStub(peer.channel)
    await peer.aclose()
    await server.stop(0)
    await scene.generation.aclose(1)


def metadata(user: UUID, *allowances: Allowance, key: str = "key") -> Metadata:
    context = UserContext(user_id=str(user), key_id=key, allowances=allowances)
    return vouched(context, "request", valid_for=60).metadata


def limit(meter: Any, limit: int) -> Allowance:
    return Allowance(scope="user:ada", meter=meter, limit=limit)


async def balances(stub: Any, asked: Metadata) -> Any:
    return await stub.GetAllowances(usage_pb2.GetAllowancesRequest(), timeout=5, metadata=asked)


def hello() -> reply_pb2.GenerateReplyRequest:
    part = reply_pb2.Part(text="Hello!")
    message = reply_pb2.InputMessage(role=reply_pb2.ROLE_USER, parts=[part])
    return reply_pb2.GenerateReplyRequest(
        usage_id=str(uuid7()), provider="acme", model="small", messages=[message], max_tokens=100
    )


async def test_a_caller_without_allowances_has_no_balances(stub: Any, ada: UUID) -> None:
    answer = await balances(stub, metadata(ada))

    assert ([], b"") == (list(answer.balances), answer.refusal)


async def test_allowances_are_told_while_a_reply_runs_and_after_it(
    stub: Any, scene: Scene, gate: asyncio.Event, ada: UUID
) -> None:
    asked = metadata(
        ada, limit(DAILY, 1_000), limit(MONTHLY, 2_000), limit(MINUTE, 500), limit(TURNS, 1)
    )
    call = stub.GenerateReply(hello(), timeout=5, metadata=asked)
    reading = asyncio.create_task(drain(call))
    while not scene.provider.asked:  # noqa: ASYNC110  (asked, not told)
        await asyncio.sleep(0.01)

    running = await balances(stub, asked)
    gate.set()
    await reading
    after = await balances(stub, asked)

    assert [(0, 218), (0, 218), (0, 118), (0, 1)] == [(b.used, b.held) for b in running.balances]
    assert [(50, 0), (50, 0), (30, 0), (0, 0)] == [(b.used, b.held) for b in after.balances]
    assert [True, True, True, False] == [b.HasField("resets_at") for b in after.balances]
    refused = from_status(Status.FromString(running.refusal))
    assert (LimitExceeded, "limit_exceeded") == (kind_of(refused), reason_of(refused))
    assert "concurrent_turns" == refused.metadata["meter"]
    assert b"" == after.refusal


async def drain(call: Any) -> None:
    async for _ in call:
        pass


async def test_a_used_up_budget_says_when_it_resets(stub: Any, ada: UUID) -> None:
    [balance] = (answer := await balances(stub, metadata(ada, limit(DAILY, 0)))).balances

    refused = from_status(Status.FromString(answer.refusal))

    assert "budget_exceeded" == reason_of(refused)
    resets_at = balance.resets_at.ToJsonString()
    assert ("0", "day", resets_at) == tuple(
        refused.metadata[name] for name in ("left", "period", "resets_at")
    )


async def test_of_two_limits_of_one_kind_the_stricter_counts(stub: Any, ada: UUID) -> None:
    newer = Allowance(scope="user:ada", meter=99, limit=1)  # type: ignore[arg-type]  # not yet known

    answer = await balances(stub, metadata(ada, limit(DAILY, 9), limit(DAILY, 5), newer))

    assert [5] == [balance.allowance.limit for balance in answer.balances]


async def test_usage_is_told_by_key(stub: Any, gate: asyncio.Event, ada: UUID) -> None:
    gate.set()
    for key in ("one", "two", "two"):
        await drain(stub.GenerateReply(hello(), timeout=5, metadata=metadata(ada, key=key)))
    asked = metadata(ada)

    summed = await stub.SummarizeUsage(
        usage_pb2.SummarizeUsageRequest(key_id="two"), timeout=5, metadata=asked
    )
    rows = await stub.ListUsageRecords(
        usage_pb2.ListUsageRecordsRequest(key_id="one"), timeout=5, metadata=asked
    )
    strangers = await stub.ListUsageRecords(
        usage_pb2.ListUsageRecordsRequest(key_id="one"), timeout=5, metadata=metadata(uuid7())
    )

    assert (2, 100) == (summed.total.requests, summed.total.cost_nano_usd)
    assert ["one"] == [row.key_id for row in rows.records]
    assert [] == list(strangers.records)


async def test_more_sums_than_an_answer_may_hold_are_refused_and_not_cut(
    scene: Scene, stub: Any, ada: UUID
) -> None:
    many = 10_001

    async def sums(which: UsageFilter, group_by: Sequence[UsageGroup]) -> Sequence[UsageSum]:
        return [UsageSum(key_id=str(number)) for number in range(many if group_by else 1)]

    scene.ledger.sums = sums  # type: ignore[method-assign]
    request = usage_pb2.SummarizeUsageRequest(group_by=[usage_pb2.USAGE_GROUP_KEY])

    with pytest.raises(Exception, match="10000 sums"):
        await stub.SummarizeUsage(request, timeout=5, metadata=metadata(ada))
    many = 10_000
    answer = await stub.SummarizeUsage(request, timeout=5, metadata=metadata(ada))

    assert 10_000 == len(answer.rows)


@pytest.mark.parametrize("field", ["provider", "model", "key_id"])
async def test_what_no_database_can_hold_is_refused(stub: Any, ada: UUID, field: str) -> None:
    request = usage_pb2.ListUsageRecordsRequest(**{field: "a\0b"})  # type: ignore[arg-type]  # names of texts only

    with pytest.raises(Exception, match=f"{field}: must not hold a NUL"):
        await stub.ListUsageRecords(request, timeout=5, metadata=metadata(ada))
