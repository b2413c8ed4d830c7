"""The calls of providers and their models; those that change something are for administrators."""

from collections.abc import Sequence
from typing import TypedDict, Unpack

from parley_client import types
from parley_client.call import Call, into, known, list_of, nothing, path

# What of a price may be set.
FIGURES = ("input", "output", "cached_input", "cache_write", "long_cache_write")


class ProviderChange(TypedDict, total=False):
    """What is to change in a provider; None takes a choice back, where there can be none."""

    enabled: bool
    is_default: bool
    default_model: str | None
    base_url: str | None
    priority: int
    max_replies: int | None
    fallbacks: Sequence[str] | None
    retry_timeouts: bool
    display_name: str | None


class ModelChange(TypedDict, total=False):
    """What is laid over what is known of a model."""

    display_name: str
    context_window: int
    max_output_tokens: int
    capabilities: Sequence[str]
    price: types.Price


def list_providers() -> Call[tuple[types.Provider, ...]]:
    """Asks who offers models, and in what state they are."""
    return Call("GET", "/providers", list_of(types.Provider, "providers"))


def list_models(provider: str, *, include_gone: bool = False) -> Call[tuple[types.Model, ...]]:
    """Asks a provider for its models, on demand with those that its vendor lists no more."""
    query = {"include_gone": "true"} if include_gone else {}
    where = path("/providers", provider, "models")
    return Call("GET", where, list_of(types.Model, "models"), query)


def get_provider_health(provider: str) -> Call[types.ProviderHealth]:
    """Asks a provider how it is, just now; an unhealthy one answers too."""
    return Call("GET", path("/providers", provider, "health"), into(types.ProviderHealth))


def create_provider(
    name: str, plugin: str, *, display_name: str | None = None, base_url: str | None = None
) -> Call[types.Provider]:
    """Adds a configuration of an installed plugin under a name of its own."""
    body = {"name": name, "plugin": plugin, "display_name": display_name, "base_url": base_url}
    return Call("POST", "/providers", into(types.Provider), body=known(body))


def update_provider(provider: str, **change: Unpack[ProviderChange]) -> Call[types.Provider]:
    """Changes what is given and leaves the rest."""
    where = path("/providers", provider)
    return Call("PATCH", where, into(types.Provider), body=dict(change), repeatable=True)


def delete_provider(provider: str) -> Call[None]:
    """Takes away a configuration that was added; what it cost stays on record."""
    return Call("DELETE", path("/providers", provider), nothing)


def set_credential(provider: str, api_key: str) -> Call[types.Provider]:
    """Keeps a vendor's key, encrypted; only its last four characters are ever told."""
    where = path("/providers", provider, "credentials")
    body = {"api_key": api_key}
    return Call("PUT", where, into(types.Provider), body=body, repeatable=True)


def delete_credential(provider: str) -> Call[types.Provider]:
    """Forgets a provider's stored key."""
    return Call("DELETE", path("/providers", provider, "credentials"), into(types.Provider))


def rotate_credentials() -> Call[types.Rotation]:
    """Encrypts all stored keys anew, with the newest master key."""
    return Call("POST", "/providers/credentials/rotate", into(types.Rotation))


def refresh_models(provider: str) -> Call[tuple[types.Model, ...]]:
    """Asks a vendor for its models now."""
    where = path("/providers", provider, "models", "refresh")
    return Call("POST", where, list_of(types.Model, "models"))


def update_model(provider: str, model: str, **change: Unpack[ModelChange]) -> Call[types.Model]:
    """Lays something over what is known of a model, or adds one that is not listed."""
    body = dict(change)
    if "price" in change:
        price = change["price"]
        figures = {name: getattr(price, name) for name in FIGURES}
        body["price"] = known(figures)
    where = path("/providers", provider, "models", model)
    return Call("PATCH", where, into(types.Model), body=body, repeatable=True)


def reset_model(provider: str, model: str) -> Call[None]:
    """Takes back what was laid over a model; one that was added goes."""
    return Call("DELETE", path("/providers", provider, "models", model), nothing)
