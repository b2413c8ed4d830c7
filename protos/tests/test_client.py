"""Deadlines: each hop takes what is left, and nothing is asked when nothing is."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Awaitable, Callable

import pytest
from parley_rpc import faults
from parley_rpc.client import CONNECT_WITHIN_SECONDS, Peer
from parley_rpc.context import Caller, ServerContext, caller_of
from parley_rpc.faults import Fault, kind_of
from parley_tests.believing import new_caller

from parley.prompt.v1 import prompt_pb2, prompt_pb2_grpc

pytestmark = pytest.mark.unit

Behaviour = Callable[[ServerContext], Awaitable[prompt_pb2.Prompt]]
Serve = Callable[[Behaviour], Awaitable[Peer]]
REQUEST = prompt_pb2.GetActivePromptRequest()
USER = "0198c0de-0000-7000-8000-000000000001"
# Two seconds on the wire, which may round them up.
ROUNDED = 2.1
NOWHERE = "127.0.0.1:1"


def caller_with(seconds: float) -> Caller:
    return new_caller(USER, "key", "req-1", valid_for=60).until(time.monotonic() + seconds)


async def ask(peer: Peer, caller: Caller, seconds: float) -> prompt_pb2.Prompt:
    stub = prompt_pb2_grpc.PromptServiceStub(peer.channel)
    return (await peer.call(stub.GetActivePrompt, REQUEST, caller, seconds)).prompt


async def time_left(context: ServerContext) -> prompt_pb2.Prompt:
    return prompt_pb2.Prompt(version=round((context.time_remaining() or 0) * 1000))


@pytest.mark.parametrize(("has", "wants"), [(2.0, 30.0), (30.0, 2.0)])
async def test_a_call_takes_what_is_left_when_that_is_less(
    serve: Serve, has: float, wants: float
) -> None:
    peer = await serve(time_left)

    left = (await ask(peer, caller_with(has), wants)).version / 1000

    assert 1.0 < left < ROUNDED


async def test_a_service_passes_on_what_it_has_left(serve: Serve) -> None:
    last = await serve(time_left)

    async def pass_on(context: ServerContext) -> prompt_pb2.Prompt:
        return await ask(last, caller_of(context), 30.0)

    first = await serve(pass_on)

    left = (await ask(first, caller_with(2.0), 30.0)).version / 1000

    assert 1.0 < left < 2.0


async def test_a_frozen_service_behind_another_costs_no_more_than_the_deadline(
    serve: Serve,
) -> None:
    released = asyncio.Event()

    async def hang(_: ServerContext) -> prompt_pb2.Prompt:
        try:
            await asyncio.Event().wait()
        finally:
            released.set()
        raise AssertionError

    last = await serve(hang)
    first = await serve(lambda context: ask(last, caller_of(context), 30.0))
    began = time.monotonic()

    with pytest.raises(Fault) as caught:
        await ask(first, caller_with(1.0), 30.0)

    assert faults.DeadlineExceeded is kind_of(caught.value)
    assert time.monotonic() - began < 2.0
    await asyncio.wait_for(released.wait(), 2)


async def test_nobody_is_asked_when_no_time_is_left(serve: Serve) -> None:
    asked = []

    async def answer(_: ServerContext) -> prompt_pb2.Prompt:
        asked.append(1)
        return prompt_pb2.Prompt()

    peer = await serve(answer)
    await ask(peer, caller_with(5.0), 5.0)

    with pytest.raises(faults.DeadlineExceeded):
        await ask(peer, caller_with(0.0), 5.0)

    assert [1] == asked


async def test_a_stream_takes_what_is_left_too(serve: Serve) -> None:
    peer = await serve(time_left)
    method = peer.channel.unary_stream(
        "/parley.prompt.v1.PromptService/GetActivePrompt",
        request_serializer=prompt_pb2.GetActivePromptRequest.SerializeToString,
        response_deserializer=prompt_pb2.GetActivePromptResponse.FromString,
    )

    answers = [one async for one in peer.follow(method, REQUEST, caller_with(2.0), 30.0)]

    assert [True] == [1.0 < one.prompt.version / 1000 < ROUNDED for one in answers]


async def test_waiting_for_a_connection_is_within_the_deadline() -> None:
    peer = Peer("prompt", NOWHERE, None)
    began = time.monotonic()

    with pytest.raises(faults.Unavailable):
        await ask(peer, caller_with(0.2), 30.0)

    assert time.monotonic() - began < CONNECT_WITHIN_SECONDS
    await peer.aclose()


def test_who_is_vouched_for_is_so_until_a_moment() -> None:
    caller = new_caller(USER, "key", "req-1", valid_for=60)

    assert 50 < caller.deadline - time.monotonic() <= 60
    assert caller == caller.until(math.inf)
