"""What every call passes on its way in, over a real channel."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any

import pytest
from grpc_health.v1 import health_pb2
from parley_rpc import faults
from parley_rpc.client import Peer
from parley_rpc.context import Metadata, ServerContext, caller_of
from parley_rpc.faults import Fault, reason_of
from parley_rpc.log import JSONFormatter
from parley_rpc.server import Server
from parley_tests.believing import OpenToAnybody, new_caller

from parley.prompt.v1 import prompt_pb2, prompt_pb2_grpc

pytestmark = pytest.mark.unit

Behaviour = Callable[[ServerContext], Awaitable[prompt_pb2.Prompt]]
Serve = Callable[[Behaviour], Awaitable[Peer]]
ServeStream = Callable[[Any], Awaitable[tuple[Peer, Any]]]
CALLER = new_caller("0198c0de-0000-7000-8000-000000000001", "key", "req-1", valid_for=3600)
REQUEST = prompt_pb2.GetActivePromptRequest()


async def ask(peer: Peer, *, within: float | None = 5.0) -> prompt_pb2.Prompt:
    stub = prompt_pb2_grpc.PromptServiceStub(peer.channel)
    call = stub.GetActivePrompt(REQUEST, timeout=within, metadata=CALLER.metadata)
    answer = await peer.unary(call)
    return answer.prompt


async def test_the_caller_and_the_request_id_arrive(serve: Serve) -> None:
    async def answer(context: ServerContext) -> prompt_pb2.Prompt:
        caller = caller_of(context)
        return prompt_pb2.Prompt(name=caller.user_id, description=caller.request_id)

    prompt = await ask(await serve(answer))

    assert (CALLER.user_id, "req-1") == (prompt.name, prompt.description)


async def test_a_fault_arrives_with_reason_and_metadata(serve: Serve) -> None:
    async def fail(_: ServerContext) -> prompt_pb2.Prompt:
        raise faults.TooBusy("Too busy.", retry_after=0.5, limit=3)

    with pytest.raises(Fault) as caught:
        await ask(await serve(fail))

    assert (
        reason_of(caught.value),
        caught.value.retry_after,
        caught.value.metadata,
    ) == ("too_busy", 0.5, {"limit": "3"})


async def test_a_mistake_of_ours_tells_the_caller_nothing(
    serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    async def fail(_: ServerContext) -> prompt_pb2.Prompt:
        raise KeyError("secret detail")

    with pytest.raises(Fault) as caught:
        await ask(await serve(fail))

    assert reason_of(caught.value) == "internal"
    assert "secret" not in str(caught.value)
    assert "KeyError" in caplog.text


async def test_a_fault_is_not_asked_for_again_by_the_channel(serve: Serve) -> None:
    asked = []

    async def fail(_: ServerContext) -> prompt_pb2.Prompt:
        asked.append(1)
        raise faults.DatabaseUnavailable

    with pytest.raises(Fault) as caught:
        await ask(await serve(fail))

    assert (1, "database_unavailable") == (len(asked), reason_of(caught.value))


async def test_a_call_without_deadline_is_refused(serve: Serve) -> None:
    async def answer(_: ServerContext) -> prompt_pb2.Prompt:
        return prompt_pb2.Prompt()

    with pytest.raises(Fault, match="no deadline") as caught:
        await ask(await serve(answer), within=None)

    assert reason_of(caught.value) == "invalid_argument"


async def test_a_call_that_takes_too_long_ends_at_its_deadline(serve: Serve) -> None:
    async def hang(_: ServerContext) -> prompt_pb2.Prompt:
        await asyncio.sleep(30)
        return prompt_pb2.Prompt()

    with pytest.raises(Fault) as caught:
        await ask(await serve(hang), within=0.2)

    assert reason_of(caught.value) == "deadline_exceeded"


async def test_health_is_open_to_callers_without_deadline(serve: Serve) -> None:
    async def answer(_: ServerContext) -> prompt_pb2.Prompt:
        return prompt_pb2.Prompt()

    peer = await serve(answer)
    check = peer.channel.unary_unary(
        "/grpc.health.v1.Health/Check",
        request_serializer=health_pb2.HealthCheckRequest.SerializeToString,
        response_deserializer=health_pb2.HealthCheckResponse.FromString,
    )

    assert (await check(health_pb2.HealthCheckRequest())).status in (1, 2)


async def test_one_json_line_is_logged_for_each_call(
    serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    async def answer(_: ServerContext) -> prompt_pb2.Prompt:
        return prompt_pb2.Prompt(content="do not log me")

    with caplog.at_level(logging.INFO, logger="parley.access"):
        await ask(await serve(answer))

    lines = [r for r in caplog.records if r.name == "parley.access"]
    written = json.loads(JSONFormatter("prompt").format(lines[0]))
    assert len(lines) == 1
    assert (
        written["request_id"],
        written["reason"],
        written["service"],
    ) == ("req-1", "ok", "prompt")
    assert "do not log me" not in json.dumps(written)


@pytest.mark.parametrize(("within", "reason"), [(60.0, "cancelled"), (0.3, "deadline_exceeded")])
async def test_a_call_that_its_caller_gives_up_is_logged_as_such(
    serve: Serve, caplog: pytest.LogCaptureFixture, within: float, reason: str
) -> None:
    called, left = asyncio.Event(), asyncio.Event()

    async def hang(_: ServerContext) -> prompt_pb2.Prompt:
        called.set()
        try:
            return await asyncio.Event().wait()  # type: ignore[return-value]  # it never does
        finally:
            left.set()

    with caplog.at_level(logging.INFO):
        asking = asyncio.create_task(ask(await serve(hang), within=within))
        await asyncio.wait_for(called.wait(), 5)
        if reason == "cancelled":
            asking.cancel()
        await asyncio.wait_for(left.wait(), 5)
        await asyncio.gather(asking, return_exceptions=True)

    lines = [vars(r)["fields"] for r in caplog.records if r.name == "parley.access"]
    assert [("req-1", reason)] == [(line["request_id"], line["reason"]) for line in lines]
    assert "Traceback" not in caplog.text


async def test_a_stream_whose_reader_has_gone_is_logged_as_such(
    serve_stream: ServeStream, caplog: pytest.LogCaptureFixture
) -> None:
    """Also when it ends at a `yield`, long after gRPC has forgotten the call."""
    left = asyncio.Event()

    async def tell(_: ServerContext) -> AsyncGenerator[health_pb2.HealthCheckResponse, None]:
        try:
            while True:
                yield health_pb2.HealthCheckResponse(status=1)
        finally:
            left.set()

    peer, method = await serve_stream(tell)
    with caplog.at_level(logging.INFO):
        stream = peer.follow(method, health_pb2.HealthCheckRequest(), CALLER, 60.0)
        await anext(stream)
        await stream.aclose()
        await asyncio.wait_for(left.wait(), 5)

    [line] = [vars(r)["fields"] for r in caplog.records if r.name == "parley.access"]
    assert ("req-1", "cancelled") == (line["request_id"], line["reason"])
    assert "Traceback" not in caplog.text


@pytest.mark.parametrize(
    ("metadata", "sentence"),
    [
        ((), "carries no"),
        ((("parley-user-context-bin", b"\xff"),), "not a SignedUserContext"),
        ((("parley-user-context-bin", b""),), "names no user"),
        (new_caller("u", "k", "r", valid_for=-1).metadata, "expired"),
    ],
)
async def test_a_call_for_nobody_is_unauthenticated(
    serve: Serve, metadata: Metadata, sentence: str
) -> None:
    async def answer(context: ServerContext) -> prompt_pb2.Prompt:
        return prompt_pb2.Prompt(name=caller_of(context).user_id)

    peer = await serve(answer)
    call = prompt_pb2_grpc.PromptServiceStub(peer.channel).GetActivePrompt(
        REQUEST, timeout=5, metadata=metadata
    )

    with pytest.raises(Fault, match=sentence) as caught:
        await peer.unary(call)

    assert reason_of(caught.value) == "unauthenticated"


async def test_a_peer_that_is_away_is_reported_in_less_than_two_seconds() -> None:
    peer = Peer("prompt", "127.0.0.1:9", None)
    began = asyncio.get_running_loop().time()

    with pytest.raises(faults.Unavailable):
        await peer.connected()

    assert asyncio.get_running_loop().time() - began < 2.0
    await peer.aclose()


async def test_a_port_that_is_taken_is_an_error() -> None:
    first, second = (Server("prompt.parley", OpenToAnybody()) for _ in range(2))
    await first.start("127.0.0.1:0", [])

    with pytest.raises(OSError, match="cannot listen"):
        await second.start(f"127.0.0.1:{first.port}", [])

    await first.stop(grace=0)
