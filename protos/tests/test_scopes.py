"""What a key's scopes allow, and who may call in nobody's name."""

from __future__ import annotations

import pytest
from parley_rpc.context import ADMIN, USER, Caller
from parley_rpc.faults import Fault, reason_of
from parley_rpc.scopes import Needs, needs_of

from parley.provider.v1 import provider_pb2

pytestmark = pytest.mark.unit

PROVIDERS = provider_pb2.DESCRIPTOR.services_by_name["ProviderService"].full_name
CREATE, USAGE, LIST = (
    f"/{PROVIDERS}/{name}" for name in ("CreateProvider", "GetUsage", "ListProviders")
)


def caller(role: str, *scopes: str) -> Caller:
    return Caller("u", "k", b"", role=role, scopes=frozenset(scopes))


def verdict(call: str, by: Caller) -> str:
    needs = needs_of(call)
    assert needs is not None
    try:
        needs.require_scope(by)
    except Fault as fault:
        return reason_of(fault)
    return "ok"


@pytest.mark.parametrize(
    ("by", "create", "lists"),
    [
        (caller(ADMIN), "ok", "ok"),
        (caller(ADMIN, "admin"), "ok", "ok"),
        (caller(ADMIN, "admin", "read"), "ok", "ok"),
        (caller(ADMIN, "model:acme/small"), "ok", "ok"),
        (caller(ADMIN, "read"), "scope_missing", "ok"),
        (caller(ADMIN, "chat"), "scope_missing", "ok"),
        (caller(ADMIN, "keys"), "scope_missing", "ok"),
        (caller(ADMIN, "ADMIN"), "scope_missing", "scope_missing"),
        (caller(USER), "permission_denied", "ok"),
        (caller(USER, "admin"), "permission_denied", "ok"),
        (caller("ADMIN"), "permission_denied", "ok"),
        (caller("", "admin"), "permission_denied", "ok"),
    ],
)
def test_an_administrators_call_needs_the_role_and_the_scope(
    by: Caller, create: str, lists: str
) -> None:
    assert (create, lists) == (verdict(CREATE, by), verdict(LIST, by))
    assert by.is_admin == (create == "ok")


def test_who_calls_in_nobodys_name_is_named() -> None:
    needs = needs_of(USAGE)
    assert needs is not None

    needs.require_service("chat")
    for other in ("tests", "gateway", "", "CHAT"):
        with pytest.raises(Fault) as caught:
            needs.require_service(other)
        assert "permission_denied" == reason_of(caught.value)


@pytest.mark.parametrize("call", ["/parley.Nothing/At", "/x", "", "/a/b/c"])
def test_what_is_in_no_contract_says_nothing(call: str) -> None:
    assert needs_of(call) is None


def test_a_call_that_says_nothing_has_no_needs() -> None:
    assert needs_of("/grpc.health.v1.Health/Check") is None
    assert Needs() == Needs((), frozenset())
