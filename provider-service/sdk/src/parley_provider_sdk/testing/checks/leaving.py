"""What is left when somebody stops listening, or when the provider is closed: nothing."""

# ruff: noqa: S101  (these are tests)

from __future__ import annotations

import asyncio
from contextlib import aclosing

from parley_provider_sdk.provider import Provider
from parley_provider_sdk.testing.checks.bench import Bench
from parley_provider_sdk.testing.report import Rung, check
from parley_provider_sdk.testing.vendor import ScriptedVendor, VendorPeer

__all__ = ["Leaving"]


class Leaving(Bench):
    """Whoever leaves takes everything along."""

    @check(
        Rung.SILVER,
        "Whoever presses stop goes on paying, and connections pile up until none is left.",
        "Let CancelledError through, and close the connection in a `finally`.",
    )
    async def test_cancelling_hangs_up(self, provider: Provider, peer: ScriptedVendor) -> None:
        before = asyncio.all_tasks()
        first = asyncio.Event()

        async def listen() -> None:
            async for _ in provider.chat_completion(request):
                first.set()

        request = self.request(peer.falls_silent(("one ",)))
        listener = asyncio.create_task(listen())
        await self.within(first.wait(), "there was no first token")
        listener.cancel()
        await self._assert_hung_up(peer)
        await asyncio.wait({listener}, timeout=1)
        assert listener.cancelled(), "The cancellation was swallowed."
        await self.assert_no_task_left(before)

    @check(
        Rung.SILVER,
        "Whoever closes the reply goes on paying, and connections pile up until none is left.",
        "Close the connection in a `finally`; wrap inner generators in `aclosing`.",
    )
    async def test_closing_hangs_up(self, provider: Provider, peer: ScriptedVendor) -> None:
        before = asyncio.all_tasks()
        request = self.request(peer.falls_silent(("one ",)))
        async with aclosing(provider.chat_completion(request)) as reply:
            await self.within(anext(reply), "there was no first token")
        await self._assert_hung_up(peer)
        await self.assert_no_task_left(before)

    @check(
        Rung.SILVER,
        "A stopped service, or one whose settings changed, leaves connections open.",
        "Close the client in aclose, and let a second aclose do nothing.",
        feature="wire",
    )
    async def test_closing_the_provider_leaves_no_connection(
        self, provider: Provider, peer: VendorPeer
    ) -> None:
        await self.reply(provider, self.request(peer.says(("one ", "two"))))
        await provider.list_models()
        await provider.aclose()
        await provider.aclose()
        for _ in range(100):
            if not peer.connections:
                break
            await asyncio.sleep(0.01)
        assert peer.connections == 0

    @staticmethod
    async def _assert_hung_up(peer: ScriptedVendor) -> None:
        hung_up = asyncio.ensure_future(peer.hung_up())
        await asyncio.wait({hung_up}, timeout=1)
        is_left = hung_up.cancel()
        assert not is_left, "The vendor's connection was still open after a second."
