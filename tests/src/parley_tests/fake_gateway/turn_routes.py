"""What the fake gateway says of a turn: whole, and as a stream that may be cut and gone on with."""

import asyncio
import json
import re

from aiohttp import web

from parley_tests.fake_gateway.routes import GATEWAY, found, own_chats, reader
from parley_tests.fake_gateway.state import ADMIN, JSON, STEP, FakeGateway, problem, refused

STOPPING = problem(503, "unavailable", "The gateway is stopping.")
turn_routes = web.RouteTableDef()


class Cut(Exception):  # noqa: N818 - a control flow of the fake, not an error of a program
    """The stream is to end here."""


class Stream:
    """A stream of events; the next of the gateway's cuts says after how many bytes it ends."""

    def __init__(self, request: web.Request, fake: FakeGateway) -> None:
        self._request = request
        self._fake = fake
        self._left = fake.cuts.pop(0) if fake.cuts else None
        self._response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})

    async def begin(self) -> None:
        await self._response.prepare(self._request)

    async def send(self, name: str, data: JSON, position: str = "") -> None:
        place = f"id: {position}\n" if position else ""
        text = json.dumps(data, ensure_ascii=False)
        await self._write(f"event: {name}\n{place}data: {text}\n\n".encode())

    async def end(self) -> web.StreamResponse:
        await self._response.write_eof()
        return self._response

    async def cut(self) -> web.StreamResponse:
        """Ends the stream in the way that the gateway was told."""
        if self._fake.cut_by == "farewell":
            self._left = None
            await self.send("problem", STOPPING)
        if self._fake.cut_by in ("farewell", "end"):
            return await self.end()
        if self._request.transport is not None:
            if self._fake.cut_by == "reset":
                self._request.transport.abort()
            self._request.transport.close()
        return self._response

    async def _write(self, frame: bytes) -> None:
        if self._left is not None and self._left <= len(frame):
            await self._response.write(frame[: self._left])
            raise Cut
        await self._response.write(frame)
        self._left = None if self._left is None else self._left - len(frame)


@turn_routes.post("/chat")
async def chat(request: web.Request) -> web.StreamResponse:
    fake = request.app[GATEWAY]
    body = await request.json()
    if not body["message"].strip():
        errors = [{"pointer": "/message", "detail": "It must not be blank."}]
        raise refused(problem(422, "invalid_argument", "The message is blank.", errors=errors))
    by = reader(request)
    reply = fake.begin(body, request.headers.get("Idempotency-Key"), by["user_id"] if by else ADMIN)
    if body.get("stream"):
        return await stream(request, fake, reply, None)
    while reply["status"] == "running":  # noqa: ASYNC110 - a fake may poll
        await asyncio.sleep(STEP)
    return web.json_response({**reply, "response": reply["content"]})


@turn_routes.get("/chats/{chat_id}/messages/{message_id}/stream")
async def follow(request: web.Request) -> web.StreamResponse:
    after = request.headers.get("Last-Event-ID")
    if after is not None and not re.fullmatch(r"[0-9]+\.[0-9]+", after):
        raise refused(problem(422, "invalid_argument", f"{after!r} is no position."))
    return await stream(request, request.app[GATEWAY], asked(request), after)


@turn_routes.post("/chats/{chat_id}/messages/{message_id}/stop")
async def stop(request: web.Request) -> web.Response:
    reply = asked(request)
    request.app[GATEWAY].stop(reply)
    return web.json_response(reply)


def asked(request: web.Request) -> JSON:
    """Returns the message of a request."""
    fake, chat_id = request.app[GATEWAY], request.match_info["chat_id"]
    found(own_chats(request), chat_id, "chat_not_found")
    known = {one["message_id"]: one for one in fake.messages.get(chat_id, [])}
    return found(known, request.match_info["message_id"], "message_not_found")


async def stream(
    request: web.Request, fake: FakeGateway, reply: JSON, after: str | None
) -> web.StreamResponse:
    """Tells a reply from a position on, or from its start."""
    events = Stream(request, fake)
    await events.begin()
    try:
        if after is None:
            where = {name: reply[name] for name in ("chat_id", "message_id", "provider", "model")}
            await events.send("start", {**where, "user_message_id": reply["parent_id"]}, "0.0")
        await grow(events, fake, reply, after or "0.0")
        if reply["chat_id"] not in fake.chats:
            await events.send("problem", problem(409, "chat_deleted", "The chat was deleted."))
        elif fake.breaks and reply["status"] == "failed":
            await events.send("problem", fake.breaks)
        else:
            names = ("message_id", "status", "finish_reason", "usage", "cost")
            await events.send("end", {name: reply[name] for name in names})
    except Cut:
        return await events.cut()
    return await events.end()


async def grow(events: Stream, fake: FakeGateway, reply: JSON, after: str) -> None:
    """Tells what there is behind a position, and what comes, until the reply is over."""
    thought, told = map(int, after.split("."))
    while True:
        running = reply["status"] == "running"
        thoughts = (reply["reasoning"] or "")[thought:][: fake.piece]
        text = reply["content"][told:][: fake.piece]
        thought, told = thought + len(thoughts), told + len(text)
        if thoughts:  # without a position of its own when there is text in the same piece
            position = "" if text else f"{thought}.{told}"
            await events.send("reasoning", {"text": thoughts}, position)
        if text:
            await events.send("delta", {"text": text}, f"{thought}.{told}")
        elif not thoughts:
            if not running:
                return
            await asyncio.sleep(STEP)
