"""Settings are declared once, filled by name, and show no secret."""

from dataclasses import dataclass, field

import pytest
from parley_provider_sdk import (
    InvalidSettings,
    Setting,
    describe_settings,
    fill_settings,
    missing_settings,
    setting,
)

pytestmark = pytest.mark.unit


@dataclass(frozen=True)
class Acme:
    api_key: str = setting(env="ACME_KEY", help="The key.", secret=True, required=True)
    pace: float = setting(env="ACME_PACE", help="Words per second.", default=50.0)
    tries: int = setting(env="ACME_TRIES", help="How often.", default=3)
    loud: bool = setting(env="ACME_LOUD", help="Shouts.", default=False)


@dataclass(frozen=True)
class Either:
    api_key: str = setting(env="KEY", help="The key.", secret=True)
    base_url: str = setting(env="URL", help="Where it is.", default="https://acme.example")

    def missing(self) -> tuple[str, ...]:
        return ("KEY",) if self.base_url == "https://acme.example" and not self.api_key else ()


def test_values_take_the_type_of_their_field() -> None:
    values = {"ACME_KEY": " k ", "ACME_PACE": "1.5", "ACME_TRIES": "7", "ACME_LOUD": "Yes"}
    assert fill_settings(Acme, values) == Acme("k", 1.5, 7, loud=True)


@pytest.mark.parametrize("values", [{}, {"ACME_PACE": "", "ACME_KEY": "  "}, {"OTHER": "1"}])
def test_absent_and_blank_values_are_the_default(values: dict[str, str]) -> None:
    assert fill_settings(Acme, values) == Acme()


@pytest.mark.parametrize("name", ["ACME_PACE", "ACME_TRIES", "ACME_LOUD"])
def test_a_wrong_value_is_named_but_not_shown(name: str) -> None:
    with pytest.raises(InvalidSettings, match=name) as caught:
        fill_settings(Acme, {name: "sk-misplaced"})
    assert "sk-misplaced" not in f"{caught.value!r} {caught.value.__cause__!r}"


def test_a_required_value_that_is_absent_is_missing() -> None:
    assert missing_settings(Acme()) == ("ACME_KEY",)
    assert missing_settings(Acme("k")) == ()


def test_a_class_may_decide_itself_what_is_missing() -> None:
    assert missing_settings(Either()) == ("KEY",)
    assert missing_settings(Either(base_url="http://localhost:1234")) == ()


def test_repr_shows_no_secret() -> None:
    assert repr(Acme("sk-secret")) == "Acme(pace=50.0, tries=3, loud=False)"


def test_a_description_says_what_was_declared() -> None:
    expected = Setting("api_key", "ACME_KEY", "The key.", "", secret=True, required=True)
    assert describe_settings(Acme)[0] == expected


def test_a_field_without_setting_is_refused() -> None:
    @dataclass(frozen=True)
    class Plain:
        key: str = field(default="")

    with pytest.raises(InvalidSettings, match=r"Plain\.key"):
        describe_settings(Plain)
