"""How a plugin hands over its providers: one hook, called once, when the service starts.

@hookimpl
def register_providers(register):
    register(INFO, "parley_provider_acme.provider:AcmeProvider")

The package names itself in the entry-point group `parley.providers`. The target is imported when
the provider is first used, so a vendor's library costs nothing until then.
"""

from __future__ import annotations

import importlib
import math
import re
from collections.abc import Callable
from dataclasses import dataclass, is_dataclass
from importlib.metadata import version
from typing import Any, Protocol, TypeAlias

import pluggy

from parley_provider_sdk.provider import Provider
from parley_provider_sdk.settings import InvalidSettings, describe_settings

ENTRY_POINT_GROUP = "parley.providers"
_NAME = re.compile(r"[a-z0-9][a-z0-9-]*")
_TARGET = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")

hookspec = pluggy.HookspecMarker(ENTRY_POINT_GROUP)
hookimpl = pluggy.HookimplMarker(ENTRY_POINT_GROUP)

ProviderFactory: TypeAlias = Callable[[Any], Provider]


class RegistrationError(ValueError):
    """A plugin that does not keep to the hook; says what it did and what it should do."""


@dataclass(frozen=True, slots=True)
class ProviderInfo:
    """What is known of a provider before any of its code is loaded."""

    # `[a-z0-9][a-z0-9-]*`, unique among all installed providers.
    name: str
    display_name: str
    home_page: str
    # A frozen dataclass whose fields are declared with `setting(...)`.
    settings: type
    # What its models can do at best: text, images, tools, reasoning, structured_output.
    capabilities: frozenset[str] = frozenset({"text"})
    # True when its tokens cost nothing.
    free: bool = False
    # The model that is meant when none is named and the vendor lists it; else the service guesses.
    default_model: str = ""
    # True when it stands in for a real one: it is the default only while no other is ready.
    stand_in: bool = False
    # True when it needs no setting but a server that may or may not run: it counts as configured
    # when one of its settings is set, or once its server has answered.
    detected: bool = False
    # True when its code never blocks the event loop, as the contract's tests prove: it then runs on
    # the service's own loop, which is cheaper. Any other gets a thread and a loop of its own.
    shares_loop: bool = False
    # The least patience before the first token, where the vendor may have to get ready first
    # (load a model): the service gives it this or its own limit, whichever is longer.
    first_token_seconds: float = 0.0
    # Names the API whose words it passes on to its vendor when they come as options. Options in
    # another dialect are refused before the provider sees them; empty takes none but its own.
    dialect: str = ""
    # The oldest version of this SDK that the plugin works with.
    requires_sdk: str = "0.1"


@dataclass(frozen=True, slots=True)
class Registration:
    """One provider that a plugin brings."""

    info: ProviderInfo
    target: str | ProviderFactory

    def create(self, settings: object) -> Provider:
        """Makes the provider; imports its code the first time. Raises whatever that code raises."""
        if not isinstance(self.target, str):
            return self.target(settings)
        module, _, name = self.target.partition(":")
        factory: ProviderFactory = getattr(importlib.import_module(module), name)
        return factory(settings)


class Register(Protocol):
    """What a plugin is given to hand its providers over."""

    def __call__(self, info: ProviderInfo, target: str | ProviderFactory) -> None:
        """Hands over a provider: `"module:Class"`, or a callable that takes the settings."""


class _Specification:
    @hookspec
    def register_providers(self, register: Register) -> None:
        """Calls `register` once for each provider of the plugin."""


def collect(plugin: object) -> tuple[Registration, ...]:
    """Asks one plugin for its providers. Raises RegistrationError, or whatever its hook raises."""
    found: dict[str, Registration] = {}

    def register(info: ProviderInfo, target: str | ProviderFactory) -> None:
        _check(info, target)
        if info.name in found:
            raise RegistrationError(f"The provider '{info.name}' is registered twice.")
        found[info.name] = Registration(info, target)

    plugins = pluggy.PluginManager(ENTRY_POINT_GROUP)
    plugins.add_hookspecs(_Specification)
    try:
        plugins.register(plugin)
        plugins.check_pending()
    except pluggy.PluginValidationError as error:
        raise RegistrationError(str(error)) from error
    plugins.hook.register_providers(register=register)
    if not found:
        raise RegistrationError("The plugin registers no provider.")
    return tuple(found.values())


def _check(info: ProviderInfo, target: str | ProviderFactory) -> None:
    if not isinstance(info, ProviderInfo):
        raise RegistrationError(f"register() needs a ProviderInfo, not {type(info).__name__}.")
    if not isinstance(info.name, str) or not _NAME.fullmatch(info.name):
        raise RegistrationError(f"{info.name!r} is no provider name: [a-z0-9][a-z0-9-]*.")
    if not (callable(target) or (isinstance(target, str) and _TARGET.fullmatch(target))):
        raise RegistrationError(
            f"The target of '{info.name}' is neither 'module:Class' nor callable."
        )
    if not 0 <= info.first_token_seconds < math.inf:
        raise RegistrationError(f"'{info.name}' has no sensible patience before the first token.")
    _check_texts(info)
    _check_settings(info)
    _check_version(info)


def _check_texts(info: ProviderInfo) -> None:
    # A value of another kind would break whoever lists all providers, not only this one.
    for name in ("display_name", "home_page", "default_model", "requires_sdk"):
        if not isinstance(getattr(info, name), str):
            raise RegistrationError(f"The {name} of '{info.name}' is no text.")


def _check_settings(info: ProviderInfo) -> None:
    cls = info.settings
    frozen = getattr(getattr(cls, "__dataclass_params__", None), "frozen", False)
    if not (isinstance(cls, type) and is_dataclass(cls) and frozen):
        raise RegistrationError(f"The settings of '{info.name}' are no frozen dataclass.")
    try:
        describe_settings(cls)
    except InvalidSettings as error:
        raise RegistrationError(str(error)) from error


def _check_version(info: ProviderInfo) -> None:
    if not re.fullmatch(r"\d+(\.\d+)*", info.requires_sdk):
        raise RegistrationError(f"'{info.name}' asks for SDK {info.requires_sdk!r}: not a version.")
    installed = version("parley-provider-sdk")
    if _numbers(installed) < _numbers(info.requires_sdk):
        raise RegistrationError(
            f"'{info.name}' asks for parley-provider-sdk {info.requires_sdk}, this is {installed}."
        )


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", text)[:3])
