"""The provider says what it needs, and takes nothing that cannot work."""

import subprocess
import sys
from typing import get_args

import parley_provider_openai
import pytest
from openai.types import ChatModel
from parley_provider_openai.settings import OpenAISettings
from parley_provider_sdk import InvalidSettings, collect, fill_settings, missing_settings

pytestmark = pytest.mark.unit


def test_the_plugin_registers_one_provider() -> None:
    (registration,) = collect(parley_provider_openai)
    assert registration.info.name == "openai"
    assert not registration.info.free


@pytest.mark.parametrize(
    ("values", "missing"),
    [
        ({}, ("OPENAI_API_KEY",)),
        ({"OPENAI_BASE_URL": "https://eu.api.openai.com/v1"}, ("OPENAI_API_KEY",)),
        ({"OPENAI_API_KEY": "sk-1"}, ()),
        ({"OPENAI_BASE_URL": "http://localhost:1234/v1"}, ()),
        ({"OPENAI_BASE_URL": "https://api.openai.com.evil.example/v1"}, ()),
    ],
)
def test_a_key_is_needed_at_openai_only(values: dict[str, str], missing: tuple[str, ...]) -> None:
    assert missing_settings(fill_settings(OpenAISettings, values)) == missing


@pytest.mark.parametrize("url", ["localhost:1234", "file:///etc", "http://", "ftp://a/b"])
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(InvalidSettings, match="OPENAI_BASE_URL"):
        OpenAISettings(base_url=url)


@pytest.mark.parametrize("key", ["sk-é", "sk-a\nX: y", "sk a"])
def test_a_key_that_no_header_can_hold_is_refused_unseen(key: str) -> None:
    with pytest.raises(InvalidSettings, match="OPENAI_API_KEY") as caught:
        OpenAISettings(api_key=key)
    assert key not in str(caught.value)


@pytest.mark.parametrize(
    ("values", "speaks_responses"),
    [
        ({}, True),
        ({"OPENAI_BASE_URL": "https://eu.api.openai.com/v1"}, True),
        ({"OPENAI_BASE_URL": "http://localhost:1234/v1"}, False),
        ({"OPENAI_WIRE": "auto"}, True),
        ({"OPENAI_WIRE": "chat"}, False),
        ({"OPENAI_BASE_URL": "http://localhost:1234/v1", "OPENAI_WIRE": "responses"}, True),
    ],
)
def test_responses_are_spoken_at_openai_unless_it_is_set(
    values: dict[str, str], speaks_responses: bool
) -> None:
    assert fill_settings(OpenAISettings, values).speaks_responses is speaks_responses


def test_a_wire_that_is_none_is_refused() -> None:
    with pytest.raises(InvalidSettings, match="OPENAI_WIRE"):
        OpenAISettings(wire="completions")


def test_the_default_model_is_one_that_the_vendors_library_knows() -> None:
    (registration,) = collect(parley_provider_openai)
    assert registration.info.default_model in get_args(ChatModel)
    assert registration.info.shares_loop


def test_the_vendors_library_is_not_loaded_with_the_provider() -> None:
    code = "import sys, parley_provider_openai.provider; sys.exit('openai' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
