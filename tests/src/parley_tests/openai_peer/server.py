"""The peer's server."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Self

import orjson
from aiohttp import web

from parley_tests.openai_peer import wire
from parley_tests.openai_peer.script import Script, directed, scripted

_EVENT_STREAM = MappingProxyType({"Content-Type": "text/event-stream; charset=utf-8"})


@dataclass(frozen=True, slots=True)
class Received:
    """A request that reached the peer."""

    path: str
    headers: Mapping[str, str]
    body: Any


class OpenAIPeer:
    """The server; `async with` starts and stops it."""

    def __init__(self, *, api_key: str = "", script: Script | None = None, record: bool = True):
        self.base_url = ""
        self.requests: deque[Received] = deque(maxlen=1000)
        self.disconnects = 0
        self._api_key = api_key
        self._script = script or Script()
        self._record = record
        self._disconnected = asyncio.Event()
        self._released = asyncio.Event()
        self._runner: web.ServerRunner | None = None

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> None:
        server = web.Server(self._answer, handler_cancellation=True, access_log=None)
        self._runner = web.ServerRunner(server, shutdown_timeout=0.2)
        await self._runner.setup()
        await web.TCPSite(self._runner, host, port).start()
        self.base_url = f"http://{host}:{self._runner.addresses[0][1]}/v1"

    async def aclose(self) -> None:
        if self._runner:
            await self._runner.cleanup()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    @property
    def connections(self) -> int:
        """How many connections clients keep open."""
        return len(self._runner.server.connections) if self._runner and self._runner.server else 0

    def script(self, **changes: Any) -> None:
        """Sets how replies go from now on; what is not named is as at first."""
        self._script = scripted(Script(), changes)
        self._released.clear()
        self._disconnected.clear()

    def release(self) -> None:
        """Lets the replies go on that wait at `hold_after`."""
        self._released.set()

    async def disconnected(self) -> None:
        """Returns once a client has left in the middle of a reply since the last `script()`."""
        await self._disconnected.wait()

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        content = await request.content.read()
        if request.path.startswith("/_"):
            return self._control(request.path, content)
        body = orjson.loads(content) if content else None
        if self._record:
            headers = {str(name): value for name, value in request.headers.items()}
            self.requests.append(Received(request.path, headers, body))
        key = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if self._api_key and key != self._api_key:
            return _failure(Script(error="invalid_api_key"), key=key)
        match request.method, request.path:
            case "GET", "/v1/models":
                return self._models(key)
            case "POST", "/v1/chat/completions":
                return await self._complete(request, body, key)
        return web.Response(status=404, text="Not Found")

    def _models(self, key: str) -> web.Response:
        if self._script.error:
            return _failure(self._script, key=key)
        if self._script.raw is not None:
            return _raw(self._script)
        return web.Response(body=wire.models(), content_type="application/json")

    async def _complete(self, request: web.BaseRequest, body: Any, key: str) -> web.StreamResponse:
        script = directed(self._script, body["messages"])
        if body["model"] not in wire.MODELS:
            script = Script(error="model_not_found")
        if script.error and script.error_after is None:
            return _failure(script, key=key, model=body["model"])
        if script.raw is not None:
            return _raw(script)
        try:
            await asyncio.sleep(script.delay)
            return await self._reply(request, body, script)
        except (asyncio.CancelledError, ConnectionError):
            self.disconnects += 1
            self._disconnected.set()
            raise

    async def _reply(
        self, request: web.BaseRequest, body: Any, script: Script
    ) -> web.StreamResponse:
        said = script.texts
        tokens = wire.reply_tokens(body["messages"], script.count) if said is None else said
        if body.get("stream"):
            return await self._stream(request, wire.events(body, tokens, script), script)
        if script.hold_after is not None:
            await self._released.wait()
        if script.cut_after is not None and request.transport:
            request.transport.close()
        response = web.Response(
            body=wire.whole(body, tokens, script), content_type="application/json"
        )
        if script.compress:
            response.enable_compression()
        return response

    async def _stream(
        self, request: web.BaseRequest, events: Sequence[bytes], script: Script
    ) -> web.StreamResponse:
        response = web.StreamResponse(headers=_EVENT_STREAM)
        if script.compress:
            response.enable_compression()
        await response.prepare(request)
        if script.is_plain:
            await response.write(b"".join(events))
            return response
        # The opening event is number 0, so the number is that of the tokens written.
        for number, event in enumerate(events):
            await _write(response, event, script)
            if number == script.hold_after:
                await self._released.wait()
            if number == script.cut_after:
                await _cut(request, script)
                return response
            if number == script.error_after:
                error = orjson.dumps(wire.error_body(script.error))
                await _write(response, b"data: " + error + b"\n\n", script)
                return response
            if script.pace and number:
                await asyncio.sleep(1 / script.pace)
        return response

    def _control(self, path: str, content: bytes) -> web.Response:
        if path == "/_script":
            self.script(**orjson.loads(content or b"{}"))
        elif path == "/_release":
            self.release()
        log = {
            "requests": [
                {"path": one.path, "headers": one.headers, "body": one.body}
                for one in self.requests
            ],
            "disconnects": self.disconnects,
        }
        return web.Response(body=orjson.dumps(log), content_type="application/json")


async def _write(response: web.StreamResponse, data: bytes, script: Script) -> None:
    size = 7 if script.split else len(data)
    for start in range(0, len(data), size):
        await response.write(data[start : start + size])
        if script.split:
            await asyncio.sleep(0)


async def _cut(request: web.BaseRequest, script: Script) -> None:
    if not script.cut_cleanly and request.transport:
        # Let what was written leave first; a close in the same turn of the loop may drop it.
        await asyncio.sleep(0.01)
        request.transport.close()


def _raw(script: Script) -> web.Response:
    return web.Response(
        text=script.raw,
        status=script.status,
        content_type=script.raw_type,
        headers=dict(script.headers),
    )


def _failure(script: Script, **words: str) -> web.Response:
    status = wire.ERRORS[script.error].status
    body = orjson.dumps(wire.error_body(script.error, **words))
    return web.Response(
        body=body,
        status=status,
        content_type="application/json",
        headers=dict(script.headers),
    )
