"""What plugins need to know: from one frozen copy of the environment, and from an administrator."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from parley_provider_sdk import (
    InvalidSettings,
    ProviderInfo,
    Setting,
    describe_settings,
    fill_settings,
)

from parley_provider_service.core.model import Credential, CredentialSource, Wish
from parley_provider_service.core.roster import shown

KEY = "api_key"
ADDRESS = "base_url"


@dataclass(frozen=True, slots=True)
class Filled:
    """The settings of a provider, and where they come from."""

    settings: Any = field(repr=False)
    credential: Credential
    # Somebody has set something, so it is there on purpose.
    is_explicit: bool
    # Whether it may be connected to private addresses.
    private: bool = True


@dataclass(frozen=True, slots=True)
class Secrets:
    """Fills a plugin's settings; a plugin sees the names that it declared and no others."""

    environment: Mapping[str, str] = field(repr=False)
    # Whether addresses that administrators chose may lead to private ones; the operator's may.
    private: bool = True

    def fill(self, info: ProviderInfo, wish: Wish | None = None) -> Filled:
        """Return the settings of a provider; InvalidSettings when a value does not fit.

        The environment is for the configuration that comes with the plugin, and its secrets are
        for the environment's address: at another one they would be told to somebody else.
        """
        wish = wish or Wish(info.name)
        declared = {one.field: one for one in describe_settings(info.settings)}
        values = self.environment if wish.name == info.name else {}
        if wish.base_url is not None:
            hidden = {one.env for one in declared.values() if one.secret}
            values = {name: value for name, value in values.items() if name not in hidden}
        settings: Any = fill_settings(info.settings, values)
        changes = wanted(wish, declared)
        given = {one.field for one in declared.values() if values.get(one.env, "").strip()}
        return Filled(
            settings=replace(settings, **changes) if changes else settings,
            credential=credential(settings, wish, KEY in given),
            is_explicit=bool(changes or given),
            private=self.private or wish.base_url is None,
        )


def wanted(wish: Wish, declared: Mapping[str, Setting]) -> dict[str, str]:
    """Return what an administrator decided; InvalidSettings when the plugin has no such setting."""
    changes = {ADDRESS: wish.base_url, KEY: wish.api_key}
    made = {name: value for name, value in changes.items() if value is not None}
    if lacking := sorted(set(made) - set(declared)):
        raise InvalidSettings(f"Its plugin has no setting {lacking[0]}.")
    return made


def credential(settings: object, wish: Wish, is_given: bool) -> Credential:
    """Return what may be told of the key that is used; a plugin's own default is none."""
    if wish.api_key is not None:
        return shown(CredentialSource.STORED, wish.api_key)
    return (
        shown(CredentialSource.ENVIRONMENT, str(getattr(settings, KEY, "")))
        if is_given
        else Credential()
    )
