"""Users and keys: who may do what."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from parley_gateway.core.faults import KeyNotFound, UserExists, UserNotFound
from parley_gateway.core.keys import Keyring
from parley_gateway.core.model import Identity, Role
from parley_gateway.core.users import Accounts
from parley_rpc.faults import InvalidArgument, PermissionDenied
from uuid_utils.compat import uuid7

from .memory import MemoryKeyStore

pytestmark = pytest.mark.unit


@pytest.fixture
async def admin(accounts: Accounts) -> Identity:
    await accounts.prepare()
    assert accounts.keyring.administrator
    return accounts.keyring.administrator


@pytest.fixture
async def ada(accounts: Accounts, admin: Identity, keyring: Keyring) -> Identity:
    user = await accounts.add_user(admin, "ada", Role.USER)
    _, token = await accounts.add_key(admin, "first", owner=user.user_id, expires_at=None)
    return await keyring.identify(token.encode())


async def test_the_administrator_is_made_once(accounts: Accounts, admin: Identity) -> None:
    await accounts.prepare()

    assert [admin.user_id] == [u.user_id for u in await accounts.list_users(admin, None, 10)]


async def test_a_name_is_taken_once(accounts: Accounts, admin: Identity, ada: Identity) -> None:
    with pytest.raises(UserExists):
        await accounts.add_user(admin, "ada", Role.USER)


async def test_only_administrators_see_and_make_users(accounts: Accounts, ada: Identity) -> None:
    with pytest.raises(PermissionDenied):
        await accounts.add_user(ada, "bob", Role.USER)
    with pytest.raises(PermissionDenied):
        await accounts.list_users(ada, None, 10)


async def test_only_administrators_make_and_see_keys_of_others(
    accounts: Accounts, ada: Identity, admin: Identity
) -> None:
    with pytest.raises(PermissionDenied):
        await accounts.add_key(ada, "theirs", owner=admin.user_id, expires_at=None)
    with pytest.raises(PermissionDenied):
        await accounts.list_keys(ada, admin.user_id, None, 10)
    assert ["first"] == [k.name for k in await accounts.list_keys(admin, ada.user_id, None, 10)]


async def test_everybody_makes_keys_of_their_own(accounts: Accounts, ada: Identity) -> None:
    await accounts.add_key(ada, "second", owner=ada.user_id, expires_at=None)

    assert ["second", "first"] == [k.name for k in await accounts.list_keys(ada, None, None, 10)]


async def test_only_a_digest_is_stored(
    accounts: Accounts, ada: Identity, key_store: MemoryKeyStore
) -> None:
    key, token = await accounts.add_key(ada, "second", owner=None, expires_at=None)

    assert token[-4:] == key.last4
    assert token not in repr(key_store.keys)
    assert token[24:67] not in repr(key_store.keys)


async def test_nobody_who_is_not_there_gets_a_key(accounts: Accounts, admin: Identity) -> None:
    with pytest.raises(UserNotFound):
        await accounts.add_key(admin, "ghost", owner=uuid7(), expires_at=None)


async def test_a_key_does_not_expire_in_the_past(accounts: Accounts, ada: Identity) -> None:
    past = datetime.now(UTC) - timedelta(seconds=1)

    with pytest.raises(InvalidArgument):
        await accounts.add_key(ada, "late", owner=None, expires_at=past)


async def test_keys_of_others_do_not_exist_but_for_administrators(
    accounts: Accounts, ada: Identity, admin: Identity
) -> None:
    key, _ = await accounts.add_key(admin, "mine", owner=None, expires_at=None)

    with pytest.raises(KeyNotFound):
        await accounts.revoke_key(ada, key.key_id)
    await accounts.revoke_key(admin, ada.key_id)


@pytest.mark.parametrize("key_id", ["", "\0", "nobody", "x" * 12, "x" * 1000])
async def test_what_is_no_key_cannot_be_revoked(
    accounts: Accounts, ada: Identity, key_id: str
) -> None:
    with pytest.raises(KeyNotFound):
        await accounts.revoke_key(ada, key_id)
