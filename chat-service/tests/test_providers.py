"""The provider service behind its port, over a real socket."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from uuid import UUID, uuid4

import pytest
from parley_chat_service.adapters import providers as adapter
from parley_chat_service.adapters.providers import GrpcProviders
from parley_chat_service.core.model import (
    AttachmentInfo,
    Caller,
    Choice,
    Cost,
    ToolCall,
    Usage,
)
from parley_chat_service.core.outline import Kind, Span
from parley_chat_service.core.running import RunningTurn
from parley_chat_service.core.turn import Finished, Past, ReplyRequest
from parley_rpc.client import Peer
from parley_rpc.faults import DeadlineExceeded, RemoteFault, Unavailable, reason_of
from parley_tests.believing import new_caller

from parley.provider.v1 import reply_pb2
from parley.provider.v1.reply_pb2 import ROLE_ASSISTANT, ROLE_USER, InputMessage, Part

from .fakes import until
from .peers import Event, PromptPeer, ProviderPeer, finished, serving

pytestmark = pytest.mark.unit

WITHIN = 5.0
INFO = AttachmentInfo("cat", "image/png", 3, "aa")
LOST = AttachmentInfo("dog", "image/png", 3, "bb")


@pytest.fixture
def caller() -> Caller:
    user = uuid4()
    return Caller(user, new_caller(str(user), "k", "r", valid_for=60).metadata)


@pytest.fixture
def peer() -> ProviderPeer:
    return ProviderPeer()


@pytest.fixture
async def providers(peer: ProviderPeer) -> AsyncIterator[GrpcProviders]:
    async with serving(peer, PromptPeer()) as address:
        client = Peer("provider", address, None)
        yield GrpcProviders(client)
        await client.aclose()


def request() -> ReplyRequest:
    past = [
        Past(UUID(int=1), "user", "complete", "Look", [INFO, LOST]),
        Past(UUID(int=2), "assistant", "complete", "A cat"),
        Past(UUID(int=3), "user", "complete", "And?"),
    ]
    return ReplyRequest(
        usage_id=UUID(int=9), choice=Choice("acme", "big"), system="Be kind.", past=past,
        files={"aa": b"png"}, temperature=0.0, max_tokens=None, stream=True,
    )  # fmt: skip


def turn() -> RunningTurn:
    return RunningTurn(UUID(int=9), lambda _: None, watched=True)


async def test_a_request_is_written_whole(
    providers: GrpcProviders, peer: ProviderPeer, caller: Caller
) -> None:
    peer.script = finished()

    await providers.generate(caller, request(), turn(), WITHIN)

    image = reply_pb2.Blob(media_type="image/png", data=b"png", name="cat")
    expected = reply_pb2.GenerateReplyRequest(
        usage_id=str(UUID(int=9)), provider="acme", model="big", system="Be kind.",
        temperature=0.0, stream=True,
        messages=[
            InputMessage(role=ROLE_USER, parts=[Part(image=image), Part(text="Look")]),
            InputMessage(role=ROLE_ASSISTANT, parts=[Part(text="A cat")]),
            InputMessage(role=ROLE_USER, parts=[Part(text="And?")]),
        ],
    )  # fmt: skip
    assert [expected] == peer.requests
    assert [str(caller.owner_id)] == peer.users


async def test_a_reply_is_taken_in(
    providers: GrpcProviders, peer: ProviderPeer, caller: Caller
) -> None:
    usage = Event(usage=reply_pb2.Usage(input_tokens=1))
    peer.script = [Event(reasoning="Hm."), Event(text="He"), usage, *finished("llo")]
    reply = turn()

    end = await providers.generate(caller, request(), reply, WITHIN)

    piece = reply.take()
    assert piece is not None
    assert ("Hm.", "Hello") == (piece.reasoning, piece.text)
    assert Finished("stop", Usage(3, 2, 0, 0, "counted"), Cost(7, "list")) == end
    assert Usage(1) == reply.usage


async def test_a_reply_without_an_end_is_cut_off(
    providers: GrpcProviders, peer: ProviderPeer, caller: Caller
) -> None:
    peer.script = [Event(text="Half")]

    assert await providers.generate(caller, request(), turn(), WITHIN) is None


async def test_fallbacks_are_asked_for(
    providers: GrpcProviders, peer: ProviderPeer, caller: Caller
) -> None:
    peer.script = finished()
    asked = replace(request(), fallbacks=[Choice("zeta", "big"), Choice("beta")])

    await providers.generate(caller, asked, turn(), WITHIN)

    named = [(choice.provider, choice.model) for choice in peer.requests[0].fallbacks]
    assert [("zeta", "big"), ("beta", "")] == named


async def test_a_reply_goes_back_in_its_pieces(
    providers: GrpcProviders, peer: ProviderPeer, caller: Caller
) -> None:
    peer.script = finished()
    spans = [
        Span(Kind.REASONING, 0, b"1"), Span(Kind.TEXT, 2, b"2"), Span(Kind.REASONING, 3, b"3"),
        Span(Kind.REASONING, 1), Span(Kind.TEXT, 0, b"5"), Span(Kind.TEXT, 1),
    ]  # fmt: skip
    past = Past(UUID(int=2), "assistant", "complete", "A🏴B", (), "acme", "Hm.!", spans)

    await providers.generate(caller, replace(request(), past=[past]), turn(), WITHIN)

    (message,) = peer.requests[0].messages
    assert [
        Part(reasoning="", provider_metadata=b"1"), Part(text="A🏴", provider_metadata=b"2"),
        Part(reasoning="Hm.", provider_metadata=b"3"), Part(reasoning="!"),
        Part(text="", provider_metadata=b"5"), Part(text="B"),
    ] == list(message.parts)  # fmt: skip
    kinds = ["reasoning", "text", "reasoning", "reasoning", "text", "text"]
    assert kinds == [part.WhichOneof("kind") for part in message.parts]


async def test_what_a_vendor_wants_back_is_taken_in(
    providers: GrpcProviders, peer: ProviderPeer, caller: Caller
) -> None:
    peer.script = [Event(reasoning_metadata=b"1"), Event(text="He"), Event(text_metadata=b"2")]
    peer.script += finished("llo")
    reply = turn()

    await providers.generate(caller, request(), reply, WITHIN)

    reply.take()
    wanted = (Span(Kind.REASONING, 0, b"1"), Span(Kind.TEXT, 2, b"2"), Span(Kind.TEXT, 3))
    assert wanted == reply.spans


async def test_calls_of_tools_are_taken_in(
    providers: GrpcProviders, peer: ProviderPeer, caller: Caller
) -> None:
    head = reply_pb2.ToolCallDelta(index=1, tool_call_id="1", name="look", arguments="{")
    tail = reply_pb2.ToolCallDelta(index=1, arguments="}", provider_metadata=b"2")
    peer.script = [Event(text="Hm"), Event(tool_call=head), Event(tool_call=tail), *finished()]
    reply = turn()

    await providers.generate(caller, request(), reply, WITHIN)

    reply.take()
    assert (Span(Kind.TEXT, 2), Span(Kind.CALL, 1, b"2")) == reply.spans
    assert (ToolCall("1", "look", "{}"),) == reply.calls.whole("tool")


async def test_options_and_calls_go_along(
    providers: GrpcProviders, peer: ProviderPeer, caller: Caller
) -> None:
    peer.script = finished()
    options = reply_pb2.GenerateReplyRequest(top_k=3, stop=["x"], tools=[reply_pb2.Tool(name="t")])
    call = ToolCall("1", "look", "{}")
    plain = Past(UUID(int=2), "assistant", "complete", "A", tool_calls=[call])
    silent = plain._replace(content="")
    spans = [Span(Kind.CALL, 1, b"1"), Span(Kind.TEXT, 1)]
    asked = replace(
        request(),
        past=[plain, silent, plain._replace(spans=spans)],
        packed=options.SerializeToString(),
    )

    await providers.generate(caller, asked, turn(), WITHIN)

    (got,) = peer.requests
    assert (3, ["x"], ["t"], "Be kind.") == (
        got.top_k, list(got.stop), [tool.name for tool in got.tools], got.system,
    )  # fmt: skip
    written = reply_pb2.ToolCall(tool_call_id="1", name="look", arguments="{}")
    text, made = Part(text="A"), Part(tool_call=written)
    signed = Part(tool_call=written, provider_metadata=b"1")
    assert [[text, made], [made], [signed, text]] == [list(m.parts) for m in got.messages]


async def test_who_answers_is_taken_in(
    providers: GrpcProviders, peer: ProviderPeer, caller: Caller
) -> None:
    other = reply_pb2.ModelChoice(provider="zeta", model="b\0ig")
    peer.script = [Event(answerer=other), *finished("Hi", "zeta", "bigger")]
    reply = turn()

    end = await providers.generate(caller, request(), reply, WITHIN)

    assert Choice("zeta", "big") == reply.answerer == reply.take_answerer()
    assert reply.take_answerer() is None
    assert end is not None
    assert Choice("zeta", "bigger") == end.choice


@pytest.mark.parametrize("number", reply_pb2.FinishReason.values())
async def test_every_reason_to_stop_is_read(number: reply_pb2.FinishReason.ValueType) -> None:
    read = adapter.finished_of(reply_pb2.Finished(reason=number)).reason

    name = reply_pb2.FinishReason.Name(number).removeprefix("FINISH_REASON_").lower()
    assert read == ("other" if name == "unspecified" else name)


async def test_leaving_a_reply_cancels_it(
    providers: GrpcProviders, peer: ProviderPeer, caller: Caller
) -> None:
    peer.script = [Event(text="Half"), 60.0]
    work = asyncio.ensure_future(providers.generate(caller, request(), turn(), WITHIN))
    await until(lambda: peer.requests)

    work.cancel()

    await asyncio.wait_for(peer.cancelled.wait(), 2)


async def test_a_silent_provider_service_runs_out_of_time(
    providers: GrpcProviders, peer: ProviderPeer, caller: Caller
) -> None:
    peer.script = [60.0]
    await providers.peer.connected(10)  # it is there, and says nothing

    with pytest.raises(DeadlineExceeded):
        await providers.generate(caller, request(), turn(), 0.2)


async def test_models_are_remembered_and_failures_are_not(
    providers: GrpcProviders, peer: ProviderPeer, caller: Caller
) -> None:
    for _ in range(2):
        assert Choice("acme", "small") == await providers.resolve(caller, Choice(), WITHIN)
        with pytest.raises(RemoteFault) as raised:
            await providers.resolve(caller, Choice("acme", "bog"), WITHIN)
        assert "model_not_found" == reason_of(raised.value)

    assert [("", ""), ("acme", "bog"), ("acme", "bog")] == peer.asked


async def test_a_provider_service_that_is_away_is_told_quickly(caller: Caller) -> None:
    client = Peer("provider", "127.0.0.1:1", None)
    async with asyncio.timeout(2):
        with pytest.raises(Unavailable) as raised:
            await GrpcProviders(client).resolve(caller, Choice(), WITHIN)
    await client.aclose()

    assert {"service": "provider"} == raised.value.metadata
