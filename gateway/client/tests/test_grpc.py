"""The services, called directly: trusted, in time, in somebody's name, and again if need be."""

import asyncio
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from parley_client import GatewayUnreachable, ProblemError, UnexpectedAnswer
from parley_client.accounts import Context
from parley_client.grpc import Credential, Patience
from parley_client.grpc.contexts import Contexts
from parley_client.grpc.failures import as_error
from parley_rpc import faults
from parley_rpc.faults import Origin, RemoteFault, Violation
from parley_tests.certificates import Authority
from parley_tests.fake_gateway import FakeGateway
from parley_tests.installation import Installation

from parley.chat.v1.chat_pb2 import DeleteChatRequest, GetChatRequest, SendMessageRequest
from parley.prompt.v1.prompt_pb2 import GetActivePromptRequest

from .services import CUT, FRESH, vouched, world

pytestmark = pytest.mark.unit

GET, DELETE = GetChatRequest(chat_id="c"), DeleteChatRequest(chat_id="c")
LONG = Patience(reread=60, repeat=60, resume=60)
HANGS = object()
OLD = 2 * FRESH
LIMITS = (50, 500, 5000)


async def test_a_call_is_made_in_the_name_of_the_keys_owner(gateway: FakeGateway) -> None:
    ada = gateway.add_user("ada")
    _, key = gateway.add_key(ada["user_id"], "laptop")
    async with world(gateway) as ours:
        answer = await ours.services.chat.GetChat(GET)
        async with ours.services.acting_for(key) as theirs:
            await theirs.chat.GetChat(GET)
        await ours.services.chat.GetChat(GET)

        assert "c" == answer.chat.chat_id
        assert [ours.chats.callers[0], ada["user_id"], ours.chats.callers[0]] == ours.chats.callers


async def test_a_deadline_is_given_to_each_call(gateway: FakeGateway) -> None:
    async with world(gateway, Patience(call=500, stream=5000)) as ours:
        await ours.services.chat.GetChat(GET)
        await ours.services.chat.GetChat(GET, timeout=50)
        _ = [one async for one in ours.services.chat.SendMessage(SendMessageRequest(content="x"))]

        # On the wire they may be rounded up.
        assert [500, 50, 5000] == [
            next(n for n in LIMITS if s < 1.1 * n) for s in ours.chats.seconds
        ]


async def test_a_service_that_hangs_costs_no_more_than_the_deadline(gateway: FakeGateway) -> None:
    async with world(gateway, LONG) as ours:
        await ours.services.chat.GetChat(GET)
        ours.chats.failures = [(0, HANGS)]
        with pytest.raises(GatewayUnreachable) as caught:
            await ours.services.chat.GetChat(GET, timeout=0.5)

        assert caught.value.waited
        assert len(ours.chats.received) <= 2


@pytest.mark.parametrize("failure", [CUT, faults.TooBusy("Later."), faults.DatabaseUnavailable()])
async def test_a_read_is_repeated(gateway: FakeGateway, failure: Any) -> None:
    async with world(gateway, LONG) as ours:
        ours.chats.failures = [(0, failure)]

        assert "c" == (await ours.services.chat.GetChat(GET)).chat.chat_id
        # The channel repeats reads, too, when nobody has answered.
        assert 2 == len(ours.chats.received)


async def test_what_changes_something_is_not_repeated(gateway: FakeGateway) -> None:
    async with world(gateway, LONG) as ours:
        ours.chats.failures = [(0, CUT)]
        with pytest.raises(GatewayUnreachable) as caught:
            await ours.services.chat.DeleteChat(DELETE)
        assert caught.value.arrived
        assert 1 == len(ours.chats.received)


async def test_a_service_that_is_away_is_said_to_be(gateway: FakeGateway) -> None:
    async with world(gateway, Patience(reread=0)) as ours:
        with pytest.raises(GatewayUnreachable, match="prompt service") as caught:
            await ours.services.prompt.GetActivePrompt(GetActivePromptRequest())

        assert not caught.value.arrived


async def test_a_context_serves_for_several_calls(gateway: FakeGateway) -> None:
    async with world(gateway) as ours:
        await asyncio.gather(*(ours.services.chat.GetChat(GET) for _ in range(20)))

        assert 1 == len(gateway.calls("POST", "/me/context"))


