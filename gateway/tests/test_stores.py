"""What every store promises, in memory as in PostgreSQL."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
from parley_gateway.core.entries import Entry
from parley_gateway.core.model import NewKey, Place, Role, User
from uuid_utils.compat import uuid7

from .stores import Stores, memory_stores, migrated, postgres_stores

ENTRY = Entry("test", target="it")
DIGEST = b"digest of it"


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
    user = await stores.users.add(uuid7(), "ada", Role.USER, ENTRY)
    assert user
    return user


def key_of(user: User, name: str, expires_at: datetime | None = None) -> NewKey:
    return NewKey(f"id-{name:_>9}", user.user_id, name, DIGEST, "last", expires_at)


async def test_the_administrator_is_one_user_however_often_asked(stores: Stores) -> None:
    first, again = await stores.users.administrator(), await stores.users.administrator()

    assert (first, "admin", Role.ADMIN, False) == (again, again.name, again.role, again.disabled)


async def test_a_name_is_taken_once(stores: Stores, ada: User) -> None:
    assert await stores.users.add(uuid7(), "ada", Role.ADMIN, ENTRY) is None


async def test_users_are_paged_from_new_to_old(stores: Stores) -> None:
    names = [f"user-{number}" for number in range(5)]
    for name in names:
        await stores.users.add(uuid7(), name, Role.USER, ENTRY)

    page = await stores.users.page(None, 3)
    rest = await stores.users.page(Place(page[-1].created_at, str(page[-1].user_id)), 3)

    assert names[::-1] == [user.name for user in [*page, *rest]]


async def test_a_key_is_found_with_its_user(stores: Stores, ada: User) -> None:
    expires_at = datetime.now(UTC) + timedelta(hours=1)
    key = await stores.keys.add(key_of(ada, "laptop", expires_at), ENTRY)
    assert key

    found = await stores.keys.find(key.key_id, DIGEST)

    assert found
    assert DIGEST == found.digest
    identity = found.identity
    assert (ada.user_id, "ada", Role.USER, key.key_id, "laptop", expires_at) == (
        identity.user_id,
        identity.user_name,
        identity.role,
        identity.key_id,
        identity.key_name,
        identity.expires_at,
    )


async def test_the_use_of_a_key_is_noted_once_a_minute(stores: Stores, ada: User) -> None:
    key = await stores.keys.add(key_of(ada, "laptop"), ENTRY)
    assert key
    assert key.last_used_at is None

    await stores.keys.find(key.key_id, DIGEST)
    first = (await stores.keys.page(ada.user_id, None, 10))[0].last_used_at
    await stores.keys.find(key.key_id, DIGEST)

    assert first
    assert first == (await stores.keys.page(ada.user_id, None, 10))[0].last_used_at


async def test_what_was_never_made_is_not_found(stores: Stores) -> None:
    assert await stores.keys.find("nobody", DIGEST) is None


async def test_an_expired_key_is_not_found(stores: Stores, ada: User) -> None:
    key = await stores.keys.add(key_of(ada, "old", datetime.now(UTC) - timedelta(seconds=1)), ENTRY)
    assert key

    assert await stores.keys.find(key.key_id, DIGEST) is None


async def test_a_revoked_key_is_gone_and_cannot_be_revoked_again(stores: Stores, ada: User) -> None:
    key = await stores.keys.add(key_of(ada, "laptop"), ENTRY)
    assert key

    assert not await stores.keys.revoke(key.key_id, uuid7(), ENTRY)
    assert await stores.keys.revoke(key.key_id, ada.user_id, ENTRY) == ada.user_id
    assert not await stores.keys.revoke(key.key_id, None, ENTRY)
    assert await stores.keys.find(key.key_id, DIGEST) is None
    assert [] == await stores.keys.page(ada.user_id, None, 10)


async def test_nobody_who_is_not_there_has_keys(stores: Stores, ada: User) -> None:
    ghost = User(uuid7(), "ghost", Role.USER, disabled=False, created_at=ada.created_at)

    assert await stores.keys.add(key_of(ghost, "any"), ENTRY) is None


async def test_keys_are_paged_from_new_to_old(stores: Stores, ada: User) -> None:
    names = [f"key-{number}" for number in range(5)]
    for name in names:
        await stores.keys.add(key_of(ada, name), ENTRY)

    page = await stores.keys.page(ada.user_id, None, 3)
    rest = await stores.keys.page(ada.user_id, Place(page[-1].created_at, page[-1].key_id), 3)

    assert names[::-1] == [key.name for key in [*page, *rest]]


async def test_an_hour_is_spent_and_not_overspent(stores: Stores) -> None:
    windows = [(await stores.limits.spend({"ada": 2}, 5))["ada"] for _ in range(4)]

    assert [(2, 2), (2, 4), (1, 5), (0, 5)] == [(w.granted, w.used) for w in windows]
    assert all(3500 < window.seconds_left <= 3600 for window in windows)


async def test_more_than_the_limit_at_once_is_cut_to_it(stores: Stores) -> None:
    windows = await stores.limits.spend({"ada": 9, "bob": 1}, 5)

    assert (5, 1) == (windows["ada"].granted, windows["bob"].granted)


async def test_a_lower_limit_counts_at_once(stores: Stores) -> None:
    await stores.limits.spend({"ada": 4}, 5)

    window = (await stores.limits.spend({"ada": 1}, 3))["ada"]

    assert (0, 4) == (window.granted, window.used)
