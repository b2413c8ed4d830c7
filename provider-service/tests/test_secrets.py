"""What a plugin is told: its own settings, and a key only for the address that it belongs to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from parley_provider_sdk import InvalidSettings, ProviderInfo, setting
from parley_provider_service.adapters.secrets import Filled, Secrets
from parley_provider_service.core.model import Credential, CredentialSource, Wish

pytestmark = pytest.mark.unit

KEY = "sk-0123456789abcdef"
ENVIRONMENT = {"ACME_KEY": KEY, "ACME_URL": "https://env.example", "ACME_PACE": "2", "X": "not it"}


@dataclass(frozen=True)
class Whole:
    """All that an administrator may set, and more."""

    api_key: str = setting(env="ACME_KEY", help="The key.", secret=True, required=True)
    other_secret: str = setting(env="ACME_OTHER", help="Another.", secret=True)
    base_url: str = setting(env="ACME_URL", help="Where.", default="https://acme.example")
    pace: float = setting(env="ACME_PACE", help="Speed.", default=1.0)


@dataclass(frozen=True)
class Keyless:
    """A plugin that talks to nobody."""

    pace: float = setting(env="ACME_PACE", help="Speed.", default=1.0)


def fill(
    wish: Wish | None = None, settings: type = Whole, environment: Any = ENVIRONMENT
) -> Filled:
    return Secrets(environment).fill(ProviderInfo("acme", "Acme", "", settings), wish)


def test_what_comes_with_the_plugin_is_filled_from_the_environment() -> None:
    filled = fill()

    assert Whole(KEY, "", "https://env.example", 2.0) == filled.settings
    assert Credential(CredentialSource.ENVIRONMENT, "cdef") == filled.credential
    assert filled.is_explicit
    assert fill(Wish("acme")) == filled


def test_another_configuration_sees_nothing_of_the_environment() -> None:
    filled = fill(Wish("acme-2"))

    assert (Whole(), Credential(), False) == (
        filled.settings,
        filled.credential,
        filled.is_explicit,
    )


def test_another_address_does_not_get_the_environments_secrets() -> None:
    environment = {**ENVIRONMENT, "ACME_OTHER": "hush"}
    filled = fill(Wish("acme", base_url="https://evil.example"), environment=environment)

    assert Whole("", "", "https://evil.example", 2.0) == filled.settings
    assert (Credential(), True) == (filled.credential, filled.is_explicit)


def test_even_the_same_address_decided_by_an_administrator_hides_them() -> None:
    assert "" == fill(Wish("acme", base_url="https://env.example")).settings.api_key


def test_a_stored_key_goes_before_the_environments() -> None:
    filled = fill(Wish("acme", api_key="stored-0123456789"))

    assert ("stored-0123456789", "https://env.example") == (
        filled.settings.api_key,
        filled.settings.base_url,
    )
    assert Credential(CredentialSource.STORED, "6789") == filled.credential


def test_a_stored_key_goes_with_its_address() -> None:
    wish = Wish("acme-2", base_url="https://two.example", api_key="stored-0123456789")

    assert Whole("stored-0123456789", "", "https://two.example", 1.0) == fill(wish).settings


@pytest.mark.parametrize(
    ("key", "last4"),
    [("x" * 8 + "last", "last"), ("x" * 7 + "last", ""), ("last", ""), ("a", "")],
)
def test_only_of_a_long_key_the_last_four_are_told(key: str, last4: str) -> None:
    stored = fill(Wish("acme", api_key=key)).credential
    given = fill(environment={"ACME_KEY": key}).credential

    assert Credential(CredentialSource.STORED, last4) == stored
    assert Credential(CredentialSource.ENVIRONMENT, last4) == given


@pytest.mark.parametrize("blank", ["", " ", "\n"])
def test_a_blank_value_is_none(blank: str) -> None:
    filled = fill(environment={"ACME_KEY": blank, "ACME_URL": blank})

    assert (Whole(), Credential(), False) == (
        filled.settings,
        filled.credential,
        filled.is_explicit,
    )


def test_a_default_key_of_the_plugins_own_comes_from_nowhere() -> None:
    @dataclass(frozen=True)
    class Easy:
        """A server that wants any key."""

        api_key: str = setting(env="ACME_KEY", help="Any.", default="anything-will-do")

    filled = fill(settings=Easy, environment={})

    assert ("anything-will-do", Credential(), False) == (
        filled.settings.api_key,
        filled.credential,
        filled.is_explicit,
    )


@pytest.mark.parametrize(
    ("wish", "name"),
    [
        (Wish("acme", base_url="https://x.example"), "base_url"),
        (Wish("acme", api_key=KEY), "api_key"),
        (Wish("acme", base_url="https://x.example", api_key=KEY), "api_key"),
    ],
)
def test_what_a_plugin_does_not_have_cannot_be_set(wish: Wish, name: str) -> None:
    with pytest.raises(InvalidSettings) as caught:
        fill(wish, Keyless)

    assert f"Its plugin has no setting {name}." == str(caught.value)


def test_a_plugin_without_key_and_address_needs_neither() -> None:
    filled = fill(settings=Keyless)

    assert (Keyless(2.0), Credential(), True) == (
        filled.settings,
        filled.credential,
        filled.is_explicit,
    )


def test_a_value_that_does_not_fit_is_named_and_not_shown() -> None:
    with pytest.raises(InvalidSettings, match="ACME_PACE") as caught:
        fill(environment={"ACME_PACE": "hush"})

    assert "hush" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_nothing_shows_a_key() -> None:
    wish = Wish("acme", api_key="stored-0123456789")
    shown = repr(Secrets(ENVIRONMENT)) + repr(fill()) + repr(wish) + repr(fill(wish))

    assert KEY not in shown
    assert "stored" + "-0123456789" not in shown
