"""The most that one reply may use, reckoned before anybody is asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import parley_provider_sdk as sdk

from parley_provider_service.core.allowances import PERIODS, Allowance, Balance, Meter, Share
from parley_provider_service.core.marks import marks_of
from parley_provider_service.core.model import Price
from parley_provider_service.core.pricing import MILLION, rounded_up

# Generous: English takes a token for about four bytes, most other scripts for three.
BYTES_PER_TOKEN = 3
TOKENS_PER_MESSAGE = 8
# For an image or a file, whose size in tokens only its vendor knows.
TOKENS_PER_FILE = 2_000


@dataclass(frozen=True, slots=True)
class Demand:
    """What a reply may take of each meter."""

    tokens: int = 0
    # Nothing is known to be spent where the price is unknown.
    nano_usd: int = 0

    def __add__(self, other: Demand) -> Demand:
        """Sum two, as for a reply that is asked for again."""
        return Demand(self.tokens + other.tokens, self.nano_usd + other.nano_usd)

    def shares(self, allowances: Sequence[Allowance]) -> tuple[Share, ...]:
        """Return what it takes of each allowance."""
        return tuple(Share(allowance, self._of(allowance)) for allowance in allowances)

    def _of(self, allowance: Allowance) -> int:
        if allowance.meter in PERIODS:
            return self.nano_usd
        if allowance.meter is Meter.TOKENS_PER_MINUTE:
            # What is larger than the whole limit goes through when nothing else does.
            return min(self.tokens, allowance.limit)
        return 1


def demand_of(
    input_tokens: int, output_tokens: int, price: Price | None, *, lasting: bool
) -> Demand:
    """Return the most that so many tokens take and cost.

    `lasting` when a vendor may be told to keep the input long.
    """
    nano_usd = 0
    if price is not None:
        given = input_tokens * dearest(price, lasting=lasting)
        nano_usd = rounded_up(given + output_tokens * price.output, MILLION)
    return Demand(input_tokens + output_tokens, nano_usd)


def dearest(price: Price, *, lasting: bool) -> int:
    """Return the most that input costs. Vendors may write to a cache unasked, but not for long."""
    given, cached, write, long_write = price.rates
    return max(given, cached, write, long_write if lasting else 0)


def may_last(request: sdk.ReplyRequest) -> bool:
    """Say whether a vendor may be told to keep the input long; what options say only it knows."""
    return bool(request.provider_options) or sdk.Keep.LONG in marks_of(request)


def affordable(
    balance: Balance, input_tokens: int, price: Price | None, *, lasting: bool
) -> int | None:
    """Return how many tokens of output an allowance is enough for; None for any number."""
    meter = balance.allowance.meter
    if meter is Meter.TOKENS_PER_MINUTE:
        return balance.left - input_tokens
    if meter is Meter.CONCURRENT_TURNS:
        return 0
    if price is None or not price.output:
        return None
    given = input_tokens * dearest(price, lasting=lasting)
    return (balance.left * MILLION - given) // price.output


def input_tokens_of(request: sdk.ReplyRequest) -> int:
    """Estimate, generously, how many tokens a model is given."""
    size = size_of(request.system)
    others = TOKENS_PER_MESSAGE
    for tool in request.tools:
        size += size_of(tool.name) + size_of(tool.description) + size_of(tool.parameters)
    if request.output is not None:
        size += size_of(request.output.schema)
    for message in request.messages:
        others += TOKENS_PER_MESSAGE
        for part in message.parts:
            size += part_size(part)
            others += TOKENS_PER_FILE * files_in(part)
    return rounded_up(size, BYTES_PER_TOKEN) + others


def part_size(part: sdk.Part) -> int:
    """Return the bytes of text in one piece of a message."""
    match part:
        case sdk.TextPart() | sdk.ReasoningPart():
            return size_of(part.text)
        case sdk.ToolCallPart():
            return size_of(part.name) + size_of(part.arguments)
        case sdk.ToolResultPart():
            return size_of(part.content)
    return 0


def files_in(part: sdk.Part) -> int:
    """Return how many images and files a piece of a message holds."""
    if isinstance(part, sdk.ToolResultPart):
        return len(part.images)
    return int(isinstance(part, sdk.ImagePart | sdk.FilePart))


def size_of(text: str) -> int:
    """Return the bytes of a text."""
    return len(text) if text.isascii() else len(text.encode(errors="replace"))
