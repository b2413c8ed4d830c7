"""ListAliases, UpdateAlias and DeleteAlias, and what names mean, through a real channel."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any
from uuid import UUID

import pytest
from parley_provider_service.bootstrap import NAME, build_server
from parley_rpc.client import Peer
from parley_rpc.context import ADMIN, USER
from parley_rpc.faults import Fault, reason_of
from parley_tests.believing import OpenToAnybody, new_caller
from uuid_utils.compat import uuid7

from parley.provider.v1 import alias_pb2, model_pb2, reply_pb2
from parley.provider.v1.provider_pb2_grpc import ProviderServiceStub

from .fakes import DONE
from .scene import Scene

pytestmark = pytest.mark.unit

Call = Callable[..., Any]


@pytest.fixture
async def call(ada: UUID) -> AsyncIterator[Call]:
    """Call a method with its request in Ada's name; raise the fault that comes back."""
    scene = Scene(DONE)
    await scene.catalog.refresh()
    server = build_server(scene.servicer, OpenToAnybody())
    await server.start("127.0.0.1:0", [NAME])
    peer = Peer("provider", f"127.0.0.1:{server.port}", None)
    stub = ProviderServiceStub(peer.channel)

    async def call(method: str, request: Any, role: str = USER) -> Any:
        shown = new_caller(str(ada), "key", "request", valid_for=60, role=role).metadata
        asked = getattr(stub, method)(request, timeout=5, metadata=shown)
        if method == "GenerateReply":
            return [event async for event in peer.stream(asked)]
        return await peer.unary(asked)

    yield call
    await peer.aclose()
    await server.stop(0)
    await scene.generation.aclose(1)


def named(alias: str, model: str = "small", provider: str = "acme") -> Any:
    return alias_pb2.UpdateAliasRequest(alias=alias, provider=provider, model=model)


async def test_an_alias_is_set_listed_used_and_taken_away(call: Call) -> None:
    made = (await call("UpdateAlias", named("fast"), ADMIN)).alias
    await call("UpdateAlias", named("any", ""), ADMIN)

    first = await call("ListAliases", alias_pb2.ListAliasesRequest(page_size=1))
    token = first.next_page_token
    rest = await call("ListAliases", alias_pb2.ListAliasesRequest(page_token=token))
    assert [("any", ""), ("fast", "small")] == [
        (one.alias, one.model) for one in [*first.aliases, *rest.aliases]
    ]
    assert (made, "") == (rest.aliases[0], rest.next_page_token)
    assert made.HasField("updated_at")

    model = (await call("GetModel", model_pb2.GetModelRequest(model="fast"))).model
    assert ("acme", "small") == (model.provider, model.name)
    message = reply_pb2.InputMessage(role=reply_pb2.ROLE_USER, parts=[reply_pb2.Part(text="Hi")])
    asked = reply_pb2.GenerateReplyRequest(usage_id=str(uuid7()), model="fast", messages=[message])
    events = await call("GenerateReply", asked)
    assert ["answerer", "finished"] == [event.WhichOneof("event") for event in events]
    assert ("acme", "small") == (events[0].answerer.provider, events[0].answerer.model)

    await call("DeleteAlias", alias_pb2.DeleteAliasRequest(alias="fast"), ADMIN)
    with pytest.raises(Fault) as caught:
        await call("GetModel", model_pb2.GetModelRequest(model="fast"))
    assert "model_not_found" == reason_of(caught.value)


FAILURES: list[tuple[str, Any, str, str]] = [
    ("UpdateAlias", named("fast"), USER, "permission_denied"),
    ("UpdateAlias", named("a/b"), ADMIN, "invalid_argument"),
    ("UpdateAlias", named("fast", provider="acne"), ADMIN, "provider_not_found"),
    ("DeleteAlias", alias_pb2.DeleteAliasRequest(alias="fast"), USER, "permission_denied"),
    ("DeleteAlias", alias_pb2.DeleteAliasRequest(alias="fast"), ADMIN, "alias_not_found"),
    ("ListAliases", alias_pb2.ListAliasesRequest(page_size=101), USER, "invalid_argument"),
    ("ListAliases", alias_pb2.ListAliasesRequest(page_token="?"), USER, "invalid_argument"),
]


@pytest.mark.parametrize(
    ("method", "request_", "role", "reason"), FAILURES, ids=range(len(FAILURES))
)
async def test_failures_have_reasons(
    call: Call, method: str, request_: Any, role: str, reason: str
) -> None:
    with pytest.raises(Fault) as caught:
        await call(method, request_, role)

    assert reason == reason_of(caught.value)
