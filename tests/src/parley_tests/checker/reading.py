"""Reads replies: the stream of a send, that of a resumption, and histories."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import aiohttp

from parley_tests.checker.history import History, Read, Seen, View
from parley_tests.checker.wire import LOST, Api, Event, document, events

STREAM = "/chats/{chat}/messages/{message}/stream"
RESUME_WITHIN_SECONDS = 60.0
TRY_AGAIN_SECONDS = 0.3
GAVE_UP = "gave up"
# Ends of a stream that say nothing of the reply: its reader comes back for more.
COME_BACK = {"unavailable", "internal", "database_unavailable", "too_busy", "deadline_exceeded"}

Watch = Callable[[View], Awaitable[bool]]


@dataclass(frozen=True, slots=True)
class Place:
    """A reply: whose, in which chat."""

    user: int
    chat_id: str
    message_id: str


async def never(_: View) -> bool:
    """Read to the end."""
    return False


async def take(answer: aiohttp.ClientResponse, view: View, leave: Watch = never) -> None:
    """Read a stream into a view until it ends, or until `leave` says so; LOST."""
    async for event in events(answer):
        note(view, event)
        if event.name in {"end", "problem"}:
            return
        if await leave(view):
            view.broken = "left"
            return
    view.broken = "ended without an end"


def note(view: View, event: Event) -> None:
    """Write down one event."""
    match event.name:
        case "start":
            view.message_id = event.data["message_id"]
            view.user_message_id = event.data["user_message_id"]
        case "delta":
            view.text += event.data["text"]
        case "reasoning":
            view.reasoning = (view.reasoning or "") + event.data["text"]
        case "end":
            view.end = event.data
        case "problem":
            view.problem = event.data["reason"]
    if event.id and event.name in {"delta", "reasoning"} and event.id != position(view):
        view.misplaced.append(f"{event.id} is at {position(view)}")


def position(view: View) -> str:
    """Return the event id behind all that a view holds."""
    reasoning, text = view.at
    return f"{reasoning + len(view.reasoning or '')}.{text + len(view.text)}"


class Reader:
    """Reads along, and goes on elsewhere when it is cut off."""

    def __init__(self, api: Api, history: History) -> None:
        self.api = api
        self.history = history

    async def follow(self, place: Place, views: list[View], view: View, gateway: int) -> None:
        """Go on from where a view broke, at one gateway after the other, until the reply ends."""
        give_up = time.monotonic() + RESUME_WITHIN_SECONDS
        while not concluded(view) and "resume" not in self.history.missing:
            if time.monotonic() > give_up:
                view.broken = GAVE_UP
                return
            if view.broken != "left":
                await asyncio.sleep(TRY_AGAIN_SECONDS)
            gateway += 1
            following = await self.resume(place, position(view), gateway)
            if following is not None:
                views.append(following)
                view = following

    async def resume(
        self, place: Place, start: str, gateway: int, leave: Watch = never
    ) -> View | None:
        """Read a reply from a position on; None when the request was refused or lost."""
        reasoning, _, text = start.partition(".")
        view = View(place.message_id, "resume", time.monotonic(), at=(int(reasoning), int(text)))
        path = STREAM.format(chat=place.chat_id, message=place.message_id)
        headers = {"Last-Event-ID": start} if start != "0.0" else {}
        try:
            async with self.api.call(
                "GET", path, user=place.user, gateway=gateway, headers=headers
            ) as answer:
                if answer.status == 200:
                    await take(answer, view, leave)
                else:
                    await self._refused(answer, view)
        except LOST as error:
            view.broken = type(error).__name__
        nothing = not view.text and not view.reasoning
        return None if view.broken and nothing else view

    async def _refused(self, answer: aiohttp.ClientResponse, view: View) -> None:
        reason = (await document(answer)).get("reason", "")
        if reason in {"route_not_found", "unimplemented"}:
            self.history.missing.add("resume")
        if answer.status in {404, 409}:
            view.problem = reason
        else:
            view.broken = f"{answer.status} {reason}"

    async def history_of(self, user: int, chat_id: str, gateway: int) -> Read:
        """Read all of a chat's history."""
        read = Read(time.monotonic(), 0)
        token, messages = "", []
        try:
            while True:
                path = f"/chat/history/{chat_id}?page_size=100" + (token and f"&page_token={token}")
                read.status, found = await self.api.ask("GET", path, user=user, gateway=gateway)
                if read.status != 200:
                    read.reason = found.get("reason", "")
                    return read
                messages += [seen(message) for message in found["messages"]]
                token = found["next_page_token"] or ""
                if not token:
                    read.messages = messages
                    return read
        except LOST as error:
            read.status, read.reason = 0, type(error).__name__
            return read


def concluded(view: View) -> bool:
    """Say whether a view tells how the reply ended."""
    return bool(view.end) or bool(view.problem and view.problem not in COME_BACK)


def seen(message: dict[str, Any]) -> Seen:
    """Take what counts of a message."""
    return Seen(
        message_id=message["message_id"],
        parent_id=message["parent_id"],
        seq=message["seq"],
        role=message["role"],
        status=message["status"],
        content=message["content"],
        reasoning=message["reasoning"] or "",
    )
