"""`POST /chat` as a stream, on a real socket: nothing is collected, and it never just stops."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any

import httpx
import pytest
from parley_gateway.api import sse
from parley_rpc.faults import Fault, NotFound, Origin, RemoteFault, Unauthenticated

from .fakes import FakeServices, Script
from .turns import END, START, delta, vendor_fault

pytestmark = pytest.mark.unit

Listen = Callable[[], Awaitable[httpx.AsyncClient]]
Event = tuple[str, str, Any]
ASKED = {"message": "Hello", "stream": True}
WITHIN = 5.0


def read(text: str) -> list[Event]:
    """Read events as (name, id, data)."""
    events = []
    for block in text.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines())
        if "event" in fields:
            events.append((fields["event"], fields.get("id", ""), json.loads(fields["data"])))
    return events


async def test_a_turn_comes_as_events(listen: Listen, script: Script) -> None:
    script.turn = [
        START,
        delta("", "3.0", reasoning="Hmm"),
        delta("A day ", "3.6"),
        delta("🌙\n\n", "3.9"),
        END,
    ]
    client = await listen()

    answer = await client.post("/chat", json=ASKED)

    assert "text/event-stream; charset=utf-8" == answer.headers["content-type"]
    assert "no-store" == answer.headers["cache-control"]
    names = ("chat_id", "user_message_id", "message_id", "provider", "model")
    start = dict(zip(names, ("c1", "m1", "m2", "demo", "demo-1"), strict=True))
    assert [
        ("start", "0.0", start),
        ("reasoning", "3.0", {"text": "Hmm"}),
        ("delta", "3.6", {"text": "A day "}),
        ("delta", "3.9", {"text": "🌙\n\n"}),
    ] == read(answer.text)[:-1]
    name, _, end = read(answer.text)[-1]
    assert "end" == name
    assert {"message_id", "status", "finish_reason", "usage", "cost"} == end.keys()
    assert not script.last.request.omit_deltas


async def test_a_piece_of_both_kinds_is_two_events(listen: Listen, script: Script) -> None:
    script.turn = [START, delta("so", "3.2", reasoning="Hmm"), END]
    client = await listen()

    events = read((await client.post("/chat", json=ASKED)).text)

    assert [("reasoning", ""), ("delta", "3.2")] == [event[:2] for event in events[1:3]]


@pytest.mark.parametrize(
    ("stream", "accept", "streamed"),
    [
        (None, "text/event-stream", True),
        (False, "text/event-stream", False),
        (True, "application/json", True),
        (None, "*/*", False),
    ],
)
async def test_the_body_decides_else_what_is_accepted(
    listen: Listen, script: Script, stream: bool | None, accept: str, streamed: bool
) -> None:
    script.turn = [START, END]
    client = await listen()
    body = {"message": "Hello", "stream": stream}

    answer = await client.post("/chat", json=body, headers={"Accept": accept})

    assert streamed == answer.headers["content-type"].startswith("text/event-stream")


async def test_the_first_delta_arrives_while_the_second_is_held_back(
    listen: Listen, script: Script
) -> None:
    held = asyncio.Event()
    script.turn = [START, delta("first", "0.5"), held, delta("second", "0.11"), END]
    client = await listen()

    async with client.stream("POST", "/chat", json=ASKED) as answer:
        chunks = answer.aiter_text()
        seen = ""
        while "first" not in seen:
            seen += await asyncio.wait_for(anext(chunks), WITHIN)
        assert "second" not in seen
        held.set()
        rest = "".join([chunk async for chunk in chunks])

    assert ["delta", "end"] == [event[0] for event in read(rest)]


async def test_a_failure_before_the_start_is_an_ordinary_problem(
    listen: Listen, script: Script
) -> None:
    origin = Origin(NotFound, "model_not_found", "provider.parley")
    script.turn = [RemoteFault("There is no model dmo.", origin, metadata={"near": "demo"})]
    client = await listen()

    answer = await client.post("/chat", json=ASKED)

    assert (404, "application/problem+json") == (
        answer.status_code,
        answer.headers["content-type"],
    )
    assert {"near": "demo"} == answer.json()["metadata"]


@pytest.mark.parametrize("reason", ["rate_limited", "provider_error", "timeout"])
async def test_a_failure_after_the_start_is_the_last_event(
    listen: Listen, script: Script, reason: str
) -> None:
    script.turn = [START, delta("A", "0.1"), vendor_fault(reason)]
    client = await listen()

    answer = await client.post("/chat", json=ASKED)

    events = read(answer.text)
    assert ["start", "delta", "problem"] == [event[0] for event in events]
    problem = events[-1][2]
    assert (reason, answer.headers["x-request-id"]) == (problem["reason"], problem["instance"])
    assert "m2" == problem["metadata"]["message_id"]


async def test_a_turn_that_just_stops_ends_with_a_problem(listen: Listen, script: Script) -> None:
    script.turn = [START, delta("A", "0.1")]
    client = await listen()

    events = read((await client.post("/chat", json=ASKED)).text)

    assert "internal" == events[-1][2]["reason"]


async def test_a_service_that_dies_ends_the_stream_with_a_problem(
    listen: Listen, script: Script, services: FakeServices
) -> None:
    script.turn = [START, delta("A", "0.1"), asyncio.Event()]
    client = await listen()

    async with client.stream("POST", "/chat", json=ASKED) as answer:
        chunks = answer.aiter_text()
        seen = await anext(chunks)
        await services.server.stop(0)
        seen += "".join([chunk async for chunk in chunks])

    assert "unavailable" == read(seen)[-1][2]["reason"]


async def test_who_leaves_ends_the_reading(
    listen: Listen, script: Script, services: FakeServices
) -> None:
    script.turn = [START, delta("A", "0.1"), asyncio.Event()]
    client = await listen()

    async with client.stream("POST", "/chat", json=ASKED) as answer:
        await anext(answer.aiter_text())

    await asyncio.wait_for(services.chat.left.wait(), WITHIN)


async def frames_of(*steps: bytes | asyncio.Event | Exception) -> AsyncGenerator[bytes, None]:
    for step in steps:
        if isinstance(step, asyncio.Event):
            await step.wait()
        elif isinstance(step, Exception):
            raise step
        else:
            yield step


class Wire:
    """Both ends of an ASGI connection."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []
        self.gone = asyncio.Event()
        self.blocked = asyncio.Event()
        self.blocked.set()
        self.finished = False

    async def send(self, message: Any) -> None:
        await self.blocked.wait()
        self.sent.append(message.get("body", b""))
        self.finished = not message.get("more_body", True)

    async def receive(self) -> Any:
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def stream(self, *steps: bytes | asyncio.Event | Exception) -> None:
        cut = self.cut = asyncio.get_running_loop().create_future()
        frames = frames_of(*steps)
        await sse.stream(
            frames, self.receive, self.send, problem=problem_frame, cut=cut, keep_alive=0.02
        )


