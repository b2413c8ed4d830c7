"""What the provider service needs from the world, the providers themselves aside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol
from uuid import UUID

from parley_provider_service.core.model import (
    Config,
    Facts,
    Hold,
    Installed,
    Model,
    Settlement,
    UsageRecord,
)


class CatalogStore(Protocol):
    """Keeps what is decided about providers and what their vendors listed.

    All methods raise DatabaseUnavailable when it cannot be reached.
    """

    async def configs(self, installed: Sequence[Installed]) -> Mapping[str, Config]:
        """Return what is decided about each provider by name; a new one gets a row first."""

    async def models(self) -> Sequence[Model]:
        """Return the models of all providers that are not gone, each provider's in its order."""

    async def save(self, provider: str, listed: Sequence[Model]) -> Sequence[Model]:
        """Store what a vendor lists now; what it lists no more is marked as gone.

        Return the provider's models with what an administrator changed and added.
        """


class Prices(Protocol):
    """Knows models better than most vendors' lists do."""

    async def facts(
        self, provider: str, base_url: str, models: Sequence[str]
    ) -> Mapping[str, Facts]:
        """Return what is known by model; unknown ones are left out."""


class Ledger(Protocol):
    """Keeps one row for each call: held while it runs, settled exactly once.

    All methods but `settle` raise DatabaseUnavailable when it cannot be reached.
    """

    async def hold(self, hold: Hold) -> bool:
        """Write a row for a call of this process; False when its id was used before."""

    async def settle(self, settlement: Settlement) -> bool:
        """Settle a held call; False when it was settled already. Waits for the database."""

    async def record(self, output_chars: Mapping[UUID, int]) -> frozenset[UUID]:
        """Say that this process lives and what its open calls have produced.

        Return those that are still held: another process has settled the others.
        """

    async def sweep(self) -> int:
        """Settle, as estimated, the calls of processes that do not live; return how many."""

    async def release(self) -> None:
        """Say that this process ends."""

    async def find(self, owner_id: UUID, usage_ids: Sequence[UUID]) -> Sequence[UsageRecord]:
        """Return an owner's rows by id; those that do not exist are left out."""
