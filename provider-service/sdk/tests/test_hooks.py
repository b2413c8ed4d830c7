"""A plugin hands over its providers; one that does not keep to the hook is told what it did."""

from dataclasses import dataclass, replace
from types import ModuleType
from typing import Any

import pytest
from parley_provider_sdk import (
    ProviderInfo,
    Register,
    RegistrationError,
    collect,
    hookimpl,
    setting,
)

pytestmark = pytest.mark.unit


@dataclass(frozen=True)
class Settings:
    key: str = setting(env="KEY", help="The key.")


@dataclass
class Changeable:
    key: str = setting(env="KEY", help="The key.")


@dataclass(frozen=True)
class Undeclared:
    key: str = ""


INFO = ProviderInfo("acme", "Acme", "https://acme.example", Settings)


def plugin(*registered: tuple[Any, Any]) -> ModuleType:
    """Returns a module whose hook registers these."""
    module = ModuleType("parley_provider_acme")

    @hookimpl
    def register_providers(register: Register) -> None:
        for info, target in registered:
            register(info, target)

    module.register_providers = register_providers  # type: ignore[attr-defined]  # a made module
    return module


def test_a_callable_is_called_with_the_settings() -> None:
    def make(settings: object) -> Any:
        return ("made with", settings)

    (registration,) = collect(plugin((INFO, make)))
    made: object = registration.create(Settings("k"))
    assert registration.info is INFO
    assert made == ("made with", Settings("k"))


def test_a_name_is_imported_when_the_provider_is_made() -> None:
    (registration,) = collect(plugin((INFO, "no_such_module:Provider")))
    with pytest.raises(ModuleNotFoundError, match="no_such_module"):
        registration.create(Settings())
    (registration,) = collect(plugin((INFO, "builtins:repr")))
    made: object = registration.create(Settings("k"))
    assert made == "Settings(key='k')"


@pytest.mark.parametrize(
    ("info", "target", "complaint"),
    [
        ("acme", "a:B", "needs a ProviderInfo, not str"),
        (replace(INFO, name="Acme Inc"), "a:B", "no provider name"),
        (replace(INFO, name=""), "a:B", "no provider name"),
        (INFO, "a.b", "neither 'module:Class' nor callable"),
        (INFO, 7, "neither 'module:Class' nor callable"),
        (replace(INFO, settings=dict), "a:B", "no frozen dataclass"),
        (replace(INFO, settings=Changeable), "a:B", "no frozen dataclass"),
        (replace(INFO, settings=Undeclared), "a:B", "Undeclared.key is not declared"),
        (replace(INFO, requires_sdk="999"), "a:B", "asks for parley-provider-sdk 999"),
        (replace(INFO, requires_sdk="newest"), "a:B", "not a version"),
        (replace(INFO, first_token_seconds=-1.0), "a:B", "no sensible patience"),
        (replace(INFO, first_token_seconds=float("inf")), "a:B", "no sensible patience"),
    ],
)
def test_a_wrong_registration_is_refused(info: Any, target: Any, complaint: str) -> None:
    with pytest.raises(RegistrationError, match=complaint):
        collect(plugin((info, target)))


@pytest.mark.parametrize("value", [None, 7, ["Acme"], b"Acme"])
@pytest.mark.parametrize("name", ["display_name", "home_page", "default_model", "requires_sdk"])
def test_what_is_no_text_is_refused_by_its_name(name: str, value: Any) -> None:
    fields: dict[str, Any] = {name: value}

    with pytest.raises(RegistrationError, match=f"The {name} of 'acme' is no text"):
        collect(plugin((replace(INFO, **fields), "x:Y")))


def test_a_vendor_that_must_get_ready_first_may_ask_for_patience() -> None:
    slow = replace(INFO, first_token_seconds=300.0)
    (registration,) = collect(plugin((slow, "a:B")))
    assert (INFO.first_token_seconds, registration.info.first_token_seconds) == (0.0, 300.0)


def test_two_providers_of_one_name_are_refused() -> None:
    with pytest.raises(RegistrationError, match="'acme' is registered twice"):
        collect(plugin((INFO, "a:B"), (INFO, "a:C")))


def test_a_plugin_without_providers_is_refused() -> None:
    with pytest.raises(RegistrationError, match="registers no provider"):
        collect(plugin())


def test_a_hook_that_does_not_fit_is_refused() -> None:
    module = ModuleType("parley_provider_acme")
    module.register_providers = hookimpl(lambda unknown: None)  # type: ignore[attr-defined]  # a made module
    with pytest.raises(RegistrationError, match="unknown"):
        collect(module)
