"""The provider says what it needs, and takes nothing that cannot work."""

import subprocess
import sys

import parley_provider_anthropic
import pytest
from parley_provider_anthropic.settings import INFO, AnthropicSettings
from parley_provider_sdk import InvalidSettings, collect, fill_settings, missing_settings

pytestmark = pytest.mark.unit


def test_the_plugin_registers_one_provider() -> None:
    (registration,) = collect(parley_provider_anthropic)
    assert INFO == registration.info
    assert ("anthropic", False, True) == (INFO.name, INFO.free, INFO.shares_loop)


@pytest.mark.parametrize(
    ("values", "missing"),
    [
        ({}, ("ANTHROPIC_API_KEY",)),
        ({"ANTHROPIC_BASE_URL": "http://localhost:1234"}, ("ANTHROPIC_API_KEY",)),
        ({"ANTHROPIC_API_KEY": "sk-1"}, ()),
    ],
)
def test_a_key_is_needed(values: dict[str, str], missing: tuple[str, ...]) -> None:
    assert missing == missing_settings(fill_settings(AnthropicSettings, values))


@pytest.mark.parametrize(
    "url", ["localhost:1234", "file:///etc", "http://", "ftp://a/b", "http://a:99999", "http://["]
)
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(InvalidSettings, match="ANTHROPIC_BASE_URL"):
        AnthropicSettings(base_url=url)


@pytest.mark.parametrize("key", ["sk-é", "sk-a\nX: y", "sk a"])
def test_a_key_that_no_header_can_hold_is_refused_unseen(key: str) -> None:
    with pytest.raises(InvalidSettings, match="ANTHROPIC_API_KEY") as caught:
        AnthropicSettings(api_key=key)
    assert key not in str(caught.value)


def test_a_key_stays_out_of_repr() -> None:
    assert "sk-1" not in repr(AnthropicSettings(api_key="sk-1"))


@pytest.mark.parametrize("url", ["http://a/x", "http://a/x/", "http://a/x/v1", "http://a/x/v1/"])
def test_the_version_of_the_wire_may_be_in_the_address(url: str) -> None:
    assert "http://a/x" == AnthropicSettings(base_url=url).address


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://api.anthropic.com", "api.anthropic.com"),
        ("https://eu.api.anthropic.com/v1", "api.anthropic.com"),
        ("https://api.anthropic.com.evil.example", "api.anthropic.com.evil.example"),
        ("http://user:password@localhost:1234/x", "localhost:1234"),
    ],
)
def test_a_server_is_known_by_its_name(url: str, origin: str) -> None:
    assert origin == AnthropicSettings(base_url=url).origin


def test_the_vendors_library_is_not_loaded_with_the_provider() -> None:
    code = "import sys, parley_provider_anthropic.provider; sys.exit('anthropic' in sys.modules)"
    assert 0 == subprocess.run([sys.executable, "-c", code], check=False).returncode
