"""What a model does not take is left out, refused, or learned from its vendor."""

from __future__ import annotations

import logging
from typing import Any

import parley_provider_sdk as sdk
import pytest
from parley_provider_service.core.model import Model
from parley_provider_service.core.parameters import Unsupported, fitted, learn, unsupported
from parley_provider_service.core.roster import Entry
from parley_rpc.faults import InvalidArgument

from .fakes import ScriptedProvider, installed

pytestmark = pytest.mark.unit

SMALL = Model("acme", "small", "Small", max_output_tokens=100)
HARMLESS: dict[str, Any] = {
    "temperature": 0.0,
    "top_p": 0.0,
    "seed": 0,
    "reasoning_effort": sdk.Effort.LOW,
    "parallel_tool_calls": False,
    "top_k": 1,
    "frequency_penalty": 0.0,
    "presence_penalty": -2.0,
    "reasoning_tokens": 1_024,
}
MISLEADING: dict[str, Any] = {
    "system": "Speak French.",
    "max_tokens": 10,
    "tools": [sdk.Tool("look_up")],
    "tool_choice": sdk.ToolChoice(sdk.ToolMode.REQUIRED),
    "output": sdk.OutputFormat(),
    "stop": ["\n"],
    "top_logprobs": 0,
}


class Choosy(ScriptedProvider):
    """Says what it does not take."""

    refused: Any = frozenset()

    def unsupported_parameters(self, model: str) -> Any:
        if isinstance(self.refused, BaseException):
            raise self.refused
        return self.refused


def entry_of(*refused: str) -> Entry:
    provider = Choosy()
    provider.refused = frozenset(refused)
    return Entry(installed(provider=provider))


def asked(**parameters: Any) -> sdk.ReplyRequest:
    return sdk.ReplyRequest("", [sdk.Message(sdk.Role.USER, [sdk.TextPart("Hi")])], **parameters)


def fit(entry: Entry, policy: Unsupported = Unsupported.DROP, **more: Any) -> sdk.ReplyRequest:
    return fitted(asked(**more), entry, SMALL, policy)


@pytest.mark.parametrize("policy", Unsupported)
def test_a_model_that_takes_everything_gets_everything(policy: Unsupported) -> None:
    everything = HARMLESS | MISLEADING | {"provider_options": {"x": 1}}

    fitting = fit(Entry(installed()), policy, **everything)

    assert everything == {name: getattr(fitting, name) for name in everything}
    assert "small" == fitting.model


@pytest.mark.parametrize("name", HARMLESS)
async def test_a_harmless_parameter_is_left_out(name: str) -> None:
    """Also one that is set to something false: 0 is not nothing."""
    fitting = fit(entry_of(name), **HARMLESS)

    assert getattr(fitting, name) is None
    others = HARMLESS.keys() - {name}
    assert {n: HARMLESS[n] for n in others} == {n: getattr(fitting, n) for n in others}


@pytest.mark.parametrize("name", HARMLESS)
async def test_it_is_refused_where_nothing_may_be_left_out(name: str) -> None:
    with pytest.raises(InvalidArgument, match="is not taken by the model 'small'") as caught:
        fit(entry_of(name), Unsupported.REFUSE, **HARMLESS)

    assert [name] == [one.field for one in caught.value.violations]


@pytest.mark.parametrize("policy", Unsupported)
@pytest.mark.parametrize("name", MISLEADING)
async def test_what_would_change_the_question_is_always_refused(
    name: str, policy: Unsupported
) -> None:
    with pytest.raises(InvalidArgument, match="is not taken") as caught:
        fit(entry_of(name), policy, **MISLEADING)

    assert [name] == [one.field for one in caught.value.violations]


@pytest.mark.parametrize("policy", Unsupported)
async def test_what_was_not_asked_for_is_not_missed(policy: Unsupported) -> None:
    nothing = fit(entry_of(*HARMLESS, *MISLEADING), policy)

    assert asked() == sdk.ReplyRequest("", nothing.messages)
    assert "small" == nothing.model


