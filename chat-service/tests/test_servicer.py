"""Every call, through a real channel; the stores are in memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest
from parley_chat_service.api.servicer import NAME
from parley_rpc.client import ACCEPTING, Peer
from parley_rpc.context import Caller
from parley_rpc.faults import RemoteFault, Unauthenticated, kind_of, reason_of
from parley_rpc.server import SERVING
from parley_tests.believing import new_caller

from parley.chat.v1 import chat_pb2 as pb
from parley.chat.v1.chat_pb2_grpc import ChatServiceStub
from parley.provider.v1 import reply_pb2

from .conftest import World
from .fakes import until

if TYPE_CHECKING:  # only the stubs know it
    from parley.chat.v1.chat_pb2_grpc import ChatServiceAsyncStub

pytestmark = pytest.mark.unit

WITHIN = 5.0


@pytest.fixture
async def peer(small_world: World) -> AsyncIterator[Peer]:
    await small_world.server.start("127.0.0.1:0", [NAME])
    await small_world.server.health.set(ACCEPTING, SERVING)
    peer = Peer("chat", f"127.0.0.1:{small_world.server.port}", None)
    yield peer
    await peer.aclose()
    await small_world.server.stop(0)


@pytest.fixture
def stub(peer: Peer) -> ChatServiceAsyncStub:
    return ChatServiceStub(peer.channel)


@pytest.fixture
def me() -> Caller:
    return new_caller(str(uuid4()), "k", "r", valid_for=60)


async def send(
    peer: Peer, me: Caller, request: pb.SendMessageRequest
) -> list[pb.SendMessageResponse]:
    call = ChatServiceStub(peer.channel).SendMessage(request, timeout=WITHIN, metadata=me.metadata)
    return [event async for event in peer.stream(call)]


async def test_send_message_streams(peer: Peer, me: Caller) -> None:
    events = await send(peer, me, pb.SendMessageRequest(chat_id="c", content="Hi"))

    kinds = [event.WhichOneof("event") for event in events]
    assert ("start", "delta", "end") == (kinds[0], kinds[1], kinds[-1])
    assert ("c", "acme", "small") == (
        events[0].start.chat_id, events[0].start.provider, events[0].start.model,
    )  # fmt: skip
    assert "Hello, world." == "".join(event.delta.text for event in events)
    assert ("0.13", "") == (events[-2].delta.position, events[-1].end.message.content)
    assert pb.MESSAGE_STATUS_COMPLETE == events[-1].end.message.status


async def test_send_message_tells_the_text_at_once(peer: Peer, me: Caller) -> None:
    _, end = await send(peer, me, pb.SendMessageRequest(content="Hi", omit_deltas=True))

    assert "Hello, world." == end.end.message.content


async def test_stream_message_goes_on_behind_a_position(peer: Peer, me: Caller) -> None:
    first, *_ = await send(peer, me, pb.SendMessageRequest(chat_id="c", content="Hi"))
    request = pb.StreamMessageRequest(chat_id="c", message_id=first.start.message_id, after="0.5")
    call = ChatServiceStub(peer.channel).StreamMessage(
        request, timeout=WITHIN, metadata=me.metadata
    )

    start, delta, end = [event async for event in peer.stream(call)]

    assert first.start == start.start
    assert (", world.", "0.13") == (delta.delta.text, delta.delta.position)
    assert pb.MESSAGE_STATUS_COMPLETE == end.end.message.status


@pytest.mark.parametrize(
    ("message_id", "after", "reason"),
    [
        ("no name of ours", "", "message_not_found"),
        ("00000000-0000-7000-8000-000000000000", "", "message_not_found"),
        (None, "somewhere", "invalid_argument"),
        (None, "0.999", "invalid_argument"),
    ],
)
async def test_stream_message_says_what_is_wrong(
    peer: Peer, me: Caller, message_id: str | None, after: str, reason: str
) -> None:
    first, *_ = await send(peer, me, pb.SendMessageRequest(chat_id="c", content="Hi"))
    request = pb.StreamMessageRequest(
        chat_id="c", message_id=message_id or first.start.message_id, after=after
    )
    call = ChatServiceStub(peer.channel).StreamMessage(
        request, timeout=WITHIN, metadata=me.metadata
    )

    with pytest.raises(RemoteFault) as raised:
        assert [event async for event in peer.stream(call)]

    assert reason == reason_of(raised.value)


async def test_stop_messages_stops_what_a_key_began(
    stub: ChatServiceAsyncStub, me: Caller, small_world: World
) -> None:
    small_world.providers.script = ["Half", asyncio.Event()]
    request = pb.SendMessageRequest(chat_id="c", content="Hi")
    call = stub.SendMessage(request, timeout=WITHIN, metadata=me.metadata)
    events = aiter(call)
    await anext(events)
    counts = []
    for key_id in ("other", "k"):
        stop = pb.StopMessagesRequest(key_id=key_id)
        answer = await stub.StopMessages(stop, timeout=WITHIN, metadata=me.metadata)
        counts.append(answer.stopped)

    *_, end = [event async for event in events]
    assert [0, 1] == counts
    assert pb.MESSAGE_STATUS_STOPPED == end.end.message.status


async def test_stop_message_answers_with_what_there_is(
    peer: Peer, me: Caller, small_world: World
) -> None:
    small_world.providers.script = ["Half", asyncio.Event()]
    call = ChatServiceStub(peer.channel).SendMessage(
        pb.SendMessageRequest(chat_id="c", content="Hi"), timeout=WITHIN, metadata=me.metadata
    )
    events = peer.stream(call)
    start = (await anext(events)).start
    await anext(events)
    request = pb.StopMessageRequest(chat_id="c", message_id=start.message_id)

    stop = ChatServiceStub(peer.channel).StopMessage
    answer = await stop(request, timeout=WITHIN, metadata=me.metadata)

    assert (pb.MESSAGE_STATUS_STOPPED, "Half") == (answer.message.status, answer.message.content)
    assert pb.MESSAGE_STATUS_STOPPED == (await anext(events)).end.message.status
    assert small_world.providers.cancelled.is_set()


async def test_send_message_reports_what_is_wrong(peer: Peer, me: Caller) -> None:
    with pytest.raises(RemoteFault) as raised:
        await send(peer, me, pb.SendMessageRequest(content="Hi", temperature=3))

    assert "invalid_argument" == reason_of(raised.value)
    assert ["temperature"] == [violation.field for violation in raised.value.violations]


async def test_who_hangs_up_does_not_end_the_turn(
    peer: Peer, stub: ChatServiceAsyncStub, me: Caller, small_world: World
) -> None:
    gate = asyncio.Event()
    small_world.providers.script = ["Hello", gate, " again"]
    request = pb.SendMessageRequest(chat_id="c", content="Hi")
    call = stub.SendMessage(request, timeout=WITHIN, metadata=me.metadata)
    await call.read()
    call.cancel()
    gate.set()
    await until(lambda: not small_world.server.worker.turns)

    page = await stub.ListMessages(
        pb.ListMessagesRequest(chat_id="c"), timeout=WITHIN, metadata=me.metadata
    )

    assert "Hello again" == page.messages[1].content


async def test_chats_are_listed_got_and_deleted(
    peer: Peer, stub: ChatServiceAsyncStub, me: Caller
) -> None:
    for name in ("a", "b", "c"):
        await send(peer, me, pb.SendMessageRequest(chat_id=name, content=f"Hi {name}"))

    first = await stub.ListChats(
        pb.ListChatsRequest(page_size=2), timeout=WITHIN, metadata=me.metadata
    )
    rest = await stub.ListChats(
        pb.ListChatsRequest(page_token=first.next_page_token), timeout=WITHIN, metadata=me.metadata
    )
    found = await stub.ListChats(
        pb.ListChatsRequest(title_contains="HI B"), timeout=WITHIN, metadata=me.metadata
    )
    got = await stub.GetChat(pb.GetChatRequest(chat_id="b"), timeout=WITHIN, metadata=me.metadata)
    await stub.DeleteChat(pb.DeleteChatRequest(chat_id="b"), timeout=WITHIN, metadata=me.metadata)

    assert ["c", "b"] == [chat.chat_id for chat in first.chats]
    assert (["a"], "") == ([chat.chat_id for chat in rest.chats], rest.next_page_token)
    assert (3, 5) == (got.chat.totals.input_tokens, got.chat.totals.output_tokens)
    got.chat.ClearField("totals")
    assert [got.chat] == list(found.chats)
    with pytest.raises(RemoteFault, match="There is no chat b"):
        await peer.unary(
            stub.GetChat(pb.GetChatRequest(chat_id="b"), timeout=1, metadata=me.metadata)
        )


async def test_messages_are_listed_from_either_end(
    peer: Peer, stub: ChatServiceAsyncStub, me: Caller
) -> None:
    for _ in range(2):
        await send(peer, me, pb.SendMessageRequest(chat_id="c", content="Hi"))

    async def page(token: str) -> pb.ListMessagesResponse:
        request = pb.ListMessagesRequest(chat_id="c", page_size=3, page_token=token, from_end=True)
        return await stub.ListMessages(request, timeout=WITHIN, metadata=me.metadata)

    last = await page("")
    first = await page(last.next_page_token)

    assert [2, 3, 4] == [message.seq for message in last.messages]
    assert ([1], "") == ([m.seq for m in first.messages], first.next_page_token)
    assert ("c", 4) == (first.chat.chat_id, first.chat.message_count)


@pytest.mark.parametrize("method", ["GetChat", "DeleteChat", "ListMessages"])
async def test_a_chat_of_others_is_as_good_as_none(
    peer: Peer, stub: ChatServiceAsyncStub, me: Caller, method: str
) -> None:
    await send(peer, me, pb.SendMessageRequest(chat_id="c", content="Hi"))
    other = new_caller(str(uuid4()), "k", "r", valid_for=60)
    request = getattr(pb, f"{method}Request")

    async def fault(chat_id: str, caller: Caller) -> tuple[str, str, dict[str, str]]:
        call = getattr(stub, method)(
            request(chat_id=chat_id), timeout=WITHIN, metadata=caller.metadata
        )
        with pytest.raises(RemoteFault) as raised:
            await peer.unary(call)
        return reason_of(raised.value), raised.value.sentence, raised.value.metadata

    missing = ("chat_not_found", "There is no chat c.", {"chat_id": "c"})
    assert missing == await fault("c", other)
    await peer.unary(
        stub.DeleteChat(pb.DeleteChatRequest(chat_id="c"), timeout=WITHIN, metadata=me.metadata)
    )
    assert missing == await fault("c", me)
    assert "invalid_argument" == (await fault("c/d", me))[0]


async def test_a_caller_must_be_a_user(peer: Peer) -> None:
    nobody = new_caller("nobody", "k", "r", valid_for=60)

    with pytest.raises(RemoteFault) as raised:
        await send(peer, nobody, pb.SendMessageRequest(content="Hi"))

    assert kind_of(raised.value) is Unauthenticated


async def test_get_message_brings_it_whole(
    peer: Peer, stub: ChatServiceAsyncStub, me: Caller
) -> None:
    image = reply_pb2.Part(image=reply_pb2.Blob(media_type="image/png", data=b"png"))
    said = [
        reply_pb2.InputMessage(
            role=reply_pb2.ROLE_USER, parts=[image, reply_pb2.Part(text="What is it?")]
        )
    ]
    first, *_ = await send(peer, me, pb.SendMessageRequest(chat_id="c", input=said))

    async def get(message_id: str, caller: Caller) -> pb.GetMessageResponse:
        request = pb.GetMessageRequest(message_id=message_id)
        return await peer.unary(stub.GetMessage(request, timeout=WITHIN, metadata=caller.metadata))

    user = await get(first.start.user_message_id, me)
    reply = await get(first.start.message_id, me)

    assert (said, "What is it?", "c") == (
        list(user.message.input), user.message.content, user.chat.chat_id,
    )  # fmt: skip
    assert ("Hello, world.", []) == (reply.message.content, list(reply.message.input))
    other = new_caller(str(uuid4()), "k", "r", valid_for=60)
    for name, caller in (
        (first.start.message_id, other), (str(uuid4()), me), ("no name of ours", me),
    ):  # fmt: skip
        with pytest.raises(RemoteFault, match=f"There is no message {name}.") as raised:
            await get(name, caller)
        assert "message_not_found" == reason_of(raised.value)
