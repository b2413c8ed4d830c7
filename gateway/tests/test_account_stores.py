"""What the stores of users, keys and the audit log promise, in memory as in PostgreSQL."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from parley_gateway.core.entries import LOGIN, Entry, EntryFilter, Whence
from parley_gateway.core.faults import UserExists
from parley_gateway.core.model import (
    Ended,
    Key,
    NewKey,
    Place,
    Quota,
    Rights,
    Role,
    User,
    UserChange,
)
from uuid_utils.compat import uuid7

from .stores import Stores, memory_stores, migrated, postgres_stores

ENTRY = Entry("test", target="it")
DIGEST = b"digest of it"
FROM = Whence("192.0.2.7", "request-1")
SCOPES = frozenset({"chat", "provider:demo"})
QUOTA = Quota(requests_per_hour=5, daily_nano_usd=2_500_000_000)


@pytest.fixture(
    params=[
        pytest.param("memory", marks=pytest.mark.unit),
        pytest.param("postgres", marks=pytest.mark.integration),
    ]
)
async def stores(request: pytest.FixtureRequest) -> AsyncIterator[Stores]:
    if request.param == "memory":
        yield memory_stores()
        return
    async with postgres_stores(await migrated(request.getfixturevalue("database_url"))) as stores:
        yield stores


@pytest.fixture
async def ada(stores: Stores) -> User:
    user = await stores.users.add(uuid7(), "ada", Role.ADMIN, ENTRY)
    assert user
    return user


async def made(stores: Stores, user: User, name: str, expires_at: datetime | None = None) -> Key:
    new = NewKey(f"id{name:_>10}", user.user_id, name, DIGEST, "last", expires_at, SCOPES, QUOTA)
    key = await stores.keys.add(new, ENTRY)
    assert key
    return key


async def written(stores: Stores, action: str | None = None) -> list[Entry]:
    page = await stores.audit.page(EntryFilter(action=action), None, 100)
    return [replace(one.entry, at=None) for one in page]


async def test_only_what_is_said_of_a_user_is_changed(stores: Stores, ada: User) -> None:
    quota = {"requests_per_hour": 7, "monthly_nano_usd": 10**18}
    first = await stores.users.change(ada.user_id, UserChange(quota=quota), ENTRY)
    change = UserChange("eve", Role.USER, disabled=True, quota={"requests_per_hour": None})

    second = await stores.users.change(ada.user_id, change, ENTRY)

    assert first == replace(ada, quota=Quota(requests_per_hour=7, monthly_nano_usd=10**18))
    quota_left = Quota(monthly_nano_usd=10**18)
    assert second == replace(ada, name="eve", role=Role.USER, disabled=True, quota=quota_left)
    assert second == await stores.users.get(ada.user_id)
    assert second in await stores.users.page(None, 10)


async def test_a_name_that_is_taken_changes_nothing_and_is_not_written(
    stores: Stores, ada: User
) -> None:
    await stores.users.administrator()

    with pytest.raises(UserExists):
        await stores.users.change(ada.user_id, UserChange(name="admin"), ENTRY)

    assert ada == await stores.users.get(ada.user_id)
    assert [ENTRY] == await written(stores)


async def test_who_is_not_there_is_not_changed(stores: Stores) -> None:
    assert await stores.users.change(uuid7(), UserChange(disabled=True), ENTRY) is None
    assert await stores.users.get(uuid7()) is None
    assert [] == await written(stores)


async def test_a_key_keeps_what_it_is_for(stores: Stores, ada: User) -> None:
    key = await made(stores, ada, "laptop")
    await stores.users.change(ada.user_id, UserChange(quota={"concurrent_turns": 2}), ENTRY)

    found = await stores.keys.find(key.key_id, DIGEST)

    assert found
    identity = found.identity
    assert (SCOPES, QUOTA, Quota(concurrent_turns=2)) == (
        identity.scopes,
        identity.key_quota,
        identity.user_quota,
    )
    assert (SCOPES, QUOTA, ada.user_id) == (key.scopes, key.quota, key.user_id)
    assert key == replace((await stores.keys.page(ada.user_id, None, 1))[0], last_used_at=None)


async def test_a_key_is_got_by_its_owner_or_by_anybody_who_may(stores: Stores, ada: User) -> None:
    key = await made(stores, ada, "laptop")

    assert key == await stores.keys.get(key.key_id, ada.user_id)
    assert key == await stores.keys.get(key.key_id, None)
    assert await stores.keys.get(key.key_id, uuid7()) is None


async def test_the_first_use_is_a_login_and_a_wrong_secret_is_no_use(
    stores: Stores, ada: User
) -> None:
    key = await made(stores, ada, "laptop")

    await stores.keys.find(key.key_id, b"another digest", FROM)
    assert key == await stores.keys.get(key.key_id, None)
    assert [] == await written(stores, LOGIN)
    await asyncio.gather(*(stores.keys.find(key.key_id, DIGEST, FROM) for _ in range(3)))

    assert [Entry(LOGIN, "done", ada.user_id, key.key_id, key.key_id, FROM)] == await written(
        stores, LOGIN
    )


async def test_a_rotated_key_ends_after_the_overlap(stores: Stores, ada: User) -> None:
    expires_at = datetime.now(UTC) + timedelta(days=2)
    key = await made(stores, ada, "laptop", expires_at)
    new = NewKey("id_successor", ada.user_id, "laptop", b"other", "tsal", expires_at, SCOPES, QUOTA)

    successor = await stores.keys.rotate(key.key_id, new, 3600, ENTRY)

    old = await stores.keys.get(key.key_id, None)
    assert successor
    assert old
    assert old.expires_at
    assert timedelta(minutes=59) < old.expires_at - datetime.now(UTC) <= timedelta(hours=1)
    assert old.rotated_at
    assert (SCOPES, QUOTA, expires_at, None) == (
        successor.scopes,
        successor.quota,
        successor.expires_at,
        successor.rotated_at,
    )
    again = replace(new, key_id="id_again____")
    assert await stores.keys.rotate(key.key_id, again, 3600, ENTRY) is None
    assert await stores.keys.get("id_again____", None) is None


async def test_an_overlap_is_not_longer_than_the_key_and_zero_is_at_once(
    stores: Stores, ada: User
) -> None:
    expires_at = datetime.now(UTC) + timedelta(minutes=1)
    long, short = await made(stores, ada, "long", expires_at), await made(stores, ada, "short")
    new = NewKey("id_successor", ada.user_id, "n", b"other", "tsal", None)

    await stores.keys.rotate(long.key_id, new, 3600, ENTRY)
    await stores.keys.rotate(short.key_id, replace(new, key_id="id_other____"), 0, ENTRY)

    kept = await stores.keys.get(long.key_id, None)
    assert kept
    assert expires_at == kept.expires_at
    assert await stores.keys.get(short.key_id, None) is None
    assert await stores.keys.find(short.key_id, DIGEST) is None


async def test_rights_are_those_of_valid_keys(stores: Stores, ada: User) -> None:
    past = datetime.now(UTC) - timedelta(seconds=1)
    good, late, gone = [
        await made(stores, ada, name, at)
        for name, at in (("good", None), ("late", past), ("gone", None))
    ]
    await stores.keys.revoke(gone.key_id, None, ENTRY)
    ids = [good.key_id, late.key_id, gone.key_id, "id___nothing"]

    assert {good.key_id: Rights(Role.ADMIN, SCOPES)} == await stores.keys.rights(ids)
    await stores.users.change(ada.user_id, UserChange(role=Role.USER), ENTRY)
    assert {good.key_id: Rights(Role.USER, SCOPES)} == await stores.keys.rights(ids)
    await stores.users.change(ada.user_id, UserChange(disabled=True), ENTRY)
    assert {} == await stores.keys.rights(ids)


async def test_what_ended_of_late_is_told_when_it_was_in_use(stores: Stores, ada: User) -> None:
    gone, unused = [await made(stores, ada, name) for name in ("gone", "unused")]
    await made(stores, ada, "good")
    late = await made(stores, ada, "late", datetime.now(UTC) + timedelta(seconds=1))
    used = [late, gone]
    for key in used:
        await stores.keys.find(key.key_id, DIGEST)
    await stores.keys.revoke(gone.key_id, None, ENTRY)
    await stores.keys.revoke(unused.key_id, None, ENTRY)
    await asyncio.sleep(1.1)

    ended = await stores.keys.ended(60)

    assert {(ada.user_id, key.key_id) for key in used} == {one[:2] for one in ended}
    assert all(0 <= one.seconds_ago < 60 for one in ended)
    assert [] == await stores.keys.ended(0.0)


@pytest.mark.parametrize("change", [UserChange(disabled=True), UserChange(role=Role.USER)])
async def test_who_may_do_less_than_before_is_told(
    stores: Stores, ada: User, change: UserChange
) -> None:
    await stores.users.change(ada.user_id, UserChange(name="eve"), ENTRY)
    assert [] == await stores.keys.ended(60)

    await stores.users.change(ada.user_id, change, ENTRY)

    [one] = await stores.keys.ended(60)
    assert Ended(ada.user_id, "", one.seconds_ago) == one


async def test_changes_are_written_with_their_entries(stores: Stores, ada: User) -> None:
    key = await made(stores, ada, "laptop")
    entry = Entry("delete_key", "done", ada.user_id, "k", key.key_id, FROM, {"a": ["b"]})

    assert await stores.keys.revoke(key.key_id, uuid7(), entry) is None
    assert [] == await written(stores, "delete_key")
    assert ada.user_id == await stores.keys.revoke(key.key_id, ada.user_id, entry)
    assert [entry] == await written(stores, "delete_key")
    assert 3 == len(await written(stores))


async def test_entries_are_paged_and_filtered(stores: Stores, ada: User) -> None:
    begin = datetime(2026, 1, 1, tzinfo=UTC)
    actors = [ada.user_id] * 3 + [None] * 2
    entries = [
        Entry(f"action_{n % 2}", actor=actor, target=f"{n}", at=begin + timedelta(hours=n))
        for n, actor in enumerate(actors)
    ]
    await stores.audit.write(entries)

    async def targets(asked: EntryFilter, size: int = 10, after: Place | None = None) -> str:
        page = await stores.audit.page(asked, after, size)
        return "".join(one.entry.target for one in page)

    until = EntryFilter(until=begin + timedelta(hours=4))
    [first, second] = await stores.audit.page(until, None, 2)
    assert ("3", "2") == (first.entry.target, second.entry.target)
    assert "10" == await targets(until, 10, Place(second.at, str(second.entry_id)))
    assert "210" == await targets(EntryFilter(actor=ada.user_id, action=None, until=until.until))
    assert "20" == await targets(EntryFilter(ada.user_id, "action_0", begin, until.until))
    assert "31" == await targets(EntryFilter(action="action_1"))
    assert "2" == await targets(
        EntryFilter(since=begin + timedelta(hours=2), until=begin + timedelta(hours=3))
    )
