"""What a reply may use at most is held before anybody is asked, so that nobody overspends."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from parley_provider_service.core.allowances import PERIODS, Exhausted, Meter, refusal
from parley_provider_service.core.demand import (
    Demand,
    affordable,
    demand_of,
    input_tokens_of,
    may_last,
)
from parley_provider_service.core.faults import PriceUnknown, UsageExists
from parley_provider_service.core.model import Attempted, Model
from parley_provider_service.core.parameters import takes
from parley_provider_service.core.ports import Ledger
from parley_provider_service.core.reply import Reply
from parley_provider_service.core.routing import Admission

# A reply that could be no longer than this is refused instead.
SHORTEST_OUTPUT_TOKENS = 256
# Of what is left, others may hold some a moment later.
MOST_FITTINGS = 3


class UnknownPrices(StrEnum):
    """What becomes of models without a price, for a caller who has a budget."""

    ALLOW = "allow"
    REFUSE = "refuse"


@dataclass(frozen=True, slots=True)
class Terms:
    """How what a reply may use is reckoned."""

    # The most output of a reply for which nobody asked for a length; it is kept to that.
    output_tokens: int = 8_192
    unknown_prices: UnknownPrices = UnknownPrices.ALLOW


class Cover:
    """Holds enough of a caller's allowances, and more of them before somebody dearer is asked."""

    def __init__(self, ledger: Ledger, terms: Terms) -> None:
        self.ledger = ledger
        self.terms = terms

    async def hold(self, reply: Reply, admission: Admission) -> None:
        """Write the call into the ledger.

        UsageExists, BudgetExceeded, LimitExceeded, PriceUnknown.
        """
        self._check_price(reply, admission.model)
        length = self._longest(reply, admission)
        try:
            for _ in range(MOST_FITTINGS):
                try:
                    await self._hold(reply, admission.model, length)
                except Exhausted as exhausted:
                    length = self._shorter(reply, admission, length, exhausted)
                else:
                    return
            await self._hold(reply, admission.model, length)
        except Exhausted as exhausted:
            raise refusal(exhausted.balances) from None

    async def extend(self, reply: Reply, admission: Admission) -> None:
        """Hold enough for one more asking, of whomever; faults as of `hold`."""
        allowances = reply.ask.allowances
        if not allowances:
            return
        self._check_price(reply, admission.model)
        length = self._longest(reply, admission)
        need = spent(reply.attempted) + self._demand(reply, admission.model, length)
        if need.tokens <= reply.demand.tokens and need.nano_usd <= reply.demand.nano_usd:
            return
        try:
            await self.ledger.extend(reply.ask.usage_id, need.shares(allowances))
        except Exhausted as exhausted:
            raise refusal(exhausted.balances) from None
        reply.demand = need

    async def _hold(self, reply: Reply, model: Model, length: int) -> None:
        reply.demand = self._demand(reply, model, length)
        if not await self.ledger.hold(reply.hold):
            raise UsageExists(reply.ask.usage_id)

    def _demand(self, reply: Reply, model: Model, length: int) -> Demand:
        if length or reply.ask.embedding is not None:
            lasting = may_last(reply.ask.request)
            return demand_of(reply.input_tokens, length, model.price, lasting=lasting)
        return Demand()

    def _check_price(self, reply: Reply, model: Model) -> None:
        refused = self.terms.unknown_prices is UnknownPrices.REFUSE and model.price is None
        if refused and any(one.meter in PERIODS for one in reply.ask.allowances):
            raise PriceUnknown(model.provider, model.name)

    def _longest(self, reply: Reply, admission: Admission) -> int:
        """Return the most output, in tokens; nobody counts where nothing limits it."""
        ask, model = reply.ask, admission.model
        if all(one.meter is Meter.CONCURRENT_TURNS for one in ask.allowances):
            return 0
        if not reply.input_tokens:
            reply.input_tokens = input_tokens_of(ask.request)
        if ask.embedding is not None:
            return 0
        asked = ask.request.max_tokens
        if asked is not None:
            return asked
        most = min(model.max_output_tokens or self.terms.output_tokens, self.terms.output_tokens)
        if takes(admission.entry, model, "max_tokens"):
            reply.output_limit = min(reply.output_limit or most, most)
            return reply.output_limit
        return most

    def _shorter(
        self, reply: Reply, admission: Admission, length: int, exhausted: Exhausted
    ) -> int:
        """Return the length of a reply for which enough is left; Exhausted when none is worth it.

        Only where nobody asked for a length, and the model keeps to one.
        """
        price, lasting = admission.model.price, may_last(reply.ask.request)
        for balance in exhausted.balances:
            enough = affordable(balance, reply.input_tokens, price, lasting=lasting)
            length = length if enough is None else min(length, enough)
        if reply.output_limit is None or length < SHORTEST_OUTPUT_TOKENS:
            raise exhausted
        reply.output_limit = length
        return length


def spent(attempts: list[Attempted]) -> Demand:
    """Return what was used already, by those who were asked before."""
    total = Demand()
    for one in attempts:
        if one.usage is not None:
            tokens = one.usage.input_tokens + one.usage.output_tokens
            total += Demand(tokens, one.cost.nano_usd if one.cost else 0)
    return total
