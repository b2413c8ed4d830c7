"""What a key may be used for, and what it may hand on to another one."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from parley_rpc.faults import PermissionDenied, ScopeMissing

from parley_gateway.core.model import NO_QUOTA, Identity, Role, Scope

PROVIDER, MODEL = "provider:", "model:"
# Any of these will do; a key of any scope has one of them.
ANY = frozenset(Scope)
RESTRICTED = "The key is restricted, so what it makes must be: name scopes of its own."


def allows(scopes: frozenset[str], needed: frozenset[Scope]) -> bool:
    """Say whether a key has one of the scopes; one that names none has them all."""
    named = scopes & ANY
    return not named or not needed.isdisjoint(named)


def require(by: Identity, needed: frozenset[Scope]) -> None:
    """Refuse a key that has none of the scopes; ScopeMissing."""
    if not allows(by.scopes, needed):
        raise ScopeMissing(" or ".join(sorted(needed)))


def acting_role(by: Identity) -> Role:
    """Return as what the key acts: without the scope `admin` for nobody but its own user."""
    return by.role if allows(by.scopes, frozenset({Scope.ADMIN})) else Role.USER


def require_admin(by: Identity) -> None:
    """Refuse everybody but administrators with a key for that; PermissionDenied, ScopeMissing."""
    if by.role is not Role.ADMIN:
        raise PermissionDenied("Only an administrator may do this.", role=Role.ADMIN)
    require(by, frozenset({Scope.ADMIN}))


def require_may_make(by: Identity, scopes: frozenset[str], expires_at: datetime | None) -> None:
    """Refuse to make a key that may do more, or lives longer, than the one that makes it.

    PermissionDenied, ScopeMissing. One with limits or budgets of its own makes none at all: each
    new key is counted from zero.
    """
    if by.key_quota != NO_QUOTA:
        raise PermissionDenied("The key has limits of its own, so it makes no keys.")
    if by.expires_at is not None and (expires_at is None or expires_at > by.expires_at):
        raise PermissionDenied("The key expires, so what it makes must, and not later.")
    require_within(by.scopes, scopes)


def require_within(own: frozenset[str], asked: frozenset[str]) -> None:
    """Refuse scopes that let do more than one's own; PermissionDenied, ScopeMissing."""
    if own & ANY:
        within(own & ANY, asked & ANY)
    require_same_targets(own - ANY, asked - ANY)


def require_same_targets(own: frozenset[str], asked: frozenset[str]) -> None:
    """Refuse to name other providers and models than one's own."""
    if not own:
        return
    providers, models = kind(own, PROVIDER), kind(own, MODEL)
    asked_providers, asked_models = kind(asked, PROVIDER), kind(asked, MODEL)
    if models:
        within(models, asked_models)
    if providers:
        within(providers, asked_providers | frozenset(map(provider_of, asked_models)))
    else:
        within(models | asked_models, asked_providers | asked_models)


def within(own: frozenset[str], asked: frozenset[str]) -> None:
    """Refuse what is not one's own, and nothing at all, which would be everything."""
    if not asked:
        raise PermissionDenied(RESTRICTED)
    if beyond := sorted(asked - own):
        raise ScopeMissing(beyond[0])


def kind(scopes: Iterable[str], prefix: str) -> frozenset[str]:
    """Return the scopes of one kind."""
    return frozenset(scope for scope in scopes if scope.startswith(prefix))


def provider_of(model: str) -> str:
    """Return the scope of a model's provider: `provider:acme` for `model:acme/large`."""
    return PROVIDER + model.removeprefix(MODEL).partition("/")[0]