def problem_frame(fault: Fault) -> bytes:
    return type(fault).reason.encode()


async def test_silence_is_kept_alive() -> None:
    wire, held = Wire(), asyncio.Event()
    streaming = asyncio.create_task(wire.stream(b"one", held, b"two"))
    await asyncio.sleep(0.1)
    held.set()
    await streaming

    assert 2 <= wire.sent.count(sse.KEEP_ALIVE) <= 6
    assert b"two" == wire.sent[-2]
    assert wire.finished


async def test_a_slow_client_is_not_spoken_to_besides() -> None:
    wire = Wire()
    streaming = asyncio.create_task(wire.stream(b"one", b"two"))
    await asyncio.sleep(0)
    wire.blocked.clear()
    await asyncio.sleep(0.1)
    wire.blocked.set()
    await streaming

    assert sse.KEEP_ALIVE not in wire.sent


async def test_a_mistake_of_ours_ends_the_stream_with_a_problem_and_is_raised() -> None:
    wire = Wire()

    with pytest.raises(ZeroDivisionError):
        await wire.stream(b"one", ZeroDivisionError())

    assert (b"internal", True) == (wire.sent[-1], wire.finished)


async def test_a_stream_that_is_cut_ends_with_a_problem() -> None:
    wire = Wire()
    streaming = asyncio.create_task(wire.stream(b"one", asyncio.Event()))
    await asyncio.sleep(0.01)
    streaming.cancel()
    await streaming

    assert (b"unavailable", True) == (wire.sent[-1], wire.finished)


async def test_what_is_cut_ends_with_the_reason() -> None:
    wire, held = Wire(), asyncio.Event()
    streaming = asyncio.create_task(wire.stream(b"one", held, b"two"))
    await asyncio.sleep(0.01)

    wire.cut.set_result(Unauthenticated("Over."))
    await streaming

    assert (b"one", b"unauthenticated", True) == (wire.sent[1], wire.sent[-1], wire.finished)
    assert b"two" not in wire.sent


async def test_a_client_that_does_not_read_is_not_waited_for_when_it_is_cut() -> None:
    wire, held = Wire(), asyncio.Event()
    streaming = asyncio.create_task(wire.stream(b"one", held, b"two"))
    await asyncio.sleep(0.01)
    wire.blocked.clear()
    held.set()
    await asyncio.sleep(0.01)

    wire.cut.set_result(Unauthenticated("Over."))
    async with asyncio.timeout(10):
        await streaming

    assert not wire.finished
