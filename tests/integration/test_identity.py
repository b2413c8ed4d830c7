"""Direct calls of real services: who is let in, and what a context of the gateway's is good for."""

from __future__ import annotations

import asyncio
import time
from base64 import b64decode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message_factory import GetMessageClass
from parley_rpc.context import USER_CONTEXT
from parley_tests.certificates import Authority
from parley_tests.database import fresh_database
from parley_tests.installation import Installation, text
from parley_tests.platform import SERVICES, Platform, free_port, running_platform

from parley.chat.v1 import chat_pb2, chat_pb2_grpc
from parley.prompt.v1 import prompt_pb2
from parley.provider.v1 import provider_pb2, usage_pb2
from parley.provider.v1.provider_pb2_grpc import ProviderServiceStub

pytestmark = pytest.mark.integration

Entry = tuple[str, str | bytes]
METHODS: list[MethodDescriptor] = [
    method
    for file in (chat_pb2, prompt_pb2, provider_pb2)
    for service in file.DESCRIPTOR.services_by_name.values()
    for method in service.methods
]


def area(method: MethodDescriptor) -> str:
    """The service of a call: `chat`, `prompt`, `provider`."""
    return str(method.containing_service.full_name.split(".")[1])


@asynccontextmanager
async def channel(platform: Platform, service: str) -> AsyncIterator[grpc.aio.Channel]:
    port = platform.environment[f"{service.upper()}_PORT"]
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as opened:
        yield opened


async def code_of(opened: grpc.aio.Channel, method: MethodDescriptor, *shown: Entry) -> str:
    """Make a call with an empty request; return the code of its answer."""
    path = f"/{method.containing_service.full_name}/{method.name}"
    answers = GetMessageClass(method.output_type).FromString
    try:
        if method.server_streaming:
            stream: Any = opened.unary_stream(
                path, request_serializer=bytes, response_deserializer=answers
            )
            async for _ in stream(b"", timeout=10, metadata=shown):
                pass
        else:
            call: Any = opened.unary_unary(
                path, request_serializer=bytes, response_deserializer=answers
            )
            await call(b"", timeout=10, metadata=shown)
    except grpc.aio.AioRpcError as error:
        return str(error.code().name)
    return "OK"


async def vouched(client: httpx.AsyncClient) -> Entry:
    """Have the gateway vouch for the client's user."""
    answer = (await client.post("/me/context")).raise_for_status().json()
    return USER_CONTEXT, b64decode(answer["context"])


async def said(platform: Platform, *shown: Entry, chat_id: str = "direct") -> str:
    """Send a message to the chat service itself; return the reply."""
    async with channel(platform, "chat") as opened:
        await asyncio.wait_for(opened.channel_ready(), 10)
        stub: Any = chat_pb2_grpc.ChatServiceStub(opened)
        request = chat_pb2.SendMessageRequest(content="Hello", chat_id=chat_id)
        events = stub.SendMessage(request, timeout=30, metadata=shown)
        return "".join([event.delta.text async for event in events])


async def refused(platform: Platform, *shown: Entry, chat_id: str = "direct") -> str:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await said(platform, *shown, chat_id=chat_id)
    return f"{caught.value.code().name}: {caught.value.details()}"


@pytest.mark.parametrize("service", ["chat", "prompt", "provider"])
async def test_no_call_of_any_service_is_answered_without_both(
    platform: Platform, service: str
) -> None:
    user = (USER_CONTEXT, platform.keys.caller("0198c0de-0000-7000-8000-000000000001").signed)
    ours = platform.keys.credential().entry(service)
    theirs = Installation().credential("chat").entry(service)
    methods = [method for method in METHODS if area(method) == service]
    async with channel(platform, service) as opened:
        nothing = {m.name: await code_of(opened, m) for m in methods}
        no_service = {m.name: await code_of(opened, m, user) for m in methods}
        strange = {m.name: await code_of(opened, m, theirs, user) for m in methods}
        no_user = {m.name: await code_of(opened, m, ours) for m in methods}

    refusal = {method.name: "UNAUTHENTICATED" for method in methods}
    assert [refusal] * 3 == [nothing, no_service, strange]
    assert {**refusal, **({"GetUsage": "PERMISSION_DENIED"} if service == "provider" else {})} == (
        no_user
    )


