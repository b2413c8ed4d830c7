"""A chat service on a real socket, which can be told to fail, and a gateway that vouches."""

import asyncio
import time
from base64 import b64encode
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from parley_client.grpc import Addresses, Credential, Patience, Services, Tls
from parley_rpc.context import ServerContext, caller_of, terms_of
from parley_rpc.faults import Fault
from parley_rpc.keys import Source, Watched, trusted_keys
from parley_rpc.server import Server
from parley_rpc.trust import Trust
from parley_tests.fake_gateway import FakeGateway
from parley_tests.installation import Installation
from typing_extensions import override

from parley.chat.v1 import chat_pb2 as pb
from parley.chat.v1.chat_pb2_grpc import ChatServiceServicer, add_ChatServiceServicer_to_server

CHATS = "parley.chat.v1.ChatService"
NOWHERE = "127.0.0.1:1"
REASONING, TEXT = "Hm…", ("Ü, ", "世 🎈", "!")
CUT = object()  # in place of a fault: the service ends, and another one takes its place
OURS = Installation()
FRESH = 60.0  # seconds; a busy machine takes its time
OURS.voucher.fresh_seconds = FRESH


def told(after: str) -> Iterator[dict[str, Any]]:
    """The events of the one reply that there is, behind a position."""
    yield {"start": pb.TurnStart(chat_id="c", message_id="m", provider="demo", model="demo")}
    deltas = [pb.TurnDelta(reasoning=REASONING)] + [pb.TurnDelta(text=text) for text in TEXT]
    place, seen = [0, 0], [int(part) for part in (after or "0.0").split(".")]
    for delta in deltas:
        place[0] += len(delta.reasoning)
        place[1] += len(delta.text)
        delta.position = f"{place[0]}.{place[1]}"
        if place > seen:
            yield {"delta": delta}
    yield {"end": pb.TurnEnd(message=pb.Message(message_id="m"))}


@dataclass
class Chats(ChatServiceServicer):
    """Answers as its script says. A failure stands after so many events of the next stream."""

    failures: list[tuple[int, Any]] = field(default_factory=list)
    cut: Callable[[], None] = lambda: None
    received: list[Any] = field(default_factory=list)
    callers: list[str] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)

    async def _begin(self, request: Any, context: ServerContext) -> tuple[int, Any]:
        self.received.append(request)
        self.callers.append(caller_of(context).user_id)
        self.seconds.append(context.time_remaining() or 0)
        return self.failures.pop(0) if self.failures else (-1, None)

    async def _fail(self, failure: Any) -> None:
        if isinstance(failure, Fault):
            raise failure
        if failure is CUT:
            self.cut()
        await asyncio.Event().wait()

    @override
    async def SendMessage(
        self, request: pb.SendMessageRequest, context: ServerContext
    ) -> AsyncIterator[pb.SendMessageResponse]:
        at, failure = await self._begin(request, context)
        for number, event in enumerate(told("")):
            if number == at:
                await self._fail(failure)
            yield pb.SendMessageResponse(**event)

    @override
    async def StreamMessage(
        self, request: pb.StreamMessageRequest, context: ServerContext
    ) -> AsyncIterator[pb.StreamMessageResponse]:
        at, failure = await self._begin(request, context)
        for number, event in enumerate(told(request.after)):
            if number == at:
                await self._fail(failure)
            yield pb.StreamMessageResponse(**event)

    @override
    async def GetChat(
        self, request: pb.GetChatRequest, context: ServerContext
    ) -> pb.GetChatResponse:
        at, failure = await self._begin(request, context)
        if not at:
            await self._fail(failure)
        return pb.GetChatResponse(chat=pb.Chat(chat_id=request.chat_id))

    @override
    async def DeleteChat(
        self, request: pb.DeleteChatRequest, context: ServerContext
    ) -> pb.DeleteChatResponse:
        at, failure = await self._begin(request, context)
        if not at:
            await self._fail(failure)
        return pb.DeleteChatResponse()


@dataclass
class World:
    """The service, its script, and the services as a client of ours has them."""

    chats: Chats
    services: Services
    gateway: FakeGateway
    address: str


@asynccontextmanager
async def world(
    gateway: FakeGateway,
    patience: Patience | None = None,
    tls: tuple[Tls, Tls] | None = None,
    credential: Credential | None = None,
) -> AsyncIterator[World]:
    """Serve chats for the length of a block; `tls` are what the service shows, and its client."""
    gateway.vouch = vouched
    chats, running, tasks = Chats(), [server(tls)], set()  # type: ignore[abstract]

    async def serve(port: int = 0) -> None:
        add_ChatServiceServicer_to_server(chats, running[-1].grpc)
        await running[-1].start(f"127.0.0.1:{port}", [CHATS])

    async def restart() -> None:
        await running[-1].grpc.stop(0)
        for _ in range(50):  # somebody else may have been given the port
            running.append(server(tls))
            try:
                return await serve(running[0].port)
            except OSError:
                await asyncio.sleep(0.1)
        raise AssertionError

    def cut() -> None:
        tasks.add(asyncio.create_task(restart()))

    chats.cut = cut
    await serve()
    address = f"127.0.0.1:{running[0].port}"
    known = credential or Credential(OURS.credential().key, tls and tls[1])
    places = Addresses(chat=address, prompt=NOWHERE, provider=NOWHERE)
    services = Services(gateway.url, gateway.key, known, addresses=places, patience=patience)
    try:
        async with services:
            yield World(chats, services, gateway, address)
    finally:
        await asyncio.gather(*tasks)
        await running[-1].grpc.stop(0)


def server(tls: tuple[Tls, Tls] | None) -> Server:
    """A server that lets in whom the installation trusts."""
    keys = Watched(Source("TRUSTED_KEYS", OURS.trusted), trusted_keys)
    return Server("chat.parley", Trust("chat", keys, tls=tls and tls[0]))


def vouched(user_id: str, *, ago: float = 0.0) -> dict[str, Any]:
    """What the gateway answers when it vouches; `ago` is how old that is, and does not tell."""
    OURS.voucher.clock = lambda: time.time() - ago
    caller = OURS.voucher.renew(OURS.caller(user_id, valid_for=600))
    OURS.voucher.clock = time.time
    fresh_until, expires_at = terms_of(caller)
    return {
        "context": b64encode(caller.signed).decode(),
        "fresh_until": datetime.fromtimestamp(fresh_until.timestamp() + ago, UTC).isoformat(),
        "expires_at": expires_at.isoformat(),
    }
