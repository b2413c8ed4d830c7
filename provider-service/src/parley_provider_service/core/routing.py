"""Who is asked for a reply, in which order, and whether once more."""

from __future__ import annotations

import random
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from contextlib import ExitStack
from dataclasses import dataclass

from parley_rpc.faults import Fault, InvalidArgument, ScopeMissing, TooBusy, reason_of

from parley_provider_service.core.admission import Breaker, Bulkhead, Circuit
from parley_provider_service.core.catalog import Catalog
from parley_provider_service.core.faults import CircuitOpen
from parley_provider_service.core.model import Model, ModelChoice
from parley_provider_service.core.permission import require_model, require_provider
from parley_provider_service.core.roster import Entry

# Says that nothing was generated, so asking again bills nothing twice.
ASKED_AGAIN = frozenset({"unreachable", "rate_limited", "overloaded"})
# May be worth one more try, not several.
ASKED_ONCE_MORE = frozenset({"provider_error", "bad_response"})
# Say that the vendor is not well; all others are answers, and it is.
UNWELL = frozenset({"unreachable", "overloaded", "provider_error", "timeout", "bad_response"})
# Say that the vendor was not even asked.
NOT_ASKED = frozenset({"invalid_argument", "deadline_exceeded"})
# What another vendor would answer no better: it is the request that is wrong.
FINAL = frozenset({"bad_request", "content_filtered", "too_large", "invalid_argument"})
MOST_TRIES = 3
FIRST_PAUSE_SECONDS = 0.25
# A wait that is worth it while somebody else could be asked.
SHORT_WAIT_SECONDS = 1.0
LONGEST_WAIT_SECONDS = 60.0


@dataclass(slots=True)
class Admission:
    """A place with somebody who may be asked; it must be given back."""

    entry: Entry
    model: Model
    bulkhead: Bulkhead
    # As they were when the place was given: a provider that is configured anew gets others.
    breaker: Breaker
    # It is the one call that tries whether the vendor is well again.
    is_probe: bool = False

    @classmethod
    def to(cls, entry: Entry, model: Model) -> Admission:
        """Return an admission to a place that was taken; CircuitOpen."""
        admission = cls(entry, model, entry.bulkhead, entry.breaker)
        if not admission.ask_again():
            raise CircuitOpen(entry.name, max(entry.breaker.wait, 1.0))
        return admission

    def ask_again(self) -> bool:
        """Let one more asking through to the vendor, or not; it must end in `judge`."""
        self.is_probe = self.breaker.circuit is not Circuit.CLOSED
        return self.breaker.admit()

    def leave(self) -> None:
        """Give the place back."""
        self.bulkhead.leave()

    def dismiss(self) -> None:
        """Give back a place that was not used."""
        if self.is_probe:
            self.breaker.abstain()
        self.leave()

    def judge(self, fault: Fault | None, *, spoke: bool) -> None:
        """Tell the breaker what an asking says about the vendor.

        One that has begun to speak is there, even when its reply breaks off: to leave it alone
        would cost more replies than it saves. What comes late, after the breaker has opened, is
        no news: the call that tries the vendor decides.
        """
        if not self.is_probe and self.breaker.circuit is not Circuit.CLOSED:
            return
        if spoke:
            self.breaker.succeed()
        elif fault is None or reason_of(fault) in NOT_ASKED:
            self.breaker.abstain()  # it was stopped early, or not asked at all
        elif reason_of(fault) in UNWELL:
            self.breaker.fail()
        else:
            self.breaker.succeed()


class Route:
    """The candidates for one reply: who was asked for, then who is asked instead.

    Of these, whom the key may not ask (`scopes`) is passed over; of the first it is a failure.
    """

    def __init__(
        self,
        catalog: Catalog,
        choices: Sequence[ModelChoice],
        scopes: AbstractSet[str] = frozenset(),
    ) -> None:
        self.catalog = catalog
        self.choices = list(choices)
        self.scopes = scopes
        self._wanted = self.choices[0]
        self._tries = 0

    @property
    def has_more(self) -> bool:
        """Whether anybody else is left to be asked."""
        return bool(self.choices)

    async def admit(self, patience: float) -> Admission:
        """Let the reply in with the first candidate that has a place for it.

        Raise the fault of the first that had none when no one has: ProviderNotFound,
        ProviderNotReady, ModelNotFound, ScopeMissing, CircuitOpen, TooBusy.
        """
        first: Fault | None = None
        while self.choices:
            choice = self.choices.pop(0)
            self._tries = 0
            try:
                return await self._admit(choice, 0.0 if self.choices else patience)
            except Fault as fault:
                if is_final(fault) or (isinstance(fault, ScopeMissing) and choice is self._wanted):
                    raise
                first = first or fault
        raise first or InvalidArgument.of("provider", "must not be empty")

    def pause(self, admission: Admission, fault: Fault, left: float) -> float | None:
        """Return the seconds to wait before the same one is asked again; None for not at all."""
        self._tries += 1
        reason = reason_of(fault)
        most = tries_of(reason, retry_timeouts=admission.entry.config.retry_timeouts)
        if self._tries >= most or admission.breaker.wait > 0:
            return None
        wait = fault.retry_after
        if wait is None:
            longest = FIRST_PAUSE_SECONDS * 2 ** (self._tries - 1)
            wait = random.uniform(longest / 2, longest)  # noqa: S311  (no secret)
        limit = SHORT_WAIT_SECONDS if self.has_more else LONGEST_WAIT_SECONDS
        if wait > min(limit, left) or not admission.entry.budget.spend():
            return None
        return wait

    async def _admit(self, choice: ModelChoice, patience: float) -> Admission:
        require_provider(self.scopes, choice.provider)
        name = choice.model or (await self.catalog.find(choice.provider, "")).name
        require_model(self.scopes, choice.provider, name)
        entry, model = await self.catalog.target(choice.provider, name)
        if entry.breaker.wait > 0:
            raise CircuitOpen(entry.name, entry.breaker.wait)
        if not await entry.bulkhead.enter(patience):
            limit = entry.bulkhead.limit
            sentence = f"The provider '{entry.name}' is making {limit} replies already."
            raise TooBusy(sentence, retry_after=1.0, provider=entry.name, limit=limit)
        with ExitStack() as unless_admitted:
            unless_admitted.callback(entry.bulkhead.leave)
            admission = Admission.to(entry, model)
            unless_admitted.pop_all()
        entry.budget.note_request()
        return admission


def tries_of(reason: str, *, retry_timeouts: bool) -> int:
    """Return how often one is asked at most that fails like this."""
    if reason in ASKED_AGAIN or (reason == "timeout" and retry_timeouts):
        return MOST_TRIES
    return 2 if reason in ASKED_ONCE_MORE else 1


def is_final(fault: Fault) -> bool:
    """Whether nobody else would do better."""
    return reason_of(fault) in FINAL


def choices_of(
    entry: Entry, first: ModelChoice, wanted: Sequence[ModelChoice]
) -> list[ModelChoice]:
    """Return whom to ask: the first, then those that were named, else an administrator's list."""
    policy = [ModelChoice.parsed(text) for text in entry.config.fallbacks]
    return list(dict.fromkeys([first, *(wanted or policy)]))
