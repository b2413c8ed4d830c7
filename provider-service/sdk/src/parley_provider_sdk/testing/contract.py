"""The tests every provider must pass.

A plugin subclasses ProviderContract, gives it a provider and a scripted peer that speaks the
vendor's wire on a real socket, and runs pytest:

    class TestAcme(ProviderContract):
        model = "acme-1"
        secret = "the key that `provider` was made with"

        @pytest.fixture
        async def peer(self): ...       # a VendorPeer

        @pytest.fixture
        async def provider(self, peer): ...
"""

# ruff: noqa: S101  (these are tests)

from __future__ import annotations

import asyncio
import traceback
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, ClassVar

import pytest

from parley_provider_sdk.errors import (
    BackendTimeout,
    BadResponse,
    ModelNotFound,
    ProviderError,
    RateLimited,
)
from parley_provider_sdk.provider import Provider
from parley_provider_sdk.testing.vendor import VendorPeer
from parley_provider_sdk.types import (
    Finished,
    FinishReason,
    Limits,
    Message,
    Part,
    ReasoningDelta,
    ReasoningPart,
    ReplyEvent,
    ReplyRequest,
    Role,
    TextDelta,
    TextPart,
    ToolCallDelta,
    ToolCallPart,
    Usage,
    UsageUpdate,
)

