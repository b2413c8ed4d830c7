"""One reply on its way from whoever makes it to the one who asked for it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from itertools import groupby
from typing import cast

import parley_provider_sdk as sdk
from parley_rpc.faults import Fault

from parley_provider_service.core.attempt import Attempt
from parley_provider_service.core.demand import Demand
from parley_provider_service.core.model import (
    Answerer,
    Ask,
    Attempted,
    Ended,
    Event,
    Hold,
    Model,
    Progress,
    Settlement,
    Vectors,
)
from parley_provider_service.core.patience import Patience
from parley_provider_service.core.pricing import input_chars, total_cost, total_usage

# What a probability weighs in memory, in characters.
LOGPROB_CHARACTERS = 32


class Reply:
    """Gives out what has come since, and knows who was asked and what that used.

    The one side is a task of the service, the other the call of whoever asked; either may end
    first.
    """

    def __init__(self, ask: Ask, first: str = "") -> None:
        self.ask = ask
        # Who is asked first: what vendors want back in the request is taken for theirs.
        self.first = first or ask.provider
        self.input_chars = input_chars(ask.request)
        # What it holds of its caller's allowances, and what that was reckoned from; a length of
        # its own when it may be no longer than is held for it.
        self.demand = Demand()
        self.input_tokens = 0
        self.output_limit: int | None = None
        self._stop = asyncio.Event()
        # Why it was stopped, when somebody still listens.
        self.stopped_by: Fault | None = None
        # There while the provider may be interrupted.
        self.patience: Patience | None = None
        # The asking that is under way, or the last one; before the first, what was asked for.
        name = ask.request.model
        self.attempt = Attempt(ask.provider, Model(ask.provider, name, name), self.input_chars)
        self.attempted: list[Attempted] = []
        # Characters that nobody has taken yet.
        self.chars_behind = 0
        self._output_chars = 0
        # Who is asked, when that is still to be told.
        self._answerer: Answerer | None = None
        self._events: list[Event] = []
        self._arrived = asyncio.Event()
        self._heard = asyncio.Event()
        self._ended = False
        self._failure: Fault | None = None

    @property
    def stopped(self) -> bool:
        """Whether nothing more is wanted."""
        return self._stop.is_set()

    @property
    def hold(self) -> Hold:
        """What the ledger must know before a provider is asked."""
        ask, attempt = self.ask, self.attempt
        owner = (ask.owner_id, ask.key_id)
        asked = (attempt.provider, attempt.model.name)
        shares = self.demand.shares(ask.allowances)
        price = attempt.model.price
        return Hold(ask.usage_id, *owner, *asked, self.input_chars, price, shares)

    @property
    def progress(self) -> Progress:
        """What the ledger must know to settle it without us."""
        attempt = self.attempt
        chars = self._output_chars + attempt.output_chars
        return Progress(chars, attempt.provider, attempt.model.name, attempt.model.price)

    @property
    def is_over(self) -> bool:
        """Whether nobody else may be asked any more."""
        return self.stopped or self.attempt.has_spoken or self.attempt.finished is not None

    def ask_next(self, provider: str, model: Model) -> None:
        """Begin to ask somebody, perhaps the same one again; tell it when it is another.

        Of the first it is told with what comes next: what fails at once has no event before it.
        """
        before = self.attempt
        self.attempt = Attempt(provider, model, self.input_chars)
        if (before.provider, before.model.name) == (provider, model.name):
            return
        self._answerer = Answerer(provider, model.name)
        if self.attempted:
            self._tell_answerer()

    def note(self, failure: Fault | None) -> None:
        """Write down how the asking ended."""
        self.attempted.append(self.attempt.ended(failure))
        self._output_chars += self.attempt.output_chars

    def take(self, event: sdk.ReplyEvent | Vectors) -> None:
        """Take in one event; BadProviderResponse when it breaks the contract."""
        told = self.attempt.take(event)
        if told is None:
            return
        if isinstance(told, sdk.TextDelta | sdk.ReasoningDelta):
            self.chars_behind += len(told.text)
        elif isinstance(told, sdk.Logprobs):
            probabilities = sum(1 + len(token.top) for token in told.tokens)
            self.chars_behind += probabilities * LOGPROB_CHARACTERS
        elif isinstance(told, sdk.UsageUpdate) and self.attempted:
            usages = [*(one.usage for one in self.attempted), told.usage]
            told = sdk.UsageUpdate(total_usage(usages) or told.usage)
        self._put(told)

    def settlement(self) -> Settlement:
        """Sum up what all attempts used and cost; the last one says how it ended.

        Unless it was stopped: then another might have followed it.
        """
        ended = self.attempt.finished is not None or not self.stopped
        return Settlement(
            self.ask.usage_id,
            self.attempted[-1].outcome if ended else "stopped",
            total_usage([one.usage for one in self.attempted]),
            total_cost(self.attempted),
            self._output_chars,
            tuple(self.attempted),
        )

    def end(self, settlement: Settlement | None, failure: Fault | None) -> None:
        """Tell the listener the end, as it was settled; only the first end counts."""
        if self._ended:
            return
        self._ended, self._failure = True, failure
        if settlement is not None and settlement.usage is not None:
            finished, attempt = self.attempt.finished, self.attempt
            if finished is not None and failure is None:
                used = (settlement.usage, settlement.cost)
                by = (attempt.provider, attempt.model.name)
                self._put(Ended(finished.reason, *used, *by, finished.stop_sequence))
            else:
                self._put(sdk.UsageUpdate(settlement.usage))
        self._arrived.set()

    def stop(self, why: Fault | None = None) -> None:
        """Let nothing more be produced: nobody listens any more, or the service has a reason."""
        if self.stopped:
            return
        self.stopped_by = why
        self._stop.set()
        if self.patience is not None:
            self.patience.end()

    @contextlib.contextmanager
    def within(self, patience: Patience) -> Iterator[None]:
        """Let a stop end what this block waits for: TimeoutError, as when it is too late."""
        with patience:
            self.patience = patience
            try:
                yield
            finally:
                self.patience = None

    async def stopped_within(self, seconds: float) -> bool:
        """Wait so long, or until it is stopped; say whether it is."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._stop.wait()
        return self.stopped

    async def heard(self) -> None:
        """Wait until the listener has taken all there is."""
        self._heard.clear()
        await self._heard.wait()

    async def events(self, pause: Callable[[], float]) -> AsyncIterator[Event]:
        """Yield what comes, until the end; raise the fault it ended with.

        What arrives within `pause()` seconds after something was given out is given out
        together; zero gives out everything at once.
        """
        while not (self._ended and not self._events):
            await self._arrived.wait()
            self._arrived.clear()
            events, self._events = self._events, []
            self.chars_behind = 0
            self._heard.set()
            for event in merged(events):
                yield event
            seconds = 0.0 if self._ended else pause()
            if seconds:
                await asyncio.sleep(seconds)
        if self._failure is not None:
            raise self._failure

    def _put(self, event: Event) -> None:
        if self._answerer is not None:
            self._tell_answerer()
        self._events.append(event)
        self._arrived.set()

    def _tell_answerer(self) -> None:
        answerer, self._answerer = self._answerer, None
        if answerer is not None:
            self._put(answerer)


def merged(events: Sequence[Event]) -> Iterator[Event]:
    """Join neighbouring texts; of neighbouring counts keep the last."""
    if len(events) == 1:
        yield events[0]
        return
    for kind, run in groupby(events, kind_of):
        if kind is sdk.TextDelta or kind is sdk.ReasoningDelta:
            yield kind("".join(event.text for event in cast("Iterator[sdk.TextDelta]", run)))
        elif kind is sdk.UsageUpdate:
            *_, last = run
            yield last
        else:
            yield from run


def kind_of(event: Event) -> object:
    """Return what an event may be joined with: metadata ends a piece, so it stands alone."""
    if isinstance(event, sdk.TextDelta | sdk.ReasoningDelta) and event.provider_metadata:
        return None
    return type(event)
