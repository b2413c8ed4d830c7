"""Open streams, and turns without clients: they end with the key that began them."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from parley_gateway.adapters.clients import Client
from parley_gateway.adapters.turns import ChatTurns
from parley_gateway.api.dependencies import Gateway
from parley_gateway.core import streams as module
from parley_gateway.core.keys import Keyring
from parley_gateway.core.model import Identity, Role, User, UserChange
from parley_gateway.core.streams import Streams
from parley_gateway.core.users import Accounts
from parley_rpc.faults import Unauthenticated
from parley_tests.installation import Installation
from uuid_utils.compat import uuid7

from parley.chat.v1.chat_pb2 import MESSAGE_STATUS_STOPPED, SendMessageResponse
from parley.chat.v1.chat_pb2_grpc import ChatServiceStub

from .fakes import Clock, FakeServices, Outage, Script
from .memory import MemoryKeyStore, NoTurns
from .turns import END, START, delta

pytestmark = pytest.mark.unit


@pytest.fixture
async def admin(accounts: Accounts) -> Identity:
    await accounts.prepare()
    assert accounts.keyring.administrator
    return accounts.keyring.administrator


@pytest.fixture
async def ada(accounts: Accounts, admin: Identity) -> User:
    return await accounts.add_user(admin, "ada", Role.ADMIN)


@pytest.fixture
async def token(accounts: Accounts, admin: Identity, ada: User) -> str:
    _, token = await accounts.add_key(admin, "laptop", owner=ada.user_id, expires_at=None)
    return token


@pytest.fixture
async def identity(keyring: Keyring, token: str) -> Identity:
    return await keyring.identify(token.encode())


@pytest.fixture
def elsewhere(key_store: MemoryKeyStore) -> Streams:
    """Another gateway on the same database."""
    return Streams(key_store, NoTurns())


async def test_a_valid_key_keeps_its_streams(elsewhere: Streams, identity: Identity) -> None:
    with elsewhere.open(identity) as stream:
        await elsewhere.look()
        assert not stream.cut.done()
    assert {} == elsewhere._open


async def test_a_key_revoked_here_ends_its_streams_at_once_and_no_other(
    accounts: Accounts, admin: Identity, identity: Identity, no_turns: NoTurns
) -> None:
    with accounts.streams.open(identity) as stream, accounts.streams.open(admin) as other:
        await accounts.revoke_key(admin, identity.key_id)

        assert isinstance(stream.cut.result(), Unauthenticated)
        assert not other.cut.done()
    assert [(identity.user_id, identity.key_id)] == no_turns.stopped


@pytest.mark.parametrize(
    "change",
    [UserChange(disabled=True), UserChange(role=Role.USER)],
    ids=["disabled", "demoted"],
)
async def test_who_is_disabled_or_demoted_loses_open_streams_everywhere(
    accounts: Accounts,
    admin: Identity,
    identity: Identity,
    elsewhere: Streams,
    no_turns: NoTurns,
    change: UserChange,
) -> None:
    """CVE-2026-44553: open sockets kept the rights of before."""
    with accounts.streams.open(identity) as here, elsewhere.open(identity) as there:
        await accounts.change_user(admin, identity.user_id, change)
        assert here.cut.done()
        assert not there.cut.done()

        await elsewhere.look()
        assert there.cut.done()
    assert [(identity.user_id, "")] == no_turns.stopped


async def test_other_changes_of_a_user_end_nothing(
    accounts: Accounts, admin: Identity, identity: Identity, no_turns: NoTurns
) -> None:
    with accounts.streams.open(identity) as stream:
        change = UserChange(name="eve", disabled=False, quota={"concurrent_turns": 1})
        await accounts.change_user(admin, identity.user_id, change)
        await accounts.streams.look()

        assert not stream.cut.done()
    assert [] == no_turns.stopped


async def test_a_key_that_expires_in_the_middle_ends_its_streams_and_turns(
    accounts: Accounts, admin: Identity, keyring: Keyring, no_turns: NoTurns
) -> None:
    """CVE-2026-12796: a session outlived its expiry."""
    soon = datetime.now(UTC) + timedelta(seconds=1)
    key, token = await accounts.add_key(admin, "short", owner=None, expires_at=soon)
    identity = await keyring.identify(token.encode())
    with accounts.streams.open(identity) as stream:
        await accounts.streams.look()
        assert not stream.cut.done()
        await asyncio.sleep(1.05)
        await accounts.streams.look()
        assert stream.cut.done()
    assert [(admin.user_id, key.key_id)] == no_turns.stopped


async def test_rotation_ends_what_the_old_key_began_when_there_is_no_overlap(
    accounts: Accounts, admin: Identity, identity: Identity, no_turns: NoTurns
) -> None:
    with accounts.streams.open(identity) as stream:
        successor, _ = await accounts.rotate_key(identity, identity.key_id, 3600)
        await accounts.streams.look()
        assert not stream.cut.done()
    _, token = await accounts.rotate_key(admin, successor.key_id, 0)
    assert [(identity.user_id, successor.key_id)] == no_turns.stopped
    await accounts.keyring.identify(token.encode())


async def test_the_block_that_waits_ends_with_the_key(
    elsewhere: Streams, identity: Identity, key_store: MemoryKeyStore
) -> None:
    key_store.keys.clear()
    with elsewhere.open(identity) as stream:
        looking = asyncio.create_task(elsewhere.look())
        with pytest.raises(Unauthenticated):
            async with stream.waiting():
                await asyncio.Event().wait()
        await looking
        with pytest.raises(Unauthenticated):
            async with stream.waiting():
                await asyncio.Event().wait()


async def test_a_timeout_of_the_block_is_its_own(elsewhere: Streams, identity: Identity) -> None:
    with elsewhere.open(identity) as stream, pytest.raises(TimeoutError):
        async with stream.waiting():
            raise TimeoutError


async def test_without_a_database_streams_go_on_and_are_looked_after_again(
    key_store: MemoryKeyStore,
    identity: Identity,
    outage: Outage,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "LOOK_EVERY_SECONDS", 0.01)
    streams = Streams(key_store, NoTurns())
    outage.now = True
    running = asyncio.create_task(streams.run())
    with streams.open(identity) as stream:
        await asyncio.sleep(0.05)
        assert not stream.cut.done()
        key_store.keys.clear()
        outage.now = False
        async with asyncio.timeout(10):
            await asyncio.wait({stream.cut})
    running.cancel()


async def test_a_chat_service_that_is_away_is_asked_again_until_nothing_can_begin_any_more(
    accounts: Accounts, admin: Identity, identity: Identity, no_turns: NoTurns, clock: Clock
) -> None:
    no_turns.away = True
    await accounts.revoke_key(admin, identity.key_id)
    await accounts.streams.look()
    assert [] == no_turns.stopped

    no_turns.away = False
    await accounts.streams.look()
    await accounts.streams.look()
    assert 2 == len(no_turns.stopped)

    store = accounts.streams.store
    assert isinstance(store, MemoryKeyStore)
    key, at = store.revoked[identity.key_id]
    store.revoked[identity.key_id] = key, at - timedelta(seconds=module.LET_IN_SECONDS)
    await accounts.streams.look()
    await accounts.streams.look()
    assert 3 == len(no_turns.stopped)


async def test_a_stream_is_closed_with_a_problem(
    stranger: httpx.AsyncClient,
    gateway: Gateway,
    token: str,
    identity: Identity,
    script: Script,
) -> None:
    """F10: the key is revoked between the request and the end of the reply."""
    for path, method, body in (
        ("/chat", "POST", {"message": "Hi", "stream": True}),
        ("/chats/c1/messages/m2/stream", "GET", None),
    ):
        script.turn = [START, delta("A day", "0.5"), asyncio.Event()]
        ask = stranger.request(method, path, json=body, headers={"x-api-key": token})
        asking = asyncio.create_task(ask)
        await script.asked.wait()
        await asyncio.sleep(0.1)
        for stream in gateway.streams._open[identity.key_id]:
            stream.end()

        answer = await asking
        *_, last = answer.text.strip().split("\n\n")
        assert 200 == answer.status_code
        assert "event: delta" in answer.text
        assert last.startswith("event: problem")
        assert '"reason":"unauthenticated"' in last
        assert '"message_id":"m2"' in last
        script.asked.clear()


@pytest.mark.parametrize("streamed", [False, True])
async def test_who_waits_for_a_reply_is_told_401(
    stranger: httpx.AsyncClient,
    gateway: Gateway,
    token: str,
    identity: Identity,
    script: Script,
    *,
    streamed: bool,
) -> None:
    """Whole, or as a stream that has not begun."""
    script.turn = [asyncio.Event()]
    ask = stranger.post(
        "/chat", json={"message": "Hi", "stream": streamed}, headers={"x-api-key": token}
    )
    asking = asyncio.create_task(ask)
    await script.asked.wait()
    await gateway.streams.end(identity.user_id, identity.key_id)

    answer = await asking
    assert (401, "unauthenticated") == (answer.status_code, answer.json()["reason"])
    assert {} == gateway.streams._open


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("revoked", [False, True])
async def test_a_reply_that_was_stopped_because_of_its_key_is_told_as_that(
    stranger: httpx.AsyncClient,
    token: str,
    key_store: MemoryKeyStore,
    script: Script,
    *,
    streamed: bool,
    revoked: bool,
) -> None:
    """Another gateway has it stopped at once, before this one has heard of it."""
    held = asyncio.Event()
    end = SendMessageResponse.FromString(END.SerializeToString())
    end.end.message.status = MESSAGE_STATUS_STOPPED
    script.turn = [START, held, end]
    body = {"message": "Hi", "stream": streamed}
    asking = asyncio.create_task(stranger.post("/chat", json=body, headers={"x-api-key": token}))
    await script.asked.wait()
    if revoked:
        key_store.keys.clear()
    held.set()

    answer = await asking
    assert ("unauthenticated" in answer.text) == revoked
    assert ('"status":"stopped"' in answer.text) != revoked
    if not streamed:
        assert (401 if revoked else 200) == answer.status_code


async def test_turns_are_stopped_in_the_name_of_their_user(
    services: FakeServices, script: Script
) -> None:
    client: Client[Any] = Client("chat", services.address, ChatServiceStub, None)
    user_id = uuid7()
    try:
        await ChatTurns(client, Installation().voucher).stop(user_id, "aaaaaaaaaaaa")
    finally:
        await client.aclose()

    assert ("StopMessages", str(user_id), "user", "aaaaaaaaaaaa") == (
        script.last.method,
        script.last.user_id,
        script.last.role,
        script.last.request.key_id,
    )