# Characters of one to four bytes, a combined one, and the line ends that event streams are made of.
DELTAS = ("Grüße, ", "世界", " 👩‍🚀 ", "e\u0301", "\r\n\n", "data: [DONE]\n\n", "end.")


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole reply: what the events of a stream add up to."""

    text: str
    reasoning: str
    tool_calls: tuple[ToolCallPart, ...]
    reason: FinishReason
    usage: Usage
    # What stands in the next request as the assistant's message, vendors' metadata included.
    parts: tuple[Part, ...]


async def fold(events: AsyncIterator[ReplyEvent]) -> Reply:
    """Adds up a stream. Fails when it does not end with exactly one Finished."""
    seen = [event async for event in events]
    ends = [event for event in seen if isinstance(event, Finished)]
    assert len(ends) == 1, f"A reply has exactly one Finished, this one has {len(ends)}."
    assert isinstance(seen[-1], Finished), "Finished is the last event of a reply."
    calls = _tool_calls([event for event in seen if isinstance(event, ToolCallDelta)])
    return Reply(
        text="".join(event.text for event in seen if isinstance(event, TextDelta)),
        reasoning="".join(event.text for event in seen if isinstance(event, ReasoningDelta)),
        tool_calls=calls,
        reason=ends[0].reason,
        usage=ends[0].usage,
        parts=(*_pieces(seen), *calls),
    )


def _pieces(events: Sequence[ReplyEvent]) -> list[Part]:
    """Joins neighbouring deltas of a kind, up to the metadata that ends a piece."""
    pieces: list[TextPart | ReasoningPart] = []
    for event in events:
        if not isinstance(event, TextDelta | ReasoningDelta):
            continue
        kind = TextPart if isinstance(event, TextDelta) else ReasoningPart
        last = pieces[-1] if pieces else None
        if type(last) is kind and not last.provider_metadata:
            pieces[-1] = kind(last.text + event.text, event.provider_metadata)
        else:
            pieces.append(kind(event.text, event.provider_metadata))
    return list(pieces)


def _tool_calls(deltas: Sequence[ToolCallDelta]) -> tuple[ToolCallPart, ...]:
    calls: dict[int, ToolCallPart] = {}
    for delta in deltas:
        known = calls.get(delta.index, ToolCallPart("", "", ""))
        calls[delta.index] = ToolCallPart(
            known.tool_call_id or delta.tool_call_id,
            known.name or delta.name,
            known.arguments + delta.arguments,
            delta.provider_metadata or known.provider_metadata,
        )
    assert sorted(calls) == list(range(len(calls))), "Tool calls are counted from 0, without gaps."
    return tuple(calls[index] for index in sorted(calls))


@pytest.mark.asyncio
class ProviderContract:
    """Subclass it, give it the fixtures `peer` and `provider` and the two names."""

    # A model that the peer has.
    model: ClassVar[str]
    # The credential that the provider was made with; empty when it needs none.
    secret: ClassVar[str] = ""
    # Seconds after which a reply that should have failed by itself counts as hanging.
    patience: ClassVar[float] = 5.0

    def request(self, text: str, **changes: Any) -> ReplyRequest:
        """Returns the request that sends this text."""
        messages = (Message(Role.USER, (TextPart(text),)),)
        return ReplyRequest(**{"model": self.model, "messages": messages, **changes})

    def assert_no_secret(self, subject: object) -> None:
        """Fails when the credential shows in what a log or a traceback would show of this."""
        shown = repr(subject) + str(subject)
        if isinstance(subject, BaseException):
            shown += "".join(traceback.format_exception(subject)) + repr(vars(subject))
        assert not self.secret or self.secret not in shown, "The credential shows."

    async def test_it_has_every_method(self, provider: Provider) -> None:
        assert isinstance(provider, Provider)
        self.assert_no_secret(provider)

    async def test_text_comes_whole_and_in_order(
        self, provider: Provider, peer: VendorPeer
    ) -> None:
        request = self.request(peer.says(DELTAS))
        assert (await fold(provider.chat_completion(request))).text == "".join(DELTAS)

    async def test_usage_is_there_and_never_shrinks(
        self, provider: Provider, peer: VendorPeer
    ) -> None:
        request = self.request(peer.says(DELTAS))
        events = [event async for event in provider.chat_completion(request)]
        usages = [event.usage for event in events if isinstance(event, UsageUpdate | Finished)]
        outputs = [usage.output_tokens for usage in usages]
        assert outputs[-1] > 0
        assert usages[-1].input_tokens > 0
        assert outputs == sorted(outputs)

    async def test_unwatched_reply_is_the_same(self, provider: Provider, peer: VendorPeer) -> None:
        watched = await fold(provider.chat_completion(self.request(peer.says(DELTAS))))
        request = self.request(peer.says(DELTAS), stream=False)
        assert await fold(provider.chat_completion(request)) == watched

    async def test_replies_run_side_by_side(self, provider: Provider, peer: VendorPeer) -> None:
        requests = [self.request(peer.says(("same ", "words"))) for _ in range(8)]
        replies = await asyncio.gather(*(fold(provider.chat_completion(one)) for one in requests))
        assert [reply.text for reply in replies] == ["same words"] * 8

    async def test_cancelling_hangs_up(self, provider: Provider, peer: VendorPeer) -> None:
        before = asyncio.all_tasks()
        first = asyncio.Event()

        async def listen() -> None:
            async for _ in provider.chat_completion(request):
                first.set()

        request = self.request(peer.falls_silent(("one ",)))
        listener = asyncio.create_task(listen())
        await asyncio.wait_for(first.wait(), self.patience)
        listener.cancel()
        await asyncio.wait_for(peer.hung_up(), 1)
        await asyncio.wait({listener}, timeout=1)
        assert listener.cancelled()
        await self._assert_no_task_left(before)

    async def test_closing_hangs_up(self, provider: Provider, peer: VendorPeer) -> None:
        before = asyncio.all_tasks()
        request = self.request(peer.falls_silent(("one ",)))
        async with aclosing(provider.chat_completion(request)) as reply:
            await asyncio.wait_for(anext(reply), self.patience)
        await asyncio.wait_for(peer.hung_up(), 1)
        await self._assert_no_task_left(before)

    async def test_silence_is_a_timeout(self, provider: Provider, peer: VendorPeer) -> None:
        request = self.request(peer.falls_silent(()), limits=Limits(first_token=0.2, idle=5))
        await self._assert_fails(provider, request, BackendTimeout)

    async def test_stall_is_a_timeout(self, provider: Provider, peer: VendorPeer) -> None:
        request = self.request(peer.falls_silent(("one ",)), limits=Limits(idle=0.2))
        await self._assert_fails(provider, request, BackendTimeout)

    @pytest.mark.parametrize("stream", [True, False])
    async def test_failures_have_their_class(
        self, provider: Provider, peer: VendorPeer, stream: bool
    ) -> None:
        for failure in peer.failures:
            request = self.request(peer.fails(failure), stream=stream)
            error = await self._assert_fails(provider, request, failure)
            if failure is RateLimited:
                assert error.retry_after == peer.retry_after

    async def test_unknown_model_is_not_found(self, provider: Provider, peer: VendorPeer) -> None:
        request = self.request(peer.says(("never",)), model="no-such-model")
        await self._assert_fails(provider, request, ModelNotFound)

    @pytest.mark.parametrize("sent", range(len(DELTAS)))
    async def test_cut_stream_is_never_complete(
        self, provider: Provider, peer: VendorPeer, sent: int
    ) -> None:
        request = self.request(peer.breaks_off(DELTAS[:sent]))
        await self._assert_fails(provider, request, BadResponse)

    async def test_models_include_ours(self, provider: Provider) -> None:
        names = [model.name for model in await provider.list_models()]
        assert self.model in names
        assert len(names) == len(set(names))

    async def test_health_is_good(self, provider: Provider) -> None:
        assert (await provider.health_check()).healthy

    async def _assert_fails(
        self, provider: Provider, request: ReplyRequest, failure: type[ProviderError]
    ) -> ProviderError:
        seen: list[ReplyEvent] = []

        async def listen() -> None:
            async for event in provider.chat_completion(request):
                seen.append(event)  # noqa: PERF401  (kept when the stream fails)

        with pytest.raises(ProviderError) as caught:
            await asyncio.wait_for(listen(), self.patience)
        assert not [event for event in seen if isinstance(event, Finished)]
        assert isinstance(caught.value, failure), repr(caught.value)
        assert caught.value.reason == failure.reason
        assert caught.value.message
        self.assert_no_secret(caught.value)
        return caught.value

    async def _assert_no_task_left(self, before: set[asyncio.Task[Any]]) -> None:
        for _ in range(100):
            left = asyncio.all_tasks() - before
            if not left:
                return
            await asyncio.sleep(0.01)
        pytest.fail(f"Left behind: {left}")