@pytest.mark.parametrize("name", ["model", "messages", "stream", "limits", "", "unheard_of"])
async def test_what_is_no_parameter_is_not_left_out(name: str) -> None:
    fitting = fit(entry_of(name), temperature=1.0, stream=False)

    assert ("small", 1, False, 1.0) == (
        fitting.model,
        len(fitting.messages),
        fitting.stream,
        fitting.temperature,
    )


@pytest.mark.parametrize("refused", [None, 7, ValueError("secret"), SystemExit(), KeyError("x")])
async def test_a_plugin_that_cannot_say_takes_everything_and_is_logged(
    refused: Any, caplog: pytest.LogCaptureFixture
) -> None:
    entry = entry_of()
    provider: Any = entry.installed.provider
    provider.refused = refused
    learn(entry, "small", "seed")

    with caplog.at_level(logging.ERROR):
        assert {"seed"} == unsupported(entry, "small")

    assert ["plugin failed"] == [record.getMessage() for record in caplog.records]
    assert "secret" not in str([vars(record) for record in caplog.records])


async def test_a_list_is_as_good_as_a_set() -> None:
    entry = entry_of()
    provider: Any = entry.installed.provider
    provider.refused = ["seed", "seed"]

    assert {"seed"} == unsupported(entry, "small")


async def test_what_a_vendor_refused_once_is_left_out_from_then_on_for_that_model_alone() -> None:
    entry = entry_of("top_p")

    assert learn(entry, "small", "seed")
    assert not learn(entry, "small", "seed")

    assert {"top_p", "seed"} == unsupported(entry, "small")
    assert {"top_p"} == unsupported(entry, "large")
    assert fit(entry, seed=3).seed is None


@pytest.mark.parametrize("name", ["messages", "model", "stream", "service_tier", ""])
def test_to_ask_again_without_what_is_not_sent_does_not_help(name: str) -> None:
    """A vendor that finds fault with something else each time must not be asked for ever."""
    entry = entry_of()

    assert not learn(entry, "small", name)
    assert {} == entry.unsupported


@pytest.mark.parametrize("tokens", [101, 10**9])
async def test_more_output_than_a_model_can_give_is_refused_with_its_range(tokens: int) -> None:
    with pytest.raises(InvalidArgument, match="must be from 1 to 100 for 'small'") as caught:
        fit(entry_of(), max_tokens=tokens)

    assert ["max_tokens"] == [one.field for one in caught.value.violations]


@pytest.mark.parametrize("tokens", [1, 100, None])
async def test_as_much_as_it_can_give_is_fine(tokens: int | None) -> None:
    assert tokens == fit(entry_of(), max_tokens=tokens).max_tokens


def test_a_model_whose_most_is_unknown_is_asked() -> None:
    model = Model("acme", "small", "Small")

    fitting = fitted(asked(max_tokens=10**9), entry_of(), model, Unsupported.DROP)

    assert 10**9 == fitting.max_tokens


class Combining(Choosy):
    """Takes one of two."""

    def excluded_parameters(self, request: sdk.ReplyRequest) -> Any:
        if isinstance(self.refused, BaseException):
            raise self.refused
        return {"top_p", "unheard_of"} if request.temperature is not None else frozenset({"stop"})


def combining() -> Entry:
    return Entry(installed(provider=Combining()))


def test_what_excludes_each_other_is_left_out() -> None:
    fitting = fit(combining(), temperature=0.5, top_p=0.5)

    assert (0.5, None) == (fitting.temperature, fitting.top_p)
    assert 0.5 == fit(combining(), top_p=0.5).top_p


def test_or_refused_as_the_operator_wishes() -> None:
    with pytest.raises(InvalidArgument, match="together") as caught:
        fit(combining(), Unsupported.REFUSE, temperature=0.5, top_p=0.5)

    assert ["top_p"] == [one.field for one in caught.value.violations]
    assert 0.5 == fit(combining(), Unsupported.REFUSE, temperature=0.5).temperature


def test_what_would_mislead_is_refused_either_way() -> None:
    with pytest.raises(InvalidArgument):
        fit(combining(), stop=["x"])


async def test_a_plugin_that_fails_to_say_it_does_as_it_sees_fit() -> None:
    entry = combining()
    provider: Any = entry.installed.provider
    provider.refused = RuntimeError()

    assert 0.5 == fit(entry, temperature=0.5, top_p=0.5).top_p
