"""What every check works with: a provider's names, requests, and failures that are looked at."""

# ruff: noqa: S101  (these are parts of tests)

from __future__ import annotations

import asyncio
import traceback
from collections.abc import AsyncIterator, Awaitable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, ClassVar, TypeVar

import pytest

from parley_provider_sdk.errors import ProviderError
from parley_provider_sdk.provider import Provider
from parley_provider_sdk.testing.reply import Reply, fold
from parley_provider_sdk.types import (
    Finished,
    Message,
    ReplyEvent,
    ReplyRequest,
    Role,
    TextDelta,
    TextPart,
)

__all__ = ["DELTAS", "Bench", "Failed"]

T = TypeVar("T")

# Seconds for the first question, which may load a vendor's library on a busy machine.
LOADED = 30.0
# Characters of one to four bytes, a combined one, and the line ends that event streams are made of.
DELTAS = ("Grüße, ", "世界", " 👩‍🚀 ", "e\u0301", "\r\n\n", "data: [DONE]\n\n", "end.")


@dataclass(frozen=True, slots=True)
class Failed:
    """A reply that failed: why, and what came before."""

    error: ProviderError
    text: str


class Bench:
    """What a contract says of its provider, and what the checks do with that."""

    # A model that the peer has, and the one that thinks, where that is another.
    model: ClassVar[str]
    reasoning_model: ClassVar[str] = ""
    # The model that turns texts into vectors.
    embedding_model: ClassVar[str] = ""
    # The credential that the provider was made with; empty when it needs none.
    secret: ClassVar[str] = ""
    # Seconds after which a reply that should have ended by itself counts as hanging.
    patience: ClassVar[float] = 5.0
    # What the peer sends along and the vendor wants back (signatures): texts for `reasoning` and
    # for `tools`.
    wants_back: ClassVar[Mapping[str, Sequence[str]]] = MappingProxyType({})
    # What the provider lacks, by feature or by name of a check, and why it may.
    exempt: ClassVar[Mapping[str, str]] = MappingProxyType({})

    def request(self, text: str, **changes: Any) -> ReplyRequest:
        """Returns the request that sends this text."""
        messages = (Message(Role.USER, (TextPart(text),)),)
        return ReplyRequest(**{"model": self.model, "messages": messages, **changes})

    async def reply(self, provider: Provider, request: ReplyRequest) -> Reply:
        """Returns a whole reply. Fails when it never ends."""
        return await self.within(fold(provider.chat_completion(request)), "the reply did not end")

    async def events(self, provider: Provider, request: ReplyRequest) -> list[ReplyEvent]:
        """Returns the events of a reply. Fails when it never ends."""
        events: list[ReplyEvent] = []
        reply = provider.chat_completion(request)
        await self.within(_gather(reply, events), "the reply did not end")
        return events

    async def within(
        self, work: Awaitable[T], otherwise: str, *, seconds: float | None = None
    ) -> T:
        """Returns what comes of something that should not take long. Fails when it does."""
        limit = self.patience if seconds is None else seconds
        task = asyncio.ensure_future(work)
        await asyncio.wait({task}, timeout=limit)
        if not task.done():
            task.cancel()
            pytest.fail(f"After {limit:g} s {otherwise}.")
        return task.result()

    async def answer(self, work: Awaitable[T], name: str) -> T:
        """Returns what a small question is answered with."""
        return await self.within(work, f"{name} had no answer", seconds=LOADED)

    async def failed(
        self, provider: Provider, request: ReplyRequest, failure: type[ProviderError]
    ) -> Failed:
        """Asks for a reply that has to fail like this, and returns how it did."""
        events: list[ReplyEvent] = []
        failed: list[ProviderError] = []

        async def listen() -> None:
            try:
                await _gather(provider.chat_completion(request), events)
            except ProviderError as error:
                failed.append(error)

        await self.within(listen(), f"there was no {failure.__name__}")
        assert not [one for one in events if isinstance(one, Finished)], "It ended as if all well."
        assert failed, f"There was no {failure.__name__}: the stream just stopped."
        self.assert_failure(failed[0], failure)
        return Failed(failed[0], "".join(e.text for e in events if isinstance(e, TextDelta)))

    def assert_failure(self, error: ProviderError, failure: type[ProviderError]) -> None:
        """Fails unless an error is of this class and reason, says a sentence, and keeps secrets."""
        assert isinstance(error, failure), f"It is {error!r}, not {failure.__name__}."
        assert error.reason == failure.reason or failure is ProviderError
        assert error.message, "It has no sentence for the person who asked."
        self.assert_no_secret(error)

    def assert_no_secret(self, subject: object) -> None:
        """Fails when the credential shows in what a log or a traceback would show of this."""
        shown = repr(subject) + str(subject)
        if isinstance(subject, BaseException):
            shown += "".join(traceback.format_exception(subject)) + repr(vars(subject))
        # Not in the message of the assert, which would show it once more.
        shows = bool(self.secret) and self.secret in shown
        assert not shows, f"The credential shows in a {type(subject).__name__}."

    async def assert_no_task_left(self, before: set[asyncio.Task[Any]]) -> None:
        """Fails when tasks go on for more than a second that were not there before."""
        for _ in range(100):
            left = asyncio.all_tasks() - before
            if not left:
                return
            await asyncio.sleep(0.01)
        pytest.fail(f"Left behind: {left}")


async def _gather(events: AsyncIterator[ReplyEvent], into: list[ReplyEvent]) -> None:
    async for event in events:
        into.append(event)  # noqa: PERF401  (kept when the stream fails)
