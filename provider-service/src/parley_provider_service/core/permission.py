"""Whom a key may ask: its scopes `provider:<name>` and `model:<provider>/<model>`."""

from __future__ import annotations

from collections.abc import Set as AbstractSet

from parley_rpc.faults import ScopeMissing

PROVIDER = "provider:"
MODEL = "model:"


def require_provider(scopes: AbstractSet[str], provider: str) -> None:
    """Refuse a provider that is not among those that the scopes name, if they name any."""
    _require(scopes, PROVIDER, provider)


def require_model(scopes: AbstractSet[str], provider: str, model: str) -> None:
    """Refuse a model that is not among those that the scopes name, if they name any."""
    _require(scopes, MODEL, f"{provider}/{model}")


def _require(scopes: AbstractSet[str], kind: str, name: str) -> None:
    needed = kind + name
    if needed not in scopes and any(scope.startswith(kind) for scope in scopes):
        raise ScopeMissing(needed)
