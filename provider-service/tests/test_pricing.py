"""What a call used and cost."""

from __future__ import annotations

from dataclasses import replace

import parley_provider_sdk as sdk
import pytest
from parley_provider_service.core.model import FREE, Cost, Price
from parley_provider_service.core.pricing import (
    cost_of,
    estimate,
    input_chars,
    larger,
    usage_so_far,
)

pytestmark = pytest.mark.unit

PRICE = Price(2_500_000_000, 10_000_000_000, 1_250_000_000, "list 1")
WRITES = replace(PRICE, cache_write=3_125_000_000, long_cache_write=5_000_000_000)
WRITTEN = sdk.Usage(10, 0, cached_input_tokens=4, cache_write_tokens=6, long_cache_write_tokens=2)


@pytest.mark.parametrize(
    ("usage", "price", "nano"),
    [
        (sdk.Usage(1_000_000, 0), PRICE, 2_500_000_000),
        (sdk.Usage(0, 1_000_000), PRICE, 10_000_000_000),
        (sdk.Usage(10, 20), PRICE, 225_000),
        (sdk.Usage(10, 20, cached_input_tokens=4), PRICE, 220_000),
        (sdk.Usage(10, 20, cached_input_tokens=999), PRICE, 212_500),
        (sdk.Usage(10, 20, cached_input_tokens=4), Price(1_000_000, 0, None, "x"), 10),
        (sdk.Usage(10, 20, reasoning_tokens=15), PRICE, 225_000),
        # 4 cached, 6 written, and of these 2 for long; more than there are count as all there are.
        (replace(WRITTEN, input_tokens=14), WRITES, 4 * 1_250 + 4 * 2_500 + 4 * 3_125 + 2 * 5_000),
        (WRITTEN, replace(WRITES, long_cache_write=None), 4 * 1_250 + 6 * 3_125),
        (WRITTEN, PRICE, 4 * 1_250 + 6 * 2_500),
        (replace(WRITTEN, input_tokens=5), WRITES, 4 * 1_250 + 5_000),
        (sdk.Usage(1, 0), Price(1, 0, None, "x"), 1),
        (sdk.Usage(1, 1), Price(1, 1, None, "x"), 1),
        (sdk.Usage(0, 0), PRICE, 0),
        (sdk.Usage(10, 20), FREE, 0),
        (sdk.Usage(2**52, 2**52), PRICE, 2**52 * 12_500),
    ],
)
def test_a_cost_is_rounded_up_once(usage: sdk.Usage, price: Price, nano: int) -> None:
    assert Cost(nano, price.version) == cost_of(usage, price)


def test_an_unknown_price_is_no_cost() -> None:
    assert cost_of(sdk.Usage(10, 20), None) is None


def test_estimates_round_up_and_say_so() -> None:
    assert sdk.Usage(1, 3, source=sdk.UsageSource.ESTIMATED) == estimate(1, 9)
    assert sdk.Usage(0, 0, source=sdk.UsageSource.ESTIMATED) == estimate(0, 0)


@pytest.mark.parametrize(
    ("reported", "output_chars", "uncounted", "expected"),
    [
        (None, 0, 0, None),
        (None, 9, 9, sdk.Usage(5, 3, source=sdk.UsageSource.ESTIMATED)),
        (sdk.Usage(100, 0), 0, 0, sdk.Usage(100, 0)),
        (sdk.Usage(100, 2), 9, 0, sdk.Usage(100, 2)),
        (sdk.Usage(100, 2, 7, 1), 9, 5, sdk.Usage(100, 4, 7, 1, sdk.UsageSource.ESTIMATED)),
    ],
)
def test_what_was_cut_off_used_what_is_known_of_it(
    reported: sdk.Usage | None, output_chars: int, uncounted: int, expected: sdk.Usage | None
) -> None:
    assert expected == usage_so_far(reported, 20, output_chars, uncounted)


def test_the_larger_of_two_counts_is_larger_in_every_figure() -> None:
    estimated = sdk.UsageSource.ESTIMATED
    one, other = sdk.Usage(1, 9, 3, 2), sdk.Usage(5, 4, 1, 8, estimated)

    assert sdk.Usage(5, 9, 3, 8, estimated) == larger(one, other)
    assert other == larger(None, other)


def test_every_kind_of_text_counts_and_bytes_do_not() -> None:
    parts: list[sdk.Part] = [
        sdk.TextPart("1"),
        sdk.ReasoningPart("22"),
        sdk.ToolCallPart("id", "name", "333"),
        sdk.ToolResultPart("id", "4444"),
        sdk.ImagePart("image/png", b"xxxxx"),
        sdk.FilePart("text/plain", b"xxxxx"),
    ]
    message = sdk.Message(sdk.Role.USER, parts)

    assert 5 + 2 * 10 == input_chars(sdk.ReplyRequest("m", [message, message], system="55555"))
