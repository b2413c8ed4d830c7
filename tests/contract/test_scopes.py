"""Each call of the contracts says who may make it, and what only reads is not refused a reader."""

from __future__ import annotations

import pytest
from google.protobuf.descriptor import ServiceDescriptor
from parley_gateway.core.model import Scope
from parley_rpc.client import READS
from parley_rpc.scopes import Needs, needs_of

from parley.chat.v1 import chat_pb2
from parley.prompt.v1 import prompt_pb2
from parley.provider.v1 import provider_pb2

pytestmark = pytest.mark.unit

SERVICES: list[ServiceDescriptor] = [
    service
    for file in (chat_pb2, prompt_pb2, provider_pb2)
    for service in file.DESCRIPTOR.services_by_name.values()
]
CALLS = [
    f"/{service.full_name}/{method.name}" for service in SERVICES for method in service.methods
]
# What reads more than our own tables, and is therefore not repeated by a channel.
READ_ELSEWHERE = {"StreamMessage", "CheckProvider", "ListModels", "GetModel", "CountTokens"}


def needed(call: str) -> Needs:
    needs = needs_of(call)
    assert needs is not None, f"{call} does not say who may make it"
    return needs


def test_there_are_calls_of_all_services() -> None:
    assert 3 == len(SERVICES)
    assert len(CALLS) >= 34


@pytest.mark.parametrize("call", CALLS)
def test_it_says_which_scope_or_which_service(call: str) -> None:
    needs = needed(call)

    assert bool(needs.scopes) != bool(needs.services)
    assert set(needs.scopes) <= set(Scope)
    assert needs.services <= {"gateway", "chat"}


@pytest.mark.parametrize("call", CALLS)
def test_a_key_that_may_read_may_make_exactly_the_calls_that_only_read(call: str) -> None:
    service, method = call.strip("/").split("/")
    reads = method in READS[service] or method in READ_ELSEWHERE
    needs = needed(call)

    assert reads == (Scope.READ in needs.scopes or bool(needs.services))


def test_what_changes_providers_is_for_administrators_alone() -> None:
    methods = {call.rpartition("/")[2] for call in CALLS if needed(call).scopes == (Scope.ADMIN,)}

    assert methods == {
        "CreateProvider",
        "UpdateProvider",
        "DeleteProvider",
        "SetCredential",
        "DeleteCredential",
        "RotateCredentials",
        "RefreshModels",
        "UpdateModel",
        "ResetModel",
        "UpdateAlias",
        "DeleteAlias",
    }
