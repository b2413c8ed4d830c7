"""What a call used and cost: as its vendor reports, or estimated from its length."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from operator import mul

import parley_provider_sdk as sdk
from parley_provider_sdk import Usage, UsageSource

from parley_provider_service.core.model import Attempted, Cost, Price

CHARACTERS_PER_TOKEN = 4
MILLION = 1_000_000
MANY = 2


def estimate(input_chars: int, output_chars: int) -> Usage:
    """Estimate the tokens of texts from their length."""
    return Usage(
        input_tokens=rounded_up(input_chars, CHARACTERS_PER_TOKEN),
        output_tokens=rounded_up(output_chars, CHARACTERS_PER_TOKEN),
        source=UsageSource.ESTIMATED,
    )


def usage_so_far(
    reported: Usage | None, input_chars: int, output_chars: int, uncounted_chars: int = 0
) -> Usage | None:
    """Return what a call used that ended before its vendor counted up.

    A vendor may have counted early and produced `uncounted_chars` more afterwards: these are
    estimated. None when nothing was reported and nothing produced.
    """
    if reported is None:
        return estimate(input_chars, output_chars) if output_chars else None
    if not uncounted_chars:
        return reported
    made = reported.output_tokens + rounded_up(uncounted_chars, CHARACTERS_PER_TOKEN)
    return replace(reported, output_tokens=made, source=UsageSource.ESTIMATED)


def larger(one: Usage | None, other: Usage) -> Usage:
    """Return a usage that is in no figure less than either; the later one says where from."""
    if one is None:
        return other
    pairs = zip(counts_of(one), counts_of(other), strict=True)
    return usage_of((max(pair) for pair in pairs), other.source)


def cost_of(usage: Usage, price: Price | None) -> Cost | None:
    """Return what a usage costs, rounded up once; None when the price is unknown."""
    if price is None:
        return None
    cached = min(usage.cached_input_tokens, usage.input_tokens)
    written = min(usage.cache_write_tokens, usage.input_tokens - cached)
    lasting = min(usage.long_cache_write_tokens, written)
    counts = (usage.input_tokens - cached - written, cached, written - lasting, lasting)
    total = sum(map(mul, counts, price.rates)) + usage.output_tokens * price.output
    return Cost(rounded_up(total, MILLION), price.version)


def total_usage(usages: Sequence[Usage | None]) -> Usage | None:
    """Sum what several attempts used; one estimate makes the sum one. None for nothing."""
    used = [usage for usage in usages if usage is not None]
    if len(used) < MANY:
        return used[0] if used else None
    estimated = any(usage.source is UsageSource.ESTIMATED for usage in used)
    source = UsageSource.ESTIMATED if estimated else used[-1].source
    return usage_of(map(sum, zip(*map(counts_of, used), strict=True)), source)


def counts_of(usage: Usage) -> tuple[int, ...]:
    """Return all counts of a usage."""
    return (
        usage.input_tokens,
        usage.output_tokens,
        usage.cached_input_tokens,
        usage.reasoning_tokens,
        usage.cache_write_tokens,
        usage.long_cache_write_tokens,
    )


def usage_of(counts: Iterable[int], source: UsageSource) -> Usage:
    """Return a usage of such counts."""
    given, made, cached, reasoning, written, lasting = counts
    return Usage(given, made, cached, reasoning, source, written, lasting)


def total_cost(attempts: Sequence[Attempted]) -> Cost | None:
    """Sum what several attempts cost; None when one used tokens at a price that is unknown."""
    used = [attempt for attempt in attempts if attempt.usage is not None]
    costs = [attempt.cost for attempt in used if attempt.cost is not None]
    if not costs or len(costs) < len(used):
        return None
    versions = list(dict.fromkeys(cost.price_version for cost in costs))
    return Cost(sum(cost.nano_usd for cost in costs), " + ".join(versions))


def input_chars(request: sdk.ReplyRequest) -> int:
    """Count the characters that a model is given; images and files do not count."""
    return len(request.system) + sum(
        length(part) for message in request.messages for part in message.parts
    )


def length(part: sdk.Part) -> int:
    """Count the characters of one piece of a message."""
    match part:
        case sdk.TextPart() | sdk.ReasoningPart():
            return len(part.text)
        case sdk.ToolCallPart():
            return len(part.arguments)
        case sdk.ToolResultPart():
            return len(part.content)
    return 0


def rounded_up(number: int, divisor: int) -> int:
    """Divide, rounding up."""
    return -(-number // divisor)
