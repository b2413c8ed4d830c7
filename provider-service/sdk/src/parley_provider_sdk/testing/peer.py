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
import zlib
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, NamedTuple, Self

from aiohttp import web

__all__ = ["DIRECTIVE", "Answer", "Dialect", "Peer", "Received", "Script", "words"]

DIRECTIVE = "#peer "
# Of one to four bytes a character, as real replies are.
_WORDS = [
    "the",
    "quick",
    "brown",
    "Füchse",
    "jump",
    "über",
    "世界",
    "and",
    "naïve",
    "cafés",
    "🚀",
    "sing",
    "“ode”",
    "—",
    "1",
    "€",
    "x",
]
_UNKNOWN = "model_not_found"
_UNAUTHORIZED = "authentication"


@dataclass(frozen=True, slots=True)
class Script:
    """How replies go until the script is changed."""

    # The texts of the deltas; None means `count` words derived from the request.
    texts: tuple[str, ...] | None = None
    count: int = 64
    # Reasoning that comes before the text, and tool calls that come after it: each a mapping of
    # `tool_call_id`, `name` and `arguments`, whose JSON text is sent in pieces of seven characters.
    reasoning: tuple[str, ...] = ()
    calls: tuple[Mapping[str, str], ...] = ()
    # Seconds before the first token, and tokens per second after it; 0 means at once.
    delay: float = 0.0
    pace: float = 0.0
    # Waits for `release()` after so many tokens; the answer's head goes out before, 0 included.
    hold_after: int | None = None
    # Fails with one of the vendor's failures by name, before the head of the answer or, when
    # `error_after` is set, as an event after so many tokens.
    error: str = ""
    error_after: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    # Closes the connection after so many tokens, or ends the answer well but without its mark.
    cut_after: int | None = None
    cut_cleanly: bool = False
    # Writes seven bytes at a time, so that characters are split; or one byte, so many a second,
    # after so many tokens that are written whole.
    split: bool = False
    dribble: float = 0.0
    dribble_after: int = 0
    compress: bool = False
    usage: bool = True
    # The vendor's own word for why it stopped; empty means that it had said everything.
    finish_reason: str = ""
    # Puts fields and events that nobody knows between the others.
    unknown: bool = False
    # Answers with exactly this.
    raw: str | None = None
    raw_type: str = "text/event-stream"
    status: int = 200

    @property
    def is_plain(self) -> bool:
        """Says that all of a reply can be written at once."""
        stops = (self.hold_after, self.cut_after, self.error_after)
        return stops == (None, None, None) and not (self.pace or self.split or self.dribble)

    def changed(self, changes: Mapping[str, Any]) -> Script:
        """Returns the script with changes. ValueError for what a script does not have."""
        known = {one.name for one in fields(Script)}
        if unknown := sorted(set(changes) - known):
            raise ValueError(f"A script has no {unknown}, only {sorted(known)}.")
        made: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in changes.items()
        }
        return replace(self, **made)


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
        return self._rest(asked, key)

    def _rest(self, asked: Received, key: str) -> web.Response:
        """Answers what asks for no reply."""
        if self._script.error:
            return _failed(self.dialect, self._script, key=key)
        if self._script.raw is not None:
            return _raw(self._script)
        answer = self.dialect.other(asked)
        return _response(answer) if answer else web.Response(status=404, text="Not Found")

    async def _complete(
        self, request: web.BaseRequest, body: Any, model: str, key: str
    ) -> web.StreamResponse:
        script = _directed(self._script, self.dialect.last_text(body))
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


def words(asked: str, count: int = 64) -> list[str]:
    """Returns the words that a peer answers a question with."""
    seed, size = zlib.crc32(asked.encode()), len(_WORDS)
    return [f"{_WORDS[(seed + number * (1 + seed % 7)) % size]} " for number in range(count)]


def _directed(script: Script, text: str) -> Script:
    if not text.startswith(DIRECTIVE):
        return script
    directive, _, _ = text.removeprefix(DIRECTIVE).partition("\n")
    changes: Mapping[str, Any] = json.loads(directive)
    return script.changed(changes)


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
