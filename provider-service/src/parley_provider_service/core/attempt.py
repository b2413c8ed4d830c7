"""One time that a vendor is asked: what it says, kept to the contract, and what it used."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence

import parley_provider_sdk as sdk
from parley_rpc.faults import Fault, reason_of

from parley_provider_service.core.faults import BadProviderResponse
from parley_provider_service.core.model import Attempted, Event, Model, Vectors
from parley_provider_service.core.pricing import cost_of, counts_of, larger, usage_so_far

LARGEST_COUNT = 2**53
# For a token that could not have come; JSON has no infinity.
LEAST_LOGPROB = -9999.0


class Attempt:
    """Checks each event of a provider's stream, and counts."""

    def __init__(self, provider: str, model: Model, input_chars: int) -> None:
        self.provider = provider
        self.model = model
        self.input_chars = input_chars
        self.output_chars = 0
        self.reported: sdk.Usage | None = None
        self.finished: sdk.Finished | None = None
        # Whether the reply itself has begun: counts of tokens alone are no beginning.
        self.has_spoken = False
        # Characters that the last count covers.
        self._counted_chars = 0
        self._began_at = time.monotonic()

    def take(self, event: sdk.ReplyEvent | Vectors) -> Event | None:
        """Return an event as it may be told; None for one that is only counted.

        BadProviderResponse when it breaks the contract.
        """
        if self.finished is not None:
            raise self.broken("sent more after its end")
        match event:
            case (
                sdk.TextDelta(provider_metadata=bytes())
                | sdk.ReasoningDelta(provider_metadata=bytes())
            ):
                return self._text(event)
            case sdk.ToolCallDelta(index=int(), provider_metadata=bytes()):
                return self._call(event)
            case sdk.Logprobs():
                return self._logprobs(event)
            case Vectors():
                self.has_spoken = True
                return event
            case sdk.UsageUpdate():
                self.reported = larger(self.reported, self._counted(event.usage))
                self._counted_chars = self.output_chars
                return sdk.UsageUpdate(self.reported)
            case sdk.Finished(reason=sdk.FinishReason()):
                self.reported = self._counted(event.usage)
                stop = self._checked(event.stop_sequence)
                self.finished = sdk.Finished(event.reason, event.usage, stop)
                return None
        raise self.broken(f"sent a {type(event).__name__}, which is no event")

    def ended(self, failure: Fault | None) -> Attempted:
        """Say how it ended, what it used and what that costs."""
        usage = self.reported
        if self.finished is not None and failure is None:
            outcome = self.finished.reason.value
        else:
            outcome = reason_of(failure) if failure else "stopped"
            uncounted = self.output_chars - self._counted_chars
            usage = usage_so_far(usage, self.input_chars, self.output_chars, uncounted)
        cost = None if usage is None else cost_of(usage, self.model.price)
        took = round((time.monotonic() - self._began_at) * 1000)
        return Attempted(self.provider, self.model.name, outcome, usage, cost, took)

    def broken(self, what: str) -> Fault:
        """Return the fault of a plugin that breaks its contract."""
        sentence = f"The plugin of '{self.provider}' {what}."
        return BadProviderResponse(sentence, provider=self.provider, model=self.model.name)

    def _text(self, event: sdk.TextDelta | sdk.ReasoningDelta) -> Event | None:
        text = self._checked(event.text)
        if not text and not event.provider_metadata:
            return None
        self.has_spoken = True
        self.output_chars += len(text)
        return event if text is event.text else type(event)(text, event.provider_metadata)

    def _call(self, event: sdk.ToolCallDelta) -> Event:
        call_id, name = self._checked(event.tool_call_id), self._checked(event.name)
        arguments = self._checked(event.arguments)
        self.has_spoken = True
        self.output_chars += len(arguments)
        metadata = event.provider_metadata
        return sdk.ToolCallDelta(event.index, call_id, name, arguments, metadata)

    def _logprobs(self, event: sdk.Logprobs) -> Event | None:
        self.has_spoken = True
        return sdk.Logprobs(self._probabilities(event.tokens, with_others=True))

    def _probabilities(self, tokens: object, *, with_others: bool) -> list[sdk.TokenLogprob]:
        """Return the probabilities of tokens as they may be told; without others in theirs."""
        checked = []
        for one in tokens if isinstance(tokens, Sequence) else [None]:
            match one:
                case sdk.TokenLogprob(logprob=int() | float(), spelling=bytes()):
                    top = self._probabilities(one.top, with_others=False) if with_others else ()
                    logprob = one.logprob if math.isfinite(one.logprob) else LEAST_LOGPROB
                    text = self._checked(one.token)
                    checked.append(sdk.TokenLogprob(text, logprob, one.spelling, top))
                case _:
                    raise self.broken("sent what are no probabilities")
        return checked

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
            counts = counts_of(usage)
            if all(isinstance(count, int) and 0 <= count < LARGEST_COUNT for count in counts):
                return usage
        raise self.broken("counted what is no usage")
