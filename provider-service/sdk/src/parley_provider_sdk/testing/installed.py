"""Finds an installed plugin, and the contract that it ships."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import EntryPoint, PackageNotFoundError, distribution

from parley_provider_sdk.hooks import ENTRY_POINT_GROUP

__all__ = ["CONTRACT_GROUP", "NoSuchPlugin", "Plugin", "find"]

# Names a module of the package that holds a subclass of ProviderContract.
CONTRACT_GROUP = "parley.provider_contracts"


class NoSuchPlugin(LookupError):  # noqa: N818  (named for what it means)
    """There is no such package, or it is no plugin; says which."""


@dataclass(frozen=True, slots=True)
class Plugin:
    """An installed package that brings providers."""

    name: str
    version: str
    providers: Sequence[EntryPoint]
    # Modules, each with a test class or several.
    contracts: Sequence[str]


def find(package: str) -> Plugin:
    """Returns the plugin that a distribution is. Raises NoSuchPlugin."""
    try:
        found = distribution(package)
    except (PackageNotFoundError, ValueError):
        raise NoSuchPlugin(f"No package '{package}' is installed here.") from None
    entry_points = found.entry_points
    providers = tuple(entry_points.select(group=ENTRY_POINT_GROUP))
    if not providers:
        raise NoSuchPlugin(
            f"The package '{package}' names no provider in the entry-point group "
            f"'{ENTRY_POINT_GROUP}'."
        )
    contracts = [one.value for one in entry_points.select(group=CONTRACT_GROUP)]
    return Plugin(found.name, found.version, providers, sorted(contracts))
