"""What a model takes is known by its name, as far as it is known."""

import pytest
from parley_provider_google.generations import is_signed, thinking, unsupported
from parley_provider_sdk import Effort

pytestmark = pytest.mark.unit

THINKING = {"reasoning_effort", "reasoning_tokens"}
PLAIN = {"parallel_tool_calls", "system", "tools", "tool_choice", "output", *THINKING}


@pytest.mark.parametrize(
    ("model", "fields"),
    [
        ("gemini-2.5-flash", {"parallel_tool_calls"}),
        ("gemini-3-pro-preview", {"parallel_tool_calls"}),
        ("gemini-4-neon", {"parallel_tool_calls"}),
        ("gemini-flash-latest", {"parallel_tool_calls"}),
        ("tomorrow-1", {"parallel_tool_calls"}),
        ("gemma-4-31b-it", {"parallel_tool_calls"}),
        ("gemini-2.0-flash-001", {"parallel_tool_calls", *THINKING}),
        ("models/gemini-1.5-pro", {"parallel_tool_calls", *THINKING}),
        ("gemma-3-27b-it", PLAIN),
        ("models/gemma-3n-e4b-it", PLAIN),
    ],
)
def test_what_a_model_does_not_take(model: str, fields: set[str]) -> None:
    assert fields == unsupported(model)


@pytest.mark.parametrize(
    ("model", "budgets"),
    [
        ("gemini-2.5-flash", [0, 1024, 1024, 8192, 24576, 24576]),
        ("gemini-2.5-flash-lite", [0, 1024, 1024, 8192, 24576, 24576]),
        ("gemini-2.5-pro", [128, 1024, 1024, 8192, 24576, 32768]),
    ],
)
def test_the_second_generation_has_budgets(model: str, budgets: list[int]) -> None:
    assert budgets == [thinking(model, effort)["thinkingBudget"] for effort in Effort]


@pytest.mark.parametrize(
    ("model", "levels"),
    [
        ("gemini-3-pro-preview", "LOW LOW LOW HIGH HIGH HIGH"),
        ("gemini-3.1-pro-preview", "LOW LOW LOW MEDIUM HIGH HIGH"),
        ("gemini-3-flash-preview", "MINIMAL MINIMAL LOW MEDIUM HIGH HIGH"),
        ("gemini-3.5-flash-lite", "MINIMAL MINIMAL LOW MEDIUM HIGH HIGH"),
        ("gemini-3.8-flash", "LOW LOW LOW MEDIUM HIGH HIGH"),
        ("gemini-4-argon", "LOW LOW LOW MEDIUM HIGH XHIGH"),
        ("gemini-flash-latest", "LOW LOW LOW MEDIUM HIGH HIGH"),
        ("tomorrow-1", "LOW LOW LOW MEDIUM HIGH HIGH"),
    ],
)
def test_later_generations_have_levels(model: str, levels: str) -> None:
    assert levels.split() == [thinking(model, effort)["thinkingLevel"] for effort in Effort]


@pytest.mark.parametrize("model", ["gemini-2.5-flash", "gemini-3-flash-preview"])
def test_thoughts_are_shown_of_a_model_that_is_to_think(model: str) -> None:
    assert "includeThoughts" not in thinking(model, Effort.NONE)
    assert thinking(model, Effort.LOW)["includeThoughts"] is True


def test_later_generations_refuse_calls_without_signatures() -> None:
    signed = [
        "gemini-3-pro-preview",
        "gemini-3.8-flash",
        "gemini-4-neon",
        "models/gemini-pro-latest",
    ]
    others = ["gemini-2.5-pro", "gemma-4-31b-it", "tomorrow-1"]
    assert [True] * 4 + [False] * 3 == [is_signed(model) for model in (*signed, *others)]


@pytest.mark.parametrize(
    ("model", "effort", "tokens", "budget"),
    [
        ("gemini-2.5-flash", None, 5000, 5000),
        ("gemini-2.5-flash", Effort.HIGH, 5000, 5000),
        ("gemini-2.5-flash", Effort.NONE, 5000, 0),
        ("gemini-2.5-flash", None, 99999, 24576),
        ("gemini-2.5-flash-lite", None, 1, 512),
        ("gemini-2.5-pro", None, 1, 128),
        ("gemini-2.5-pro", None, 99999, 32768),
        ("gemini-3-flash", None, 5000, 5000),
        ("gemini-3-flash", Effort.LOW, 5000, None),
        ("tomorrow-1", None, 5000, 5000),
    ],
)
def test_tokens_to_think_with(
    model: str, effort: Effort | None, tokens: int, budget: int | None
) -> None:
    made = thinking(model, effort, tokens)
    assert made.get("thinkingBudget") == budget
    assert ("thinkingLevel" in made) == (budget is None)
