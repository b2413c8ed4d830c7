"""Reads a stream of the gateway's as the HTML standard says, apart from Parley's own client."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any, NamedTuple

import httpx


class Event(NamedTuple):
    """One server-sent event; `data` is its JSON."""

    name: str
    data: dict[str, Any]
    id: str


async def events(answer: httpx.Response) -> AsyncIterator[Event]:
    """Yield the events of an answer as they arrive; comments are passed over."""
    name, data, position = "message", "", ""
    async for line in answer.aiter_lines():
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if not line and data:
            yield Event(name, json.loads(data), position)
            name, data = "message", ""
        elif field == "event":
            name = value
        elif field == "data":
            data += value
        elif field == "id":
            position = value


async def send(client: httpx.AsyncClient, **body: Any) -> list[Event]:
    """Send a message and return all events of its turn."""
    async with client.stream("POST", "/chat", json=body | {"stream": True}) as answer:
        if answer.is_error:
            await answer.aread()
        answer.raise_for_status()
        return [event async for event in events(answer)]


def text_of(turn: list[Event]) -> str:
    """Join the deltas of a turn."""
    return "".join(event.data["text"] for event in turn if event.name == "delta")
