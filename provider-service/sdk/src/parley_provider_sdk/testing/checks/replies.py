"""What a good reply is: whole, in order, ended once, counted."""

# ruff: noqa: S101  (these are tests)

from __future__ import annotations

import asyncio

from parley_provider_sdk.provider import Provider
from parley_provider_sdk.testing.checks.bench import DELTAS, Bench
from parley_provider_sdk.testing.report import Rung, check
from parley_provider_sdk.testing.vendor import ScriptedVendor, VendorPeer
from parley_provider_sdk.types import Finished, UsageSource, UsageUpdate

__all__ = ["Replies"]


class Replies(Bench):
    """The first rung: it answers."""

    @check(
        Rung.BRONZE,
        "The service cannot use what lacks a method.",
        "Write chat_completion, list_models, health_check and aclose, as provider.py has them.",
    )
    async def test_it_has_every_method(self, provider: Provider) -> None:
        assert isinstance(provider, Provider)

    @check(
        Rung.BRONZE,
        "Users read a reply with holes, in the wrong order, or one that never ends.",
        "Yield a TextDelta for each text of the vendor's, and then exactly one Finished.",
    )
    async def test_text_comes_whole_and_in_order(
        self, provider: Provider, peer: ScriptedVendor
    ) -> None:
        reply = await self.reply(provider, self.request(peer.says(DELTAS)))
        assert reply.text == "".join(DELTAS)

    @check(
        Rung.BRONZE,
        "Letters that are no ASCII turn into question marks now and then.",
        "Cut bytes into events first and decode each whole event (parley_provider_sdk.reading).",
        feature="wire",
    )
    async def test_split_characters_come_whole(self, provider: Provider, peer: VendorPeer) -> None:
        reply = await self.reply(provider, self.request(peer.splits(DELTAS)))
        assert reply.text == "".join(DELTAS)

    @check(
        Rung.BRONZE,
        "The provider breaks on the day on which its vendor adds something.",
        "Read the fields that you know, pass over events whose type you do not know.",
        feature="wire",
    )
    async def test_unknown_fields_and_events_are_ignored(
        self, provider: Provider, peer: VendorPeer
    ) -> None:
        reply = await self.reply(provider, self.request(peer.adds_unknown(DELTAS)))
        assert reply.text == "".join(DELTAS)

    @check(
        Rung.BRONZE,
        "A caller who does not stream gets another answer than one who does.",
        "Read a reply in one piece with the same code as a stream; stream=False is only a hint.",
    )
    async def test_unwatched_reply_is_the_same(
        self, provider: Provider, peer: ScriptedVendor
    ) -> None:
        watched = await self.reply(provider, self.request(peer.says(DELTAS)))
        request = self.request(peer.says(DELTAS), stream=False)
        assert await self.reply(provider, request) == watched

    @check(
        Rung.BRONZE,
        "One user sees the words of another.",
        "Keep the state of a reply in the generator, never on the provider.",
    )
    async def test_replies_run_side_by_side(self, provider: Provider, peer: ScriptedVendor) -> None:
        requests = [self.request(peer.says(("same ", "words"))) for _ in range(8)]
        replies = await asyncio.gather(*(self.reply(provider, one) for one in requests))
        assert [reply.text for reply in replies] == ["same words"] * 8

    @check(
        Rung.BRONZE,
        "Budgets and bills are wrong.",
        "Put the vendor's figures into Finished; a UsageUpdate is never less than the one before. "
        "What was cached, or written to a cache, is input too.",
    )
    async def test_usage_is_there_and_never_shrinks(
        self, provider: Provider, peer: ScriptedVendor
    ) -> None:
        request = self.request(peer.says(DELTAS))
        events = await self.events(provider, request)
        usages = [event.usage for event in events if isinstance(event, UsageUpdate | Finished)]
        inputs = [usage.input_tokens for usage in usages]
        outputs = [usage.output_tokens for usage in usages]
        assert outputs[-1] > 0
        assert inputs[-1] > 0
        assert inputs == sorted(inputs)
        assert outputs == sorted(outputs)
        for usage in usages:
            apart = usage.cached_input_tokens + usage.cache_write_tokens
            assert apart <= usage.input_tokens, "A cache took part in more than there was."
            assert usage.long_cache_write_tokens <= usage.cache_write_tokens

    @check(
        Rung.BRONZE,
        "Figures that nobody counted look like the vendor's, or the reply seems to be free.",
        "Estimate (parley_provider_sdk.reading.estimate) and say so in Usage.source.",
        feature="omitted_usage",
    )
    async def test_usage_that_the_vendor_omits_is_marked(
        self, provider: Provider, peer: VendorPeer
    ) -> None:
        usage = (await self.reply(provider, self.request(peer.omits_usage(DELTAS)))).usage
        assert usage.source in (UsageSource.ESTIMATED, UsageSource.COUNTED), "It looks reported."
        assert usage.input_tokens > 0
        assert usage.output_tokens > 0
