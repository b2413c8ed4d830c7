"""What is known of the models: what they take, and how long they can think."""

import pytest
from parley_provider_openai.parameters import (
    OURS,
    may_reason,
    nearest_effort,
    our_name,
    unsupported,
)
from parley_provider_sdk import Effort, ReplyRequest

pytestmark = pytest.mark.unit

PENALTIES = {"frequency_penalty", "presence_penalty"}
SAMPLING = {"temperature", "top_p", "stop", "top_logprobs"} | PENALTIES
EFFORT = {"reasoning_effort"}


def test_each_name_of_ours_is_a_field_of_a_request() -> None:
    assert set(OURS.values()) <= ReplyRequest.__dataclass_fields__.keys()


@pytest.mark.parametrize(
    ("parameter", "ours"),
    [
        *OURS.items(),
        ("reasoning.effort", "reasoning_effort"),
        ("response_format.type", "output"),
        ("text.verbosity", None),
        ("text", None),
        ("", None),
        (None, None),
        (7, None),
    ],
)
def test_what_the_vendor_names_has_our_name(parameter: object, ours: str | None) -> None:
    assert our_name(parameter) == ours


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("o1", SAMPLING),
        ("o3-mini", SAMPLING),
        ("o4-mini-2025-04-16", SAMPLING),
        ("gpt-5", SAMPLING),
        ("gpt-5.6-terra", SAMPLING),
        ("ft:gpt-5-mini:acme::1", SAMPLING),
        ("gpt-5-chat-latest", EFFORT),
        ("gpt-5.2-chat-latest", EFFORT),
        ("gpt-4o", EFFORT),
        ("gpt-4.1-mini", EFFORT),
        ("ft:gpt-4.1:acme::1", EFFORT),
        ("gpt-3.5-turbo", EFFORT),
        ("chatgpt-4o-latest", EFFORT),
        ("gpt-audio-mini", EFFORT),
        ("o1-mini", EFFORT),
        ("gpt-6.1-terra", set()),
        ("novel-1", set()),
    ],
)
def test_models_that_reason_take_no_sampling_and_others_no_effort(
    model: str, expected: set[str]
) -> None:
    assert unsupported(model) == expected
    assert may_reason(model) is (expected != EFFORT)


@pytest.mark.parametrize(
    ("model", "efforts"),
    [
        ("o3", ["low", "low", "low", "medium", "high", "high"]),
        ("gpt-5", ["minimal", "minimal", "low", "medium", "high", "high"]),
        ("gpt-5-mini", ["minimal", "minimal", "low", "medium", "high", "high"]),
        ("gpt-5-pro", ["high"] * 6),
        ("gpt-5.1", ["none", "none", "low", "medium", "high", "high"]),
        ("gpt-5.1-codex-max", [effort.value for effort in Effort]),
        ("gpt-6-sol", [effort.value for effort in Effort]),
    ],
)
def test_an_effort_becomes_the_nearest_that_the_model_has(model: str, efforts: list[str]) -> None:
    assert [nearest_effort(effort, model) for effort in Effort] == efforts


def test_no_effort_stays_none() -> None:
    assert nearest_effort(None, "o3") is None
