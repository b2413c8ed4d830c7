"""The providers of all installed plugins, each loaded by itself: a broken one is an exhibit."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from importlib.metadata import EntryPoint
from typing import TypeVar

from parley_provider_sdk import (
    InvalidSettings,
    Provider,
    Registration,
    RegistrationError,
    collect,
    missing_settings,
)
from parley_provider_sdk.addresses import reach

from parley_provider_service.adapters.isolation import Hangs, isolated
from parley_provider_service.adapters.secrets import Filled, Secrets
from parley_provider_service.core.guard import log_bug
from parley_provider_service.core.model import Credential, CredentialSource, Installed, Wish

T = TypeVar("T")
# How an entry point becomes a plugin.
Importer = Callable[[EntryPoint], object]
NO_TROUBLE: Mapping[str, str] = {}

logger = logging.getLogger(__name__)


def load(
    entry_points: Iterable[EntryPoint],
    secrets: Secrets,
    importer: Importer = EntryPoint.load,
    trouble: Mapping[str, str] = NO_TROUBLE,
) -> Sequence[Installed]:
    """Load all plugins and make the providers that are configured; call it in a running loop.

    Whatever a plugin does at import, at registration, or when its provider is made, becomes the
    sentence of an entry that says what is wrong. `trouble` is what a probe found out before, by
    `module` of the entry point; what is in it is not imported here.
    """
    found: dict[str, Installed] = {}
    exhibits: list[Installed] = []
    for entry_point in sorted(entry_points, key=lambda one: (package_of(one).package, one.name)):
        exhibit = package_of(entry_point)
        registrations = registered_by(entry_point, importer, trouble)
        if isinstance(registrations, Installed):
            exhibits.append(registrations)
            continue
        for registration in registrations:
            name = registration.info.name
            if name not in found:
                found[name] = configured(exhibit, registration, secrets)
            else:
                other = found[name].package or "another plugin"
                error = f"The name '{name}' is taken by {other}."
                exhibits.append(broken(replace(exhibit, name=name), error))
    # What cannot be used takes no name from what can.
    for exhibit in exhibits:
        name = free_name(exhibit, found)
        found[name] = replace(exhibit, name=name)
    return list(found.values())


def free_name(exhibit: Installed, found: Mapping[str, Installed]) -> str:
    """Return a name for what cannot be used: its own, if nobody has it."""
    name, number = exhibit.name, 1
    while name in found:
        name = as_name(f"{exhibit.name}-{exhibit.package}{f'-{number}' if number > 1 else ''}")
        number += 1
    return name


def registered_by(
    entry_point: EntryPoint, importer: Importer, trouble: Mapping[str, str]
) -> Sequence[Registration] | Installed:
    """Return what one entry point brings: its registrations, or the exhibit of its failure."""
    exhibit = package_of(entry_point)
    if entry_point.value in trouble:
        return broken(exhibit, trouble[entry_point.value])
    return attempt(exhibit, lambda: collect(importer(entry_point)))


def configured(
    package: Installed, registration: Registration, secrets: Secrets, wish: Wish | None = None
) -> Installed:
    """Return a provider as far as its settings allow; it can be configured again."""
    info = registration.info
    wish = wish or Wish(info.name)
    title = info.display_name if wish.name == info.name else wish.name
    entry = replace(
        package,
        name=wish.name,
        display_name=wish.display_name or title,
        free=info.free,
        kind=info.name,
        default_model=info.default_model,
        stand_in=info.stand_in,
        detected=info.detected,
        dialect=info.dialect,
        first_token_seconds=info.first_token_seconds,
        configure=lambda again: configured(package, registration, secrets, again),
    )
    if wish.unreadable:
        credential = Credential(CredentialSource.UNREADABLE)
        error = "No master key opens its stored key. Set MASTER_KEY, or store the key again."
        return replace(entry, error=error, credential=credential)
    # A class of settings is a plugin's code too.
    return attempt(entry, lambda: equipped(entry, registration, secrets.fill(info, wish)))


def equipped(entry: Installed, registration: Registration, filled: Filled) -> Installed:
    """Make the provider, when it has all that it needs."""
    settings = filled.settings
    entry = replace(
        entry,
        base_url=str(getattr(settings, "base_url", "")),
        credential=filled.credential,
        detected=entry.detected and not filled.is_explicit,
    )
    missing = missing_settings(settings)
    if missing and entry.name == entry.kind:
        return replace(entry, error=f"Set {' and '.join(missing)}.")
    if missing:
        advice = f"`parley providers key {entry.name}`"
        return replace(entry, error=f"It needs a key: store one with {advice}.")
    with reach(private=filled.private):
        provider = attempt(entry, lambda: made(entry.name, registration, settings))
    return provider if isinstance(provider, Installed) else replace(entry, provider=provider)


def made(name: str, registration: Registration, settings: object) -> Provider:
    """Make a provider, in its own thread unless it may share ours; RegistrationError."""
    if registration.info.shares_loop:
        return checked(registration.create(settings))
    try:
        return isolated(name, lambda: checked(registration.create(settings)))
    except Hangs:
        advice = "Uninstall it, or install another version."
        raise RegistrationError(f"Its plugin hangs when the provider is made. {advice}") from None


def checked(provider: object) -> Provider:
    """Return what a plugin made; RegistrationError when it is no provider."""
    if isinstance(provider, Provider):
        return provider
    raise RegistrationError(f"{type(provider).__name__} lacks methods of a provider.")


def attempt(entry: Installed, step: Callable[[], T]) -> T | Installed:
    """Take one step of a plugin's; return the exhibit of its failure when it fails.

    Settings that do not fit are no failure of the plugin: it waits for better ones.
    """
    try:
        return step()
    except InvalidSettings as error:
        return replace(entry, error=str(error))
    except RegistrationError as error:
        sentence = str(error)
    except (Exception, SystemExit) as error:  # noqa: BLE001  (a plugin may raise anything)
        # The message of a foreign error may quote a setting, and so a key.
        sentence = f"{type(error).__name__} when its plugin was loaded; the log says where."
        log_bug(entry.name, error)
    return broken(entry, sentence)


def broken(entry: Installed, sentence: str) -> Installed:
    """Return the exhibit of a plugin that cannot be used; tell the log once."""
    fields = {"package": entry.package, "version": entry.version, "reason": sentence}
    logger.warning("plugin quarantined", extra={"fields": fields})
    return replace(entry, error=sentence, broken=True, provider=None)


def package_of(entry_point: EntryPoint) -> Installed:
    """Return what is known of a plugin before any of its code has run."""
    name, distribution = as_name(entry_point.name), entry_point.dist
    if distribution is None:
        return Installed(name, name, "", "", kind=name)
    return Installed(name, name, distribution.name, distribution.version, kind=name)


def as_name(text: str) -> str:
    """Return a text in the form that names of providers have."""
    return "-".join(re.findall(r"[a-z0-9]+", text.lower())) or "plugin"