async def test_the_chat_service_alone_asks_for_usage_in_nobodys_name(platform: Platform) -> None:
    async with channel(platform, "provider") as opened:
        stub: Any = ProviderServiceStub(opened)
        entry = platform.keys.credential("chat").entry("provider")
        answer = await stub.GetUsage(usage_pb2.GetUsageRequest(), timeout=10, metadata=[entry])

    assert [] == list(answer.records)


async def test_a_service_of_ones_own_acts_for_whom_the_gateway_vouches(platform: Platform) -> None:
    ours = platform.keys.credential().entry("chat")
    ada, bob = await platform.new_user("ada"), await platform.new_user("bob")
    async with platform.client(ada) as as_ada, platform.client(bob) as as_bob:
        assert await said(platform, ours, await vouched(as_ada), chat_id="mine")

        history = (await as_ada.get("/chat/history/mine")).json()["messages"]
        assert ["user", "assistant"] == [message["role"] for message in history]
        assert 404 == (await as_bob.get("/chat/history/mine")).status_code
        elsewhere = platform.keys.credential().entry("provider")
        said_to_another = await refused(platform, elsewhere, await vouched(as_ada))

    assert "UNAUTHENTICATED: The service token is for another service." == said_to_another


async def test_what_was_revoked_begins_nothing_after_five_seconds(platform: Platform) -> None:
    ours = platform.keys.credential().entry("chat")
    key = await platform.new_user("carol")
    async with platform.client() as admin, platform.client(key) as carol:
        me = (await carol.get("/me")).json()
        before = await vouched(carol)
        await said(platform, ours, before)

        await admin.delete(f"/keys/{me['key']['key_id']}")
        gone = time.monotonic()
        last = before
        while (answer := await carol.post("/me/context")).is_success:
            last = USER_CONTEXT, b64decode(answer.json()["context"])
            await asyncio.sleep(0.05)
        await asyncio.sleep(max(0.0, gone + 5 - time.monotonic()))

        assert 401 == answer.status_code
        for old in (before, last):
            assert "no longer fresh" in await refused(platform, ours, old)


async def test_a_gateway_that_is_not_trusted_blames_nobodys_key(platform: Platform) -> None:
    port = free_port()
    foreign = text(Installation().keys["gateway"])
    process = platform.start_another("gateway", GATEWAY_PORT=str(port), SERVICE_KEY=foreign)
    try:
        url = f"http://127.0.0.1:{port}"
        await asyncio.to_thread(platform.wait_until_healthy, url)
        async with platform.client(url=url) as client:
            answers = [
                await client.get("/system-prompt"),
                await client.post("/chat", json={"message": "Hello"}),
            ]
    finally:
        process.terminate()
        await asyncio.to_thread(process.wait, 15)

    assert [(500, "internal")] * 2 == [(a.status_code, a.json()["reason"]) for a in answers]


@pytest.mark.parametrize("name", SERVICES)
def test_no_service_starts_without_its_keys(platform: Platform, name: str, tmp_path: Path) -> None:
    for setting in platform.keys.environment(name):
        process = platform.start_another(name, **{setting: ""})

        assert 1 == process.wait(30)
        assert f"{setting}_FILE is not set, nor {setting}." in platform.log(name)


async def test_everything_goes_on_over_connections_with_certificates(
    database_server: str, tmp_path: Path
) -> None:
    tls = Authority(tmp_path).issue("parley")
    settings = {
        "GRPC_TLS_CERT_FILE": str(tls.certificate),
        "GRPC_TLS_KEY_FILE": str(tls.key),
        "GRPC_TLS_CA_FILE": str(tls.authority),
    }
    with (
        fresh_database(database_server) as url,
        running_platform(url, tmp_path, settings) as platform,
    ):
        async with platform.client() as client:
            answer = await client.post("/chat", json={"message": "Hello", "stream": False})
            context = await vouched(client)
        plain = platform.keys.credential().entry("chat")
        with pytest.raises((grpc.aio.AioRpcError, TimeoutError)):
            async with asyncio.timeout(3):
                await said(platform, plain, context)

    assert "complete" == answer.json()["status"]
