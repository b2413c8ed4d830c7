"""Whom a vendor's own state is shown to."""

from __future__ import annotations

from dataclasses import replace

import parley_provider_sdk as sdk
import pytest
from parley_provider_service.core.model import ModelChoice

from .conftest import NewAsk
from .fakes import DONE
from .town import Town

pytestmark = pytest.mark.unit

GOOD = (sdk.TextDelta("Hi there"), DONE)
AWAY = (sdk.BackendUnreachable("Nobody answers."),)
USER = sdk.Message(sdk.Role.USER, [sdk.TextPart("Hello!")])
CALL = sdk.ToolCallPart("1", "look", "{}", b"c")
TOLD = [
    USER,
    sdk.Message(sdk.Role.ASSISTANT, [sdk.ReasoningPart("", b"r")]),
    sdk.Message(sdk.Role.ASSISTANT, [sdk.ReasoningPart("Hm.", b"r"), sdk.TextPart("So,"), CALL]),
    sdk.Message(sdk.Role.TOOL, [sdk.ToolResultPart("1", "A cat", False, b"t")]),
]
PLAIN = [
    USER,
    sdk.Message(sdk.Role.ASSISTANT, (sdk.TextPart("So,"), sdk.ToolCallPart("1", "look", "{}"))),
    sdk.Message(sdk.Role.TOOL, (sdk.ToolResultPart("1", "A cat"),)),
]


def shown(town: Town, name: str) -> list[tuple[sdk.Role, list[sdk.Part]]]:
    """Return what somebody was shown when last asked."""
    messages = town.providers[name].asked[-1].messages
    return [(message.role, list(message.parts)) for message in messages]


@pytest.mark.parametrize("is_first_known_to_fail", [False, True])
async def test_what_one_vendor_wants_back_is_shown_to_no_other(
    new_ask: NewAsk, is_first_known_to_fail: bool
) -> None:
    town = Town(acme=[AWAY], beta=[GOOD])
    while is_first_known_to_fail and town.entry("acme").breaker.circuit == "closed":
        town.entry("acme").breaker.fail()

    await town.hear(new_ask(messages=TOLD, fallbacks=[ModelChoice("beta", "small")]))

    assert [(one.role, list(one.parts)) for one in PLAIN] == shown(town, "beta")
    if not is_first_known_to_fail:
        assert [(one.role, list(one.parts)) for one in TOLD] == shown(town, "acme")


async def test_a_vendors_other_model_is_shown_it(new_ask: NewAsk) -> None:
    town = Town(acme=[AWAY, GOOD])

    await town.hear(new_ask(messages=TOLD, fallbacks=[ModelChoice("acme", "large")]))

    assert [(one.role, list(one.parts)) for one in TOLD] == shown(town, "acme")


async def test_what_is_known_to_be_anothers_is_not_shown(new_ask: NewAsk) -> None:
    town = Town(acme=[GOOD])
    owners = [[""], ["beta"], ["beta", "", "acme"], ["beta"]]

    await town.hear(replace(new_ask(messages=TOLD), owners=owners))

    said = [sdk.TextPart("So,"), CALL]
    result = [sdk.ToolResultPart("1", "A cat")]
    wanted = [list(USER.parts), said, result]
    assert wanted == [parts for _, parts in shown(town, "acme")]
