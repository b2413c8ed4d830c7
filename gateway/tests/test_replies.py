"""Single replies: read from a position on, stopped; and too many at once."""

from __future__ import annotations

import asyncio

import httpx
import pytest
from parley_rpc.faults import NotFound, Origin, RemoteFault

from parley.chat.v1.chat_pb2 import StopMessageResponse

from .conftest import MOST_TURNS
from .fakes import Script
from .turns import END, REPLY, START, WHOLE, delta, vendor_fault

pytestmark = pytest.mark.unit

STREAM = "/chats/c1/messages/m2/stream"
STOP = "/chats/c1/messages/m2/stop"


def missing(reason: str) -> RemoteFault:
    return RemoteFault("There is none.", Origin(NotFound, reason, "chat.parley"))


def names(body: str) -> list[str]:
    return [line[7:] for line in body.splitlines() if line.startswith("event: ")]


async def test_a_reply_is_read_from_its_beginning(
    client: httpx.AsyncClient, script: Script
) -> None:
    script.turn = [START, delta("A day", "0.5"), END]

    answer = await client.get(STREAM)

    assert ["start", "delta", "end"] == names(answer.text)
    sent = script.last
    assert ("StreamMessage", "c1", "m2", "") == (
        sent.method,
        sent.request.chat_id,
        sent.request.message_id,
        sent.request.after,
    )


async def test_a_reply_goes_on_behind_the_last_event(
    client: httpx.AsyncClient, script: Script
) -> None:
    script.turn = [START, delta(" 🌙", "0.7"), END]

    answer = await client.get(STREAM, headers={"Last-Event-ID": "0.5"})

    assert ["delta", "end"] == names(answer.text)
    assert "id: 0.7" in answer.text
    assert "0.5" == script.last.request.after


async def test_a_reply_that_failed_ends_with_its_problem(
    client: httpx.AsyncClient, script: Script
) -> None:
    script.turn = [START, delta("A", "0.1"), vendor_fault("bad_response")]

    answer = await client.get(STREAM)

    assert 200 == answer.status_code
    assert ["start", "delta", "problem"] == names(answer.text)
    assert '"message_id":"m2"' in answer.text


@pytest.mark.parametrize("position", ["x", "1", "1.2.3", "-1.0", "1.", "9" * 40 + ".0"])
async def test_what_is_no_position_is_refused(
    client: httpx.AsyncClient, script: Script, position: str
) -> None:
    answer = await client.get(STREAM, headers={"Last-Event-ID": position})

    assert (422, []) == (answer.status_code, script.received)
    assert [{"pointer": "/Last-Event-ID"}] == [
        {"pointer": error["pointer"]} for error in answer.json()["errors"]
    ]


@pytest.mark.parametrize("reason", ["chat_not_found", "message_not_found"])
async def test_a_missing_reply_is_told_before_the_stream(
    client: httpx.AsyncClient, script: Script, reason: str
) -> None:
    script.turn = [missing(reason)]
    script.answers["StopMessage"] = missing(reason)

    for answer in (await client.get(STREAM), await client.post(STOP)):
        assert (404, reason) == (answer.status_code, answer.json()["reason"])


async def test_a_stopped_reply_is_answered(client: httpx.AsyncClient, script: Script) -> None:
    script.answers["StopMessage"] = StopMessageResponse(message=REPLY)

    answer = await client.post(STOP)

    assert (200, "m2", "A day 🌙") == (
        answer.status_code,
        answer.json()["message_id"],
        answer.json()["content"],
    )


async def test_too_many_sends_are_refused_before_anybody_is_asked(
    client: httpx.AsyncClient, script: Script
) -> None:
    gate = asyncio.Event()
    script.turn = [START, gate, END]
    running = [
        asyncio.create_task(client.post("/chat", json={"message": "Hi"})) for _ in range(MOST_TURNS)
    ]
    while len(script.received) < MOST_TURNS:  # noqa: ASYNC110  (the fake tells nobody)
        await asyncio.sleep(0.005)

    refused = await client.post("/chat", json={"message": "One more"})

    assert (503, "too_busy", "1") == (
        refused.status_code,
        refused.json()["reason"],
        refused.headers["retry-after"],
    )
    assert MOST_TURNS == len(script.received)
    gate.set()
    assert {200} == {answer.status_code for answer in await asyncio.gather(*running)}
    script.turn = [*WHOLE]
    assert 200 == (await client.post("/chat", json={"message": "Later"})).status_code
