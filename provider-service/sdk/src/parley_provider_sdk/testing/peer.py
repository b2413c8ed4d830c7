"""A scriptable server on a real socket, for the tests of plugins whose vendor speaks HTTP.

The vendor's wire is a Dialect: pure functions from a request and a script to bytes. In a test:

    async with Peer(AcmeDialect(), key="sk-test") as peer:
        peer.script(texts=["Hi ", "there."], hold_after=1)

From outside, `POST /_script`, `POST /_release` and `GET /_log` do what the methods do from within.
A last user message that begins with `#peer {"count": 5}` changes the script for its reply only.
"""

from __future__ import annotations

import asyncio
import json
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Self

from aiohttp import web

from parley_provider_sdk.testing.script import DIRECTIVE, Script, directed, words

__all__ = ["DIRECTIVE", "Answer", "Dialect", "Peer", "Received", "Script", "words"]

_UNKNOWN = "model_not_found"
_UNAUTHORIZED = "authentication"


class Answer(NamedTuple):
    """An answer in one piece."""

    status: int
    body: bytes
    content_type: str = "application/json"


@dataclass(frozen=True, slots=True)
class Received:
    """A request that reached the peer."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: Any
    query: Mapping[str, str] = field(default_factory=dict)


class Dialect(ABC):
    """One vendor's wire. Say in your class's docstring where its details come from."""

    # What follows the address in a base URL, such as `/v1`.
    prefix: str = ""
    models: Sequence[str] = ()
    stream_type: str = "text/event-stream; charset=utf-8"

    @abstractmethod
    def key_of(self, headers: Mapping[str, str], query: Mapping[str, str]) -> str:
        """Returns the key that a request shows."""

    @abstractmethod
    def model_of(self, path: str, body: Any) -> str | None:
        """Returns the model that is to reply; None when this asks for no reply."""

    @abstractmethod
    def is_streamed(self, path: str, body: Any) -> bool:
        """Says whether the reply is to be streamed."""

    @abstractmethod
    def last_text(self, body: Any) -> str:
        """Returns what the user said last."""

    @abstractmethod
    def events(self, body: Any, texts: Sequence[str], script: Script) -> list[bytes]:
        """Returns a stream: the opening event, one for each reasoning and text, then the end.

        Whatever stands after the last text (tool calls, reason, usage, mark) may be several events.
        """

    @abstractmethod
    def whole(self, body: Any, texts: Sequence[str], script: Script) -> bytes:
        """Returns a reply in one piece."""

    @abstractmethod
    def failure(self, name: str, **words: str) -> Answer:
        """Returns the vendor's answer for a failure; `authentication` and `model_not_found` exist.

        `words` are `key` and `model`, which real vendors quote.
        """

    @abstractmethod
    def error_event(self, name: str) -> bytes:
        """Returns the event that reports a failure within a stream."""

    @abstractmethod
    def other(self, asked: Received) -> Answer | None:
        """Answers what is no reply: models, health, counting. None when there is no such path."""

    def makes_vectors(self, path: str) -> bool:
        """Says whether vectors are asked for, which a script holds back as it does a reply."""
        return "embed" in path.lower()

    def refuse(self, asked: Received) -> Answer | None:  # noqa: ARG002  (dialects look at it)
        """Answers what the vendor would not take, whatever the script says; None for the rest."""
        return None


class Peer:
    """The server; `async with` starts and stops it."""

    def __init__(
        self, dialect: Dialect, *, key: str = "", script: Script | None = None, record: bool = True
    ) -> None:
        """With a `key` every other one is refused; `record=False` keeps no log, for benches."""
        self.dialect = dialect
        self.base_url = ""
        # The last of them; `received` counts them all.
        self.requests: deque[Received] = deque(maxlen=1000)
        self.received = 0
        self.disconnects = 0
        self._key = key
        self._script = script or Script()
        self._record = record
        self._disconnected = asyncio.Event()
        self._reached = asyncio.Event()
        self._released = asyncio.Event()
        self._runner: web.ServerRunner | None = None

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> None:
        """Listens; `base_url` says where."""
        server = web.Server(self._answer, handler_cancellation=True, access_log=None)
        self._runner = web.ServerRunner(server, shutdown_timeout=0.2)
        await self._runner.setup()
        await web.TCPSite(self._runner, host, port).start()
        self.base_url = f"http://{host}:{self._runner.addresses[0][1]}{self.dialect.prefix}"

    async def aclose(self) -> None:
        """Stops listening and cuts what is open."""
        if self._runner:
            await self._runner.cleanup()

    async def __aenter__(self) -> Self:
        """Starts it on a free port."""
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stops it."""
        await self.aclose()

    @property
    def connections(self) -> int:
        """How many connections clients keep open."""
        return len(self._runner.server.connections) if self._runner and self._runner.server else 0

    def script(self, **changes: Any) -> None:
        """Sets how replies go from now on; what is not named is as at first."""
        self._script = Script().changed(changes)
        self._released.clear()
        self._disconnected.clear()
        self._reached.clear()

    def release(self) -> None:
        """Lets the replies go on that wait at `hold_after`."""
        self._released.set()

    async def disconnected(self) -> None:
        """Returns once a client has left in the middle of a reply since the last `script()`."""
        await self._disconnected.wait()

    async def reached(self) -> None:
        """Returns once something that is held back has been asked since the last `script()`."""
        await self._reached.wait()

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        content = await request.content.read()
        if request.path.startswith("/_"):
            return self._control(request.path, content)
        body = json.loads(content) if content else None
        path = request.path.removeprefix(self.dialect.prefix)
        headers = {str(name).lower(): value for name, value in request.headers.items()}
        asked = Received(request.method, path, headers, body, dict(request.query))
        self.received += 1
        if self._record:
            self.requests.append(asked)
        key = self.dialect.key_of(headers, asked.query)
        if self._key and key != self._key:
            return _response(self.dialect.failure(_UNAUTHORIZED, key=key))
        if refusal := self.dialect.refuse(asked):
            return _response(refusal)
        model = self.dialect.model_of(path, body)
        if model is not None:
            return await self._complete(request, body, model, key)
        return await self._rest(asked, key)

    async def _rest(self, asked: Received, key: str) -> web.Response:
        """Answers what asks for no reply."""
        if self.dialect.makes_vectors(asked.path):
            await self._held(self._script)
        if self._script.error:
            return _failed(self.dialect, self._script, key=key)
        if self._script.raw is not None:
            return _raw(self._script)
        answer = self.dialect.other(asked)
        return _response(answer) if answer else web.Response(status=404, text="Not Found")

    async def _held(self, script: Script) -> None:
        """Waits, where an answer in one piece is held back; notices when its client leaves."""
        if script.hold_after is None:
            return
        self._reached.set()
        try:
            await self._released.wait()
        except asyncio.CancelledError:
            self.disconnects += 1
            self._disconnected.set()
            raise

    async def _complete(
        self, request: web.BaseRequest, body: Any, model: str, key: str
    ) -> web.StreamResponse:
        script = directed(self._script, self.dialect.last_text(body))
        if model not in self.dialect.models:
            script = Script(error=_UNKNOWN)
        if script.error and script.error_after is None:
            return _failed(self.dialect, script, key=key, model=model)
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
        texts = words(self.dialect.last_text(body), script.count) if said is None else said
        path = request.path.removeprefix(self.dialect.prefix)
        if self.dialect.is_streamed(path, body):
            return await self._stream(request, self.dialect.events(body, texts, script), script)
        if script.hold_after is not None:
            await self._released.wait()
        if script.cut_after is not None and request.transport:
            request.transport.close()
        whole = self.dialect.whole(body, texts, script)
        response = web.Response(body=whole, content_type="application/json")
        if script.compress:
            response.enable_compression()
        return response

    async def _stream(
        self, request: web.BaseRequest, events: Sequence[bytes], script: Script
    ) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": self.dialect.stream_type})
        if script.compress:
            response.enable_compression()
        await response.prepare(request)
        if script.is_plain:
            await response.write(b"".join(events))
            return response
        # The opening event is number 0, so the number is that of the tokens written.
        for number, event in enumerate(events):
            is_whole = script.dribble and 0 < script.dribble_after >= number
            await _write(response, event, Script() if is_whole else script)
            if number == script.hold_after:
                await self._released.wait()
            if number == script.cut_after:
                await _cut(request, script)
                return response
            if number == script.error_after:
                await _write(response, self.dialect.error_event(script.error), script)
                return response
            if script.pace and number:
                await asyncio.sleep(1 / script.pace)
        return response

    def _control(self, path: str, content: bytes) -> web.Response:
        if path == "/_script":
            self.script(**json.loads(content or b"{}"))
        elif path == "/_release":
            self.release()
        asked = [
            {"method": one.method, "path": one.path, "headers": one.headers, "body": one.body}
            for one in self.requests
        ]
        counts = {"received": self.received, "disconnects": self.disconnects}
        return web.json_response({"requests": asked, **counts})


async def _write(response: web.StreamResponse, data: bytes, script: Script) -> None:
    size = 1 if script.dribble else 7 if script.split else len(data)
    for start in range(0, len(data), size):
        await response.write(data[start : start + size])
        if size < len(data):
            await asyncio.sleep(1 / script.dribble if script.dribble else 0)


async def _cut(request: web.BaseRequest, script: Script) -> None:
    if not script.cut_cleanly and request.transport:
        # Let what was written leave first; a close in the same turn of the loop may drop it.
        await asyncio.sleep(0.01)
        request.transport.close()


def _response(answer: Answer, headers: Mapping[str, str] | None = None) -> web.Response:
    return web.Response(
        body=answer.body,
        status=answer.status,
        content_type=answer.content_type,
        headers=dict(headers or {}),
    )


def _raw(script: Script) -> web.Response:
    return _response(
        Answer(script.status, (script.raw or "").encode(), script.raw_type), script.headers
    )


def _failed(dialect: Dialect, script: Script, **said: str) -> web.Response:
    return _response(dialect.failure(script.error, **said), script.headers)
