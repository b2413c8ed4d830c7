"""One reply on its way from a provider to the one who asked for it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from itertools import groupby
from typing import cast

import parley_provider_sdk as sdk
from parley_rpc.faults import Fault, reason_of

from parley_provider_service.core.faults import BadProviderResponse
from parley_provider_service.core.model import Ask, Ended, Event, Hold, Price, Settlement
from parley_provider_service.core.patience import Patience
from parley_provider_service.core.pricing import cost_of, input_chars, larger, usage_so_far

LARGEST_COUNT = 2**53


class Reply:
    """Takes in what a provider says, gives out what has come since, and knows what it used.

    The one side is a task of the service, the other the call of whoever asked; either may end
    first.
    """

    def __init__(self, ask: Ask, provider: sdk.Provider, price: Price | None) -> None:
        self.ask = ask
        self.provider = provider
        self.price = price
        self.reported: sdk.Usage | None = None
        self.finished: sdk.Finished | None = None
        self.output_chars = 0
        self.input_chars = input_chars(ask.request)
        self.has_begun = False
        self.stopped = False
        # Why it was stopped, when somebody still listens.
        self.stopped_by: Fault | None = None
        # There while the provider may be interrupted.
        self.patience: Patience | None = None
        # Characters that nobody has taken yet.
        self.chars_behind = 0
        self._events: list[Event] = []
        self._arrived = asyncio.Event()
        self._heard = asyncio.Event()
        self._ended = False
        self._failure: Fault | None = None

    @property
    def hold(self) -> Hold:
        """What the ledger must know before the provider is asked."""
        ask, model = self.ask, self.ask.request.model
        owner = (ask.owner_id, ask.key_id)
        return Hold(ask.usage_id, *owner, ask.provider, model, self.input_chars, self.price)

    def take(self, event: sdk.ReplyEvent) -> None:
        """Take in one event; BadProviderResponse when it breaks the contract."""
        if self.finished is not None:
            raise self.broken("sent more after its end")
        self.has_begun = True
        match event:
            case sdk.TextDelta() | sdk.ReasoningDelta():
                self._take_text(event)
            case sdk.ToolCallDelta(index=int(), provider_metadata=bytes()):
                self._take_call(event)
            case sdk.UsageUpdate():
                self.reported = larger(self.reported, self._counted(event.usage))
                self._put(sdk.UsageUpdate(self.reported))
            case sdk.Finished(reason=sdk.FinishReason()):
                self.reported = self._counted(event.usage)
                self.finished = event
            case _:
                raise self.broken(f"sent a {type(event).__name__}, which is no event")

    def settlement(self, failure: Fault | None) -> Settlement:
        """Say what the call used and cost, however it ended."""
        usage = self.reported
        if self.finished is not None and failure is None:
            outcome = self.finished.reason.value
        else:
            outcome = reason_of(failure) if failure else "stopped"
            usage = usage_so_far(usage, self.input_chars, self.output_chars)
        cost = None if usage is None else cost_of(usage, self.price)
        return Settlement(self.ask.usage_id, outcome, usage, cost, self.output_chars)

    def end(self, settlement: Settlement | None, failure: Fault | None) -> None:
        """Tell the listener the end, as it was settled; only the first end counts."""
        if self._ended:
            return
        self._ended, self._failure = True, failure
        if settlement is not None and settlement.usage is not None:
            if self.finished is not None and failure is None:
                self._put(Ended(self.finished.reason, settlement.usage, settlement.cost))
            else:
                self._put(sdk.UsageUpdate(settlement.usage))
        self._arrived.set()

    def stop(self, why: Fault | None = None) -> None:
        """Let nothing more be produced: nobody listens any more, or the service has a reason."""
        if self.stopped:
            return
        self.stopped, self.stopped_by = True, why
        if self.patience is not None:
            self.patience.end()

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

    def broken(self, what: str) -> Fault:
        """Return the fault of a plugin that breaks its contract."""
        provider = self.ask.provider
        sentence = f"The plugin of '{provider}' {what}."
        return BadProviderResponse(sentence, provider=provider, model=self.ask.request.model)

    def _take_text(self, event: sdk.TextDelta | sdk.ReasoningDelta) -> None:
        text = self._checked(event.text)
        if text:
            self._grow(text)
            self._put(event if text is event.text else type(event)(text))

    def _take_call(self, event: sdk.ToolCallDelta) -> None:
        call_id, name = self._checked(event.tool_call_id), self._checked(event.name)
        arguments = self._checked(event.arguments)
        self._grow(arguments)
        self._put(sdk.ToolCallDelta(event.index, call_id, name, arguments, event.provider_metadata))

    def _checked(self, text: object) -> str:
        if not isinstance(text, str):
            raise self.broken(f"sent a {type(text).__name__} as text")
        try:
            text.encode()
        except UnicodeEncodeError:
            raise self.broken("sent half of a character") from None
        # No database keeps a NUL, and nobody would see one.
        return text.replace("\0", "\N{REPLACEMENT CHARACTER}") if "\0" in text else text

    def _counted(self, usage: object) -> sdk.Usage:
        if isinstance(usage, sdk.Usage) and isinstance(usage.source, sdk.UsageSource):
            counts = (
                usage.input_tokens,
                usage.output_tokens,
                usage.cached_input_tokens,
                usage.reasoning_tokens,
            )
            if all(isinstance(count, int) and 0 <= count < LARGEST_COUNT for count in counts):
                return usage
        raise self.broken("counted what is no usage")

    def _grow(self, text: str) -> None:
        self.output_chars += len(text)
        self.chars_behind += len(text)

    def _put(self, event: Event) -> None:
        self._events.append(event)
        self._arrived.set()


def merged(events: Sequence[Event]) -> Iterator[Event]:
    """Join neighbouring texts; of neighbouring counts keep the last."""
    if len(events) == 1:
        yield events[0]
        return
    for kind, run in groupby(events, type):
        if kind is sdk.TextDelta or kind is sdk.ReasoningDelta:
            yield kind("".join(event.text for event in cast("Iterator[sdk.TextDelta]", run)))
        elif kind is sdk.UsageUpdate:
            *_, last = run
            yield last
        else:
            yield from run
