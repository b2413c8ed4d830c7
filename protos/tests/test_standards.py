"""gRPC's own services and limits, at a server that lets nobody in but whom it trusts."""

from __future__ import annotations

from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from parley_rpc.client import MAX_MESSAGE_BYTES
from parley_rpc.context import USER_CONTEXT
from parley_rpc.server import NOT_SERVING, SERVING, Server
from parley_tests.believing import OpenToAnybody
from parley_tests.installation import Installation

from parley.context.v1.context_pb2 import UserContext
from parley.prompt.v1 import prompt_pb2, prompt_pb2_grpc

from .doors import PROMPTS, REQUEST, door

pytestmark = pytest.mark.unit

ADA = "0198c0de-0000-7000-8000-000000000001"
OURS = Installation()


def raw(channel: grpc.aio.Channel, method: str) -> Any:
    return channel.unary_unary(method, request_serializer=bytes, response_deserializer=bytes)


async def code_of(call: Any) -> grpc.StatusCode:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return caught.value.code()


async def test_health_is_open_to_all() -> None:
    async with door(OURS) as opened:
        stub: Any = health_pb2_grpc.HealthStub(opened.channel)

        for name in ("", PROMPTS):
            answer = await stub.Check(health_pb2.HealthCheckRequest(service=name), timeout=10)
            assert answer.status in {SERVING, NOT_SERVING}
        watched = stub.Watch(health_pb2.HealthCheckRequest(), timeout=10)
        assert await watched.read()
        watched.cancel()


@pytest.mark.parametrize(
    "method", ["/parley.prompt.v1.PromptService/Nothing", "/parley.Nothing/At", "/x", "//"]
)
async def test_an_unknown_method_is_unimplemented(method: str) -> None:
    async with door(OURS) as opened:
        assert grpc.StatusCode.UNIMPLEMENTED is await code_of(raw(opened.channel, method)(b""))


async def reflected(*asked: Any, shown: Any = ()) -> list[Any]:
    """What a tool that asks a service for its contract is told."""
    server = Server("prompt.parley", OURS.trust("prompt"), reflect=True)
    await server.start("127.0.0.1:0", [PROMPTS])
    try:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as channel:
            stub: Any = reflection_pb2_grpc.ServerReflectionStub(channel)  # type: ignore[arg-type]
            return [one async for one in stub.ServerReflectionInfo(iter(asked), metadata=shown)]
    finally:
        await server.stop(0)


REFLECTION = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"
LISTED = reflection_pb2.ServerReflectionRequest(list_services="")
DESCRIBED = reflection_pb2.ServerReflectionRequest(file_containing_symbol=PROMPTS)


async def test_a_service_that_is_trusted_is_told_the_contract() -> None:
    listed, described = await reflected(
        LISTED, DESCRIBED, shown=(OURS.credential().entry("prompt"),)
    )

    assert PROMPTS in {one.name for one in listed.list_services_response.service}
    files = described.file_descriptor_response.file_descriptor_proto
    assert any(b"GetActivePrompt" in file for file in files)


@pytest.mark.parametrize(
    "shown",
    [
        (),
        (Installation().credential().entry("prompt"),),
        (OURS.credential().entry("chat"),),
    ],
)
async def test_nobody_else_is_told_the_contract(shown: Any) -> None:
    assert grpc.StatusCode.UNAUTHENTICATED is await code_of(reflected(LISTED, shown=shown))


async def test_nobody_is_told_the_contract_where_that_is_switched_off() -> None:
    """Asked by one message: what ends a stream while it is sent is told first, now and then."""
    async with door(OURS) as opened:
        shown = (OURS.credential().entry("prompt"),)
        call = raw(opened.channel, REFLECTION)

        assert grpc.StatusCode.UNIMPLEMENTED is await code_of(call(b"", metadata=shown))


async def test_a_message_over_the_limit_is_refused_and_the_connection_stays() -> None:
    async with door(OURS) as opened:
        shown = (OURS.credential().entry("prompt"), (USER_CONTEXT, OURS.caller(ADA).signed))
        call = raw(opened.channel, f"/{PROMPTS}/GetActivePrompt")
        oversize = b"\x0a" * (MAX_MESSAGE_BYTES + 1)

        code = await code_of(call(oversize, timeout=20, metadata=shown))

        assert grpc.StatusCode.RESOURCE_EXHAUSTED is code
        assert ADA == await opened.knock(shown)


async def test_metadata_over_the_limit_is_refused_and_a_hundred_scopes_are_not() -> None:
    async with door(OURS) as opened:
        entry = OURS.credential().entry("prompt")
        scopes = [f"model:acme/{n:03d}-{'x' * 60}" for n in range(100)]
        user = UserContext(user_id=ADA, key_id="key", scopes=scopes)
        large = OURS.voucher.vouch(user, "", valid_for=60).signed
        shown = (entry, (USER_CONTEXT, large))
        more = (*shown, ("x-more", "x" * 200_000))

        assert ADA == await opened.knock(shown)
        stub: Any = prompt_pb2_grpc.PromptServiceStub(opened.channel)
        code = await code_of(stub.GetActivePrompt(REQUEST, timeout=10, metadata=more))

    assert grpc.StatusCode.RESOURCE_EXHAUSTED is code


async def test_what_the_contract_says_nothing_of_nobody_may_call() -> None:
    server = Server("prompt.parley", OpenToAnybody())
    told = grpc.unary_unary_rpc_method_handler(
        lambda _request, _context: prompt_pb2.GetActivePromptResponse(),
        prompt_pb2.GetActivePromptRequest.FromString,
        prompt_pb2.GetActivePromptResponse.SerializeToString,
    )
    server.grpc.add_generic_rpc_handlers(
        [grpc.method_handlers_generic_handler("parley.Unsaid", {"Tell": told})]
    )
    await server.start("127.0.0.1:0", [])
    shown = ((USER_CONTEXT, OURS.caller(ADA).signed),)
    async with grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as channel:
        call = raw(channel, "/parley.Unsaid/Tell")
        code = await code_of(call(b"", timeout=10, metadata=shown))
    await server.stop(0)

    assert grpc.StatusCode.PERMISSION_DENIED is code
