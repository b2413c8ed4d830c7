"""What a model takes is told by its name, for every name that the vendor's library has."""

from typing import get_args

import pytest
from anthropic.types import ModelParam
from parley_provider_anthropic.generations import Thinking, generation_of
from parley_provider_anthropic.settings import INFO

pytestmark = pytest.mark.unit

SAMPLING = {"temperature", "top_p", "top_k"}
KNOWN: tuple[str, ...] = get_args(get_args(ModelParam)[0])

NEVER = {"seed", "frequency_penalty", "presence_penalty", "top_logprobs"}


@pytest.mark.parametrize(
    ("model", "thinking", "off"),
    [
        ("claude-fable-5-2", Thinking.DEFAULT, ""),
        ("claude-fable-5", Thinking.DEFAULT, ""),
        ("claude-mythos-5-1", Thinking.DEFAULT, ""),
        ("claude-mythos-preview", Thinking.DEFAULT, ""),
        ("claude-opus-5-5", Thinking.DEFAULT, ""),
        ("claude-opus-5", Thinking.DEFAULT, "disabled"),
        ("claude-opus-4-8", Thinking.ADAPTIVE, "disabled"),
        ("claude-opus-4-6", Thinking.ADAPTIVE, "disabled"),
        ("claude-opus-4-5-20251101", Thinking.BUDGET, "disabled"),
        ("claude-opus-4-20250514", Thinking.BUDGET, "disabled"),
        ("claude-sonnet-5-5", Thinking.DEFAULT, "between_tools"),
        ("claude-sonnet-5", Thinking.DEFAULT, "disabled"),
        ("claude-sonnet-4-6", Thinking.ADAPTIVE, "disabled"),
        ("claude-haiku-5-5", Thinking.DEFAULT, "disabled"),
        ("claude-haiku-4-5", Thinking.BUDGET, "disabled"),
        ("claude-3-7-sonnet-20250219", Thinking.BUDGET, "disabled"),
        ("claude-3-haiku-20240307", Thinking.NEVER, ""),
        ("claude-2.1", Thinking.NEVER, ""),
        ("us.anthropic.claude-sonnet-4-6-v1:0", Thinking.ADAPTIVE, "disabled"),
        ("anthropic/claude-opus-4.5", Thinking.BUDGET, "disabled"),
        ("claude-zen-7", Thinking.DEFAULT, "disabled"),
        ("claude-sonnet-latest", Thinking.DEFAULT, "between_tools"),
        ("deepseek-v4-pro", Thinking.BUDGET, "disabled"),
    ],
)
def test_how_a_model_thinks(model: str, thinking: Thinking, off: str) -> None:
    generation = generation_of(model)
    assert (thinking, off) == (generation.thinking, generation.off)


@pytest.mark.parametrize("model", KNOWN)
def test_models_after_opus_4_6_take_no_sampling(model: str) -> None:
    old = ("-4-5", "-4-6")
    takes = any(one in model for one in old)
    assert (set() if takes else SAMPLING) == generation_of(model).unsupported & SAMPLING


@pytest.mark.parametrize("model", KNOWN)
def test_models_of_the_library_think_and_keep_to_a_schema(model: str) -> None:
    assert not generation_of(model).unsupported & {"reasoning_effort", "output"}


def test_old_models_take_neither() -> None:
    unsupported = {"reasoning_effort", "reasoning_tokens", "output"}
    assert unsupported | NEVER == generation_of("claude-3-haiku-20240307").unsupported


def test_some_are_not_on_this_wire_and_others_are_taken_until_refused() -> None:
    assert generation_of("deepseek-v4-pro").unsupported == NEVER


def test_tokens_to_think_with_are_for_models_that_count_them() -> None:
    takes = {model for model in KNOWN if "reasoning_tokens" not in generation_of(model).unsupported}
    assert takes == {model for model in KNOWN if "-4-5" in model}


def test_the_default_model_is_one_of_the_librarys() -> None:
    assert INFO.default_model in KNOWN