async def test_a_context_that_is_no_longer_fresh_is_renewed(gateway: FakeGateway) -> None:
    """As when the clock of the caller is wrong, which cannot tell."""
    async with world(gateway) as ours:
        stale = [True, True]
        gateway.vouch = lambda user_id: vouched(user_id, ago=OLD if stale and stale.pop() else 0)
        with pytest.raises(ProblemError, match="no longer fresh"):
            await ours.services.chat.GetChat(GET)

        assert "c" == (await ours.services.chat.GetChat(GET)).chat.chat_id
        stale.append(True)
        ours.services._contexts._known = None
        sent = ours.services.chat.SendMessage(SendMessageRequest(content="x"))
        assert "end" == [one.WhichOneof("event") async for one in sent][-1]
        assert 2 == len(ours.chats.received)


async def test_who_is_not_trusted_is_refused(gateway: FakeGateway) -> None:
    stranger = Installation().credential()
    async with world(gateway, credential=stranger) as ours:
        with pytest.raises(ProblemError, match="not signed by a trusted key") as caught:
            await ours.services.chat.GetChat(GET)

        assert ("unauthenticated", 401) == (caught.value.reason, caught.value.status)
        assert caught.value.request_id


async def test_a_key_that_the_gateway_refuses_is_refused(gateway: FakeGateway) -> None:
    async with world(gateway) as ours, ours.services.acting_for("parley_wrong") as theirs:
        with pytest.raises(ProblemError, match="missing or wrong"):
            await theirs.chat.GetChat(GET)
        assert "parley_wrong" not in repr(vars(theirs))


async def test_both_sides_show_a_certificate(gateway: FakeGateway, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    shown = authority.issue("chat"), authority.issue("reports")
    async with world(gateway, tls=shown) as ours:
        assert "c" == (await ours.services.chat.GetChat(GET)).chat.chat_id


def test_a_credential_of_a_file_has_certificates(tmp_path: Path) -> None:
    tls = Authority(tmp_path).issue("reports")
    (tmp_path / "key").write_text(Installation().environment("chat")["SERVICE_KEY"])

    assert tls is Credential.of_file(tmp_path / "key", tls).tls


async def test_a_context_is_asked_for_once_at_a_time_and_before_its_end() -> None:
    asked: list[float] = []
    now = [1000.0]

    async def ask() -> Context:
        asked.append(now[0])
        await asyncio.sleep(0)
        return Context("aaaa", *vouched_until(now[0] + 1000.0))

    contexts = Contexts(ask, lambda: now[0])
    first, second = await asyncio.gather(contexts.current(), contexts.current())
    assert first is second is await contexts.current()
    assert 900 < first.until - time.monotonic() <= 999.5
    assert first is not await contexts.current(refused=first)
    contexts._known = None
    now[0] += 10
    assert 3 == len([*asked, await contexts.current()])


def vouched_until(seconds: float) -> Any:
    moment = datetime.fromtimestamp(seconds, UTC)
    return moment, moment


def test_failures_are_the_errors_that_answers_are() -> None:
    origin = Origin(faults.InvalidArgument, "invalid_argument", "chat.parley")
    said = RemoteFault(
        "No.", origin, retry_after=2.0, violations=[Violation("parts[0].text", "Blank.")]
    )
    error = as_error(said, "r-1")

    assert isinstance(error, ProblemError)
    assert (422, False, 2.0, "r-1") == (
        error.status,
        error.retryable,
        error.retry_after,
        error.request_id,
    )
    assert ["/parts/0/text"] == [one.pointer for one in error.errors]
    assert isinstance(as_error(faults.Unimplemented("No."), ""), UnexpectedAnswer)
    assert isinstance(as_error(faults.Internal("No."), ""), GatewayUnreachable)


def test_the_client_alone_brings_no_grpc() -> None:
    """Nor what it is made of: the extra alone asks for that."""
    program = (
        "import sys, parley_client; "
        "print(sorted({'grpc', 'google', 'parley', 'parley_rpc', 'joserfc'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)

    assert b"[]" == done.stdout.strip()
