"""What the provider service needs from the world, the providers themselves aside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol
from uuid import UUID

from parley_provider_service.core.allowances import Allowance, Balance, Share
from parley_provider_service.core.model import (
    Config,
    Facts,
    Hold,
    Installed,
    Model,
    ModelChange,
    ModelChoice,
    Progress,
    Settlement,
    UsageRecord,
)
from parley_provider_service.core.naming import Alias
from parley_provider_service.core.sums import UsageFilter, UsageGroup, UsageSum

MOST_SUMS = 10_000


class CatalogStore(Protocol):
    """Keeps what is decided about providers and what their vendors listed.

    All methods raise DatabaseUnavailable when it cannot be reached.
    """

    async def configs(self, installed: Sequence[Installed]) -> Mapping[str, Config]:
        """Return what is decided about each provider by name; a new one gets a row first."""

    async def add(self, name: str, config: Config, *, by: UUID) -> bool:
        """Add a configuration of a plugin; False when the name is taken."""

    async def change(self, name: str, changes: Mapping[str, Any], *, by: UUID) -> bool:
        """Change fields of a Config, by their names; False when there is no such row.

        A new default is the only one afterwards.
        """

    async def remove(self, name: str) -> bool:
        """Take a configuration and its models away; False when there is no such row."""

    async def reseal(self, sealed: Mapping[str, tuple[bytes, bytes]]) -> int:
        """Replace encrypted keys, each when it still is the first of the two; return how many."""

    async def models(self) -> Sequence[Model]:
        """Return the models of all providers, gone ones included, each provider's in its order."""

    async def save(self, provider: str, listed: Sequence[Model]) -> Sequence[Model]:
        """Store what a vendor lists now; what it lists no more is marked as gone.

        Return the provider's models with what an administrator changed and added, gone ones
        included.
        """

    async def overlay(self, provider: str, model: str, change: ModelChange) -> Sequence[Model]:
        """Lay a change over what is known of a model, which is added when it is not listed.

        Return the provider's models, as `save` does.
        """

    async def reset(self, provider: str, model: str) -> Sequence[Model] | None:
        """Take back what was laid over a model; one that was added by hand goes.

        Return the provider's models, as `save` does; None when there was nothing to take back.
        """

    async def aliases(self) -> Sequence[Alias]:
        """Return all names that administrators gave to models."""

    async def set_alias(self, name: str, meaning: ModelChoice, *, by: UUID) -> Alias:
        """Let a name mean a model from now on."""

    async def remove_alias(self, name: str) -> bool:
        """Take a name away; False when there is none."""


class Vault(Protocol):
    """Keeps secrets unreadable for whoever reads the database alone."""

    @property
    def is_open(self) -> bool:
        """Whether there is a master key to encrypt with."""

    def seal(self, owner: str, secret: str) -> bytes:
        """Encrypt a secret for one owner; MasterKeyMissing."""

    def unseal(self, owner: str, sealed: bytes) -> str | None:
        """Decrypt an owner's secret; None when no master key does, or it is another owner's."""

    def is_stale(self, sealed: bytes) -> bool:
        """Whether a newer master key than the one it was encrypted with is there."""


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
        """Write a row for a call of this process; False when its id was used before.

        A held row of the same owner of which another process has recorded no output is taken over:
        that process is dead, or nobody listens to it. It can neither record nor settle it then.
        What the call takes of its caller's allowances is held with it, all or nothing; Exhausted
        names those of which not enough is left. It is held until the call is settled, whoever
        does that, and then what was used counts instead, in the window in which it was held.
        """

    async def extend(self, usage_id: UUID, shares: Sequence[Share]) -> None:
        """Let a call that this process holds hold so much at least; Exhausted."""

    async def balances(self, allowances: Sequence[Allowance]) -> Sequence[Balance]:
        """Return how allowances stand, in their order."""

    async def settle(self, settlement: Settlement) -> bool:
        """Settle a call that this process holds; False when it does not, or has settled it.

        Waits for the database.
        """

    async def record(self, progress: Mapping[UUID, Progress]) -> frozenset[UUID]:
        """Say that this process lives and what its open calls have produced, and by whom.

        Return those that it still holds: another process has settled or taken over the others.
        """

    async def sweep(self) -> int:
        """Settle, as estimated, the calls of processes that do not live; return how many."""

    async def release(self) -> None:
        """Say that this process ends."""

    async def find(self, owner_id: UUID | None, usage_ids: Sequence[UUID]) -> Sequence[UsageRecord]:
        """Return an owner's rows by id, anybody's for None; what does not exist is left out."""

    async def page(
        self, which: UsageFilter, before: UUID | None, size: int
    ) -> Sequence[UsageRecord]:
        """Return rows, newest first, from behind `before` on."""

    async def sums(self, which: UsageFilter, group_by: Sequence[UsageGroup]) -> Sequence[UsageSum]:
        """Return sums from the roll-ups by day, in order; without groups one, even of nothing.

        At most `MOST_SUMS` and one more, which says that there are more.
        """
