"""What a provider costs those who share a process with it."""

# ruff: noqa: S101  (these are tests)

from __future__ import annotations

from parley_provider_sdk.provider import Provider
from parley_provider_sdk.testing.checks.bench import Bench
from parley_provider_sdk.testing.report import Rung, check
from parley_provider_sdk.testing.stopwatch import grown, longest_step
from parley_provider_sdk.testing.vendor import ScriptedVendor

__all__ = ["Load"]

# Words of a reply that is long, and of one whose steps are measured.
LONG = 100_000
MEASURED = 10_000
# Bytes by which a long reply may grow what is kept, and that may be kept at once. A connection's
# buffer, which may be full or empty, has 768 KiB; forty thousand words kept are 2.5 MiB at least.
GROWTH = 1 << 20
KEPT = 8 << 20
# Seconds for which nobody else may run, and how many replies may be asked for to show that.
STEP = 0.05
TRIES = 3


class Load(Bench):
    """It disturbs nobody."""

    @check(
        Rung.GOLD,
        "Long replies fill the memory of the service.",
        "Forget each event once it is yielded, and read no faster than you are listened to.",
    )
    async def test_memory_stays_flat(self, provider: Provider, peer: ScriptedVendor) -> None:
        growth, kept = await grown(
            provider.chat_completion(self.request(peer.says_many(LONG))), LONG
        )
        assert growth < GROWTH, f"What is kept grew by {growth >> 10} KiB in one reply."
        assert kept < KEPT, f"{kept >> 20} MiB were kept at once."

    @check(
        Rung.GOLD,
        "Everybody's replies stand still while one provider works.",
        "Await what takes time; do what cannot be awaited in asyncio.to_thread.",
    )
    async def test_the_event_loop_is_never_blocked(
        self, provider: Provider, peer: ScriptedVendor
    ) -> None:
        """What its code does, it does every time; what a busy machine does to it, not."""
        longest = []
        for _ in range(TRIES):
            reply = provider.chat_completion(self.request(peer.says_many(MEASURED)))
            longest.append(await longest_step(reply, patience=self.patience))
            if longest[-1] < STEP:
                break
        assert min(longest) < STEP, f"Nobody else could run for {min(longest) * 1000:.0f} ms."
