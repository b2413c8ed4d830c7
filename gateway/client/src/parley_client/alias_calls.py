"""The calls of the names that administrators give to models."""

from parley_client import types
from parley_client.call import Call, into, known, list_of, nothing, path


def list_aliases() -> Call[tuple[types.Alias, ...]]:
    """Asks what models are called besides their own names."""
    return Call("GET", "/aliases", list_of(types.Alias, "aliases"))


def set_alias(alias: str, provider: str, model: str | None = None) -> Call[types.Alias]:
    """Lets a name mean a model; without one, the provider's default."""
    body = known({"provider": provider, "model": model})
    return Call("PUT", path("/aliases", alias), into(types.Alias), body=body)


def delete_alias(alias: str) -> Call[None]:
    """Takes a name away; the model stays."""
    return Call("DELETE", path("/aliases", alias), nothing)
