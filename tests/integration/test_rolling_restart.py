"""Each process is restarted in turn while people send: no turn that they were told of fails."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from parley_tests.database import fresh_database
from parley_tests.fleet import Fleet, running_fleet
from parley_tests.platform import SERVICES
from parley_tests.sender import Sender

pytestmark = pytest.mark.integration

SENDERS = 12
# A turn of 20 words takes 0.4 s, so that some are always in the middle.
WORDS = "/echo " + "word " * 20


@pytest.fixture
def fleet(request: pytest.FixtureRequest, database_server: str, tmp_path: Path) -> Iterator[Fleet]:
    paced = {"DEMO_PACE": "50"}
    with (
        fresh_database(database_server) as url,
        running_fleet(url, tmp_path, request.param, paced) as fleet,
    ):
        yield fleet


async def restart_all(fleet: Fleet) -> dict[str, list[int]]:
    """Restart every replica, one after the other; return the exit codes."""
    codes: dict[str, list[int]] = {}
    for name in reversed(SERVICES):
        for number in range(len(fleet.ports[name])):
            code = await asyncio.to_thread(fleet.restart, name, number)
            codes.setdefault(name, []).append(code)
            await asyncio.sleep(1)
    return codes


async def stored(fleet: Fleet, sender: Sender) -> list[dict[str, str]]:
    """Return the messages of a sender's chat as they are stored."""
    messages: list[dict[str, str]] = []
    async with fleet.platform.client(url=fleet.urls[0]) as client:
        token = ""
        while True:
            page: dict[str, str | int] = {"page_size": 100, "page_token": token}
            answer = await client.get(f"/chat/history/{sender.chat_id}", params=page)
            document = answer.raise_for_status().json()
            messages += document["messages"]
            token = document.get("next_page_token") or ""
            if not token:
                return messages


@pytest.mark.parametrize("fleet", [2, 1], indirect=True, ids=["two of each", "one of each"])
async def test_no_turn_that_was_acknowledged_fails(fleet: Fleet) -> None:
    senders = [Sender(fleet.urls, f"chat-{n}", WORDS) for n in range(SENDERS)]
    sending = [asyncio.create_task(sender.run()) for sender in senders]

    codes = await restart_all(fleet)
    for sender in senders:
        sender.stopping = True
    await asyncio.gather(*sending)

    told = sum((sender.told for sender in senders), Counter())
    failed = []
    for sender in senders:
        messages = await stored(fleet, sender)
        by_id = {message["message_id"]: message for message in messages}
        asked = Counter(m["content"] for m in messages if m["role"] == "user")
        for sent in sender.sent:
            status = by_id.get(sent.message_id, {}).get("status", "missing")
            if (sent.outcome, status, asked[sent.text]) != ("end", "complete", 1):
                failed.append((sent, status, asked[sent.text]))
    assert not failed, told
    assert {0} == {code for each in codes.values() for code in each}
    assert "Traceback" not in fleet.log()
    # What may be met before a turn begins: the closed port of a gateway, a connection that was
    # idle and closes while a request is on its way, a chat service that has no lease yet, and,
    # when there is no other replica, a service that is away.
    refused = {"ConnectError", "ReadError", "RemoteProtocolError", "database_unavailable"}
    refused |= {"unavailable"} if len(fleet.urls) == 1 else set()
    assert not told.keys() - refused
