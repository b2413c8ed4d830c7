"""The provider says what it needs, and takes nothing that cannot work."""

import subprocess
import sys

import parley_provider_google
import pytest
from parley_provider_google.provider import GoogleProvider
from parley_provider_google.settings import GoogleSettings
from parley_provider_sdk import (
    InvalidSettings,
    Provider,
    Selective,
    TokenCounter,
    collect,
    fill_settings,
    missing_settings,
)

pytestmark = pytest.mark.unit


def test_the_plugin_registers_one_provider() -> None:
    (registration,) = collect(parley_provider_google)
    assert ("google", False, True) == (
        registration.info.name,
        registration.info.free,
        registration.info.shares_loop,
    )
    made = registration.create(GoogleSettings(api_key="k"))
    assert isinstance(made, GoogleProvider)
    assert isinstance(made, Provider)
    assert isinstance(made, Selective)
    assert isinstance(made, TokenCounter)


def test_a_key_is_needed() -> None:
    assert ("GOOGLE_API_KEY",) == missing_settings(fill_settings(GoogleSettings, {}))
    filled = fill_settings(GoogleSettings, {"GOOGLE_API_KEY": "k"})
    assert () == missing_settings(filled)
    assert "https://generativelanguage.googleapis.com" == filled.base_url


@pytest.mark.parametrize("url", ["localhost:1234", "file:///etc", "http://", "ftp://a/b"])
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(InvalidSettings, match="GOOGLE_BASE_URL"):
        GoogleSettings(base_url=url)


@pytest.mark.parametrize("key", ["AIza-é", "AIza\nX: y", "AIza a"])
def test_a_key_that_no_header_can_hold_is_refused_unseen(key: str) -> None:
    with pytest.raises(InvalidSettings, match="GOOGLE_API_KEY") as caught:
        GoogleSettings(api_key=key)
    assert key not in str(caught.value)


def test_the_vendors_library_is_not_loaded_with_the_provider() -> None:
    code = "import sys, parley_provider_google.provider; sys.exit('google.genai' in sys.modules)"
    assert 0 == subprocess.run([sys.executable, "-c", code], check=False).returncode
