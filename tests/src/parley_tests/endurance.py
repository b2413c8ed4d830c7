"""Many replies straight from the provider service: a third whole, a third cut, a third left.

A peer process speaks a vendor's wire; what each call used is read from the ledger afterwards and
held against what was produced. Used by a test with a few hundred streams and by a bench with many.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import grpc
import psycopg
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import HealthStub
from parley_rpc.client import Peer
from parley_rpc.faults import Fault
from uuid_utils.compat import uuid7

from parley.provider.v1 import reply_pb2
from parley.provider.v1.provider_pb2_grpc import ProviderServiceStub
from parley_tests.platform import Platform

DEADLINE_SECONDS = 60.0
SETTLED_WITHIN_SECONDS = 30.0
READY_WITHIN_SECONDS = 30.0


@dataclass(frozen=True)
class Stream:
    """One reply that is asked for, and how it is to end: `whole`, `cut` or `left`."""

    kind: str
    # Of the vendor's words: all that it has, and after how many it breaks off or nobody listens.
    words: int
    after: int = 0
    usage_id: str = field(default_factory=lambda: str(uuid7()))

    @property
    def text(self) -> str:
        """What the user says, which tells the peer what to do."""
        script: dict[str, Any] = {"count": self.words}
        if self.kind == "cut":
            script["cut_after"] = self.after
        return f"#peer {json.dumps(script)}\nHi"


@dataclass(frozen=True)
class Row:
    """What the ledger says of a call."""

    outcome: str
    source: str | None
    output_tokens: int
    output_chars: int


class Endurance:
    """Asks one provider for streams, and reads the ledger."""

    def __init__(self, platform: Platform, provider: str, model: str) -> None:
        self.keys = platform.keys
        address = f"127.0.0.1:{platform.provider_port}"
        self.peer = Peer("provider", address, self.keys.credential("chat"))
        self.stub: Any = ProviderServiceStub(self.peer.channel)
        self.provider = provider
        self.model = model
        self.user = str(uuid4())
        # Who is asked instead: providers and models.
        self.fallbacks: Sequence[tuple[str, str]] = ()
        # Characters that each listener saw.
        self.seen: Counter[str] = Counter()

    async def run(self, streams: Sequence[Stream], at_once: int) -> None:
        """Make all of them, so many at once."""
        left = iter(streams)

        async def work() -> None:
            for stream in left:
                await self.listen(stream)

        await self.ready()
        await asyncio.gather(*(work() for _ in range(at_once)))

    async def ready(self) -> None:
        """Return when the service serves; it may just have been started."""
        health: Any = HealthStub(self.peer.channel)
        give_up = asyncio.get_running_loop().time() + READY_WITHIN_SECONDS
        while asyncio.get_running_loop().time() < give_up:
            with contextlib.suppress(grpc.aio.AioRpcError):
                answer = await health.Check(HealthCheckRequest(), timeout=1)
                if answer.status == HealthCheckResponse.SERVING:
                    return
            await asyncio.sleep(0.1)
        raise TimeoutError("The provider service does not serve.")

    async def listen(self, stream: Stream) -> None:
        """Make one stream, to its end or as far as somebody listens."""
        words = 0
        try:
            async for event in self.peer.stream(self._call(stream)):
                self.seen[stream.usage_id] += len(event.text)
                words += event.text.count(" ")
                if stream.kind == "left" and words >= stream.after:
                    return
        except Fault:
            if stream.kind != "cut":
                raise

    async def aclose(self) -> None:
        """Close the channel."""
        await self.peer.aclose()

    def _call(self, stream: Stream) -> Any:
        caller = self.keys.caller(self.user, valid_for=2 * DEADLINE_SECONDS)
        message = reply_pb2.InputMessage(
            role=reply_pb2.ROLE_USER, parts=[reply_pb2.Part(text=stream.text)]
        )
        request = reply_pb2.GenerateReplyRequest(
            usage_id=stream.usage_id,
            provider=self.provider,
            model=self.model,
            messages=[message],
            stream=True,
            fallbacks=[
                reply_pb2.ModelChoice(provider=provider, model=model)
                for provider, model in self.fallbacks
            ],
        )
        metadata = self.peer.metadata(caller.metadata)
        return self.stub.GenerateReply(request, timeout=DEADLINE_SECONDS, metadata=metadata)


def planned(count: int, words: int, chance: random.Random) -> list[Stream]:
    """Plan so many streams, a third of each kind, cut and left at random places."""
    kinds = ("whole", "cut", "left")
    plan = [Stream(kinds[i % 3], words, chance.randrange(1, words)) for i in range(count)]
    chance.shuffle(plan)
    return plan


async def settled_rows(database_url: str, count: int) -> dict[str, Row]:
    """Return all rows of the ledger once none is open any more; fail when that does not come."""
    async with await psycopg.AsyncConnection.connect(database_url, autocommit=True) as connection:
        for _ in range(int(SETTLED_WITHIN_SECONDS * 5)):
            cursor = await connection.execute(
                "select count(*) filter (where status = 'held'), count(*)"
                " from provider.provider_usage"
            )
            if (0, count) == await cursor.fetchone():
                break
            await asyncio.sleep(0.2)
        cursor = await connection.execute(
            "select usage_id, status, outcome, source, output_tokens, output_chars"
            " from provider.provider_usage"
        )
        rows = await cursor.fetchall()
    assert {"settled"} == {row[1] for row in rows}
    return {str(usage_id): Row(*rest) for usage_id, _, *rest in rows}


def differences(streams: Sequence[Stream], rows: dict[str, Row], seen: Counter[str]) -> list[str]:
    """Return what does not fit: a row too many or too few, an outcome, a count of tokens."""
    wrong = [f"{len(rows)} rows for {len(streams)} streams"] * (len(rows) != len(streams))
    for stream in streams:
        row = rows.get(stream.usage_id)
        if row is None:
            wrong.append(f"{stream} has no row")
        elif not fits(stream, row, seen[stream.usage_id]):
            wrong.append(f"{stream}: {row}, {seen[stream.usage_id]} characters seen")
    return wrong


def fits(stream: Stream, row: Row, seen: int) -> bool:
    """Say whether a row tells what was produced."""
    if stream.kind == "whole":
        return (row.outcome, row.source, row.output_tokens) == ("stop", "reported", stream.words)
    if stream.kind == "cut":
        # The wire counts with every word, so what was cut is known to the token.
        return row.outcome == "bad_response" and row.output_tokens == stream.after
    # A reply that nobody hears any more is stopped a little later than its listener left, or it
    # had ended by then.
    produced = stream.after <= row.output_tokens <= stream.words
    return row.outcome in {"stopped", "stop"} and produced and row.output_chars >= seen
