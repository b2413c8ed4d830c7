"""The ledger of the provider service, as the core sees it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from uuid import UUID

from parley_rpc.client import Peer

from parley.provider.v1 import usage_pb2
from parley.provider.v1.provider_pb2_grpc import ProviderServiceStub
from parley_chat_service.adapters.providers import choice_of, cost_of, usage_of
from parley_chat_service.core.turn import Settled

WITHIN_SECONDS = 5.0


class GrpcUsages:
    """Asks the ledger by the names of calls: those of the replies that they made."""

    def __init__(self, peer: Peer) -> None:
        self.peer = peer
        self.stub = ProviderServiceStub(peer.channel)

    async def settled(self, usage_ids: Sequence[UUID]) -> tuple[Mapping[UUID, Settled], set[UUID]]:
        """Return what the ledger has settled, and which of the others it knows at all."""
        await self.peer.connected()
        request = usage_pb2.GetUsageRequest(usage_ids=map(str, usage_ids))
        call = self.stub.GetUsage(request, timeout=WITHIN_SECONDS, metadata=self.peer.metadata())
        records = (await self.peer.unary(call)).records
        known = {UUID(record.usage_id): record for record in records}
        return (
            {name: settled_of(record) for name, record in known.items() if record.settled},
            {name for name, record in known.items() if not record.settled},
        )


def settled_of(record: usage_pb2.UsageRecord) -> Settled:
    """Read a row that is final."""
    return Settled(
        usage_of(record.usage) if record.HasField("usage") else None,
        cost_of(record.cost) if record.HasField("cost") else None,
        choice_of(record),
    )
