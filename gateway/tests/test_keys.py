"""Keys: their form, and what is remembered of them for how long."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from parley_gateway.core import keys
from parley_gateway.core.keys import Keyring, checksum, key_id_of, new_token
from parley_gateway.core.model import Identity, Role
from parley_gateway.core.users import Accounts
from parley_rpc.faults import DatabaseUnavailable, Unauthenticated

from .conftest import ADMIN_KEY, PEPPER
from .fakes import Clock, Outage
from .memory import MemoryKeyStore, MemoryUserStore

pytestmark = pytest.mark.unit


@pytest.fixture
async def admin(accounts: Accounts) -> Identity:
    await accounts.prepare()
    assert accounts.keyring.administrator
    return accounts.keyring.administrator


@pytest.fixture
async def token(accounts: Accounts, admin: Identity) -> bytes:
    user = await accounts.add_user(admin, "ada", Role.USER)
    _, token = await accounts.add_key(admin, "laptop", owner=user.user_id, expires_at=None)
    return token.encode()


def test_a_token_has_its_form_and_tells_its_id() -> None:
    key_id, token = new_token()

    prefix, kind, named, rest = token.split("_")
    assert ("parley", "key", key_id) == (prefix, kind, named)
    assert (12, 43 + 6) == (len(named), len(rest))
    assert key_id == key_id_of(token.encode())


def test_tokens_differ() -> None:
    assert 100 == len({new_token()[1] for _ in range(100)})


@pytest.mark.parametrize("place", range(0, 73, 7))
def test_a_slip_of_the_pen_shows(place: int) -> None:
    token = new_token()[1]
    other = "x" if token[place] != "x" else "y"

    assert key_id_of((token[:place] + other + token[place + 1 :]).encode()) is None


def test_a_right_checksum_does_not_make_an_id_out_of_anything() -> None:
    begin = b"parley_key_'; drop tabl_" + b"s" * 43

    token = begin + checksum(begin).encode()
    assert keys.LENGTH == len(token)
    assert key_id_of(token) is None


async def test_the_administrators_key_may_have_any_form(keyring: Keyring, admin: Identity) -> None:
    assert admin == await keyring.identify(ADMIN_KEY.encode())


async def test_before_the_administrator_is_known_the_database_is_away(keyring: Keyring) -> None:
    with pytest.raises(DatabaseUnavailable):
        await keyring.identify(ADMIN_KEY.encode())


async def test_a_key_is_recognized(keyring: Keyring, token: bytes) -> None:
    identity = await keyring.identify(token)

    assert ("ada", Role.USER, "laptop") == (
        identity.user_name,
        identity.role,
        identity.key_name,
    )


async def test_what_is_no_key_is_refused_without_a_query(
    keyring: Keyring, token: bytes, outage: Outage
) -> None:
    outage.queries = 0
    forged = [token[:-1] + b"!", token + b"x", token[1:], ADMIN_KEY.encode()[:-1]]
    for wrong in [*forged, b"wrong", b"' OR '1'='1", b"\x00", "schlüssel".encode()]:
        with pytest.raises(Unauthenticated):
            await keyring.identify(wrong)

    assert 0 == outage.queries


async def test_an_id_without_its_secret_is_refused(keyring: Keyring, token: bytes) -> None:
    begin = token[:24] + b"s" * 43

    with pytest.raises(Unauthenticated):
        await keyring.identify(begin + checksum(begin).encode())


async def test_two_keys_with_a_common_beginning_are_two_keys(
    keyring: Keyring, token: bytes
) -> None:
    await keyring.identify(token)
    begin = token[:66] + (b"x" if token[66:67] != b"x" else b"y")

    with pytest.raises(Unauthenticated):
        await keyring.identify(begin + checksum(begin).encode())


async def test_one_question_serves_many(keyring: Keyring, token: bytes, outage: Outage) -> None:
    outage.queries = 0

    await asyncio.gather(*(keyring.identify(token) for _ in range(50)))

    assert 1 == outage.queries


async def test_a_key_in_use_is_asked_for_in_the_background(
    keyring: Keyring, token: bytes, outage: Outage, clock: Clock
) -> None:
    await keyring.identify(token)
    outage.queries = 0

    clock.now += keys.FRESH_SECONDS + 0.1
    await keyring.identify(token)
    assert 0 == outage.queries
    await asyncio.sleep(0.01)
    assert 1 == outage.queries
    clock.now += keys.LIVES_SECONDS - 0.1
    outage.now = True
    await keyring.identify(token)


async def test_a_revoked_key_ends_within_three_seconds(
    keyring: Keyring, token: bytes, clock: Clock, key_store: MemoryKeyStore
) -> None:
    await keyring.identify(token)
    key_store.keys.clear()

    clock.now += keys.LIVES_SECONDS
    with pytest.raises(Unauthenticated):
        await keyring.identify(token)


async def test_a_key_revoked_here_ends_at_once(
    keyring: Keyring, token: bytes, accounts: Accounts
) -> None:
    identity = await keyring.identify(token)
    await accounts.revoke_key(identity, identity.key_id)

    with pytest.raises(Unauthenticated):
        await keyring.identify(token)


async def test_a_disabled_user_has_no_keys(
    keyring: Keyring, token: bytes, user_store: MemoryUserStore
) -> None:
    for user in list(user_store.users.values()):
        user_store.users[user.user_id] = replace(user, disabled=True)

    with pytest.raises(Unauthenticated):
        await keyring.identify(token)


async def test_without_a_database_a_key_lives_three_seconds_and_is_never_wrong(
    keyring: Keyring, token: bytes, outage: Outage, clock: Clock
) -> None:
    await keyring.identify(token)
    outage.now = True

    clock.now += keys.LIVES_SECONDS - 0.1
    await keyring.identify(token)
    clock.now += 0.1
    with pytest.raises(DatabaseUnavailable):
        await keyring.identify(token)
    outage.now = False
    await keyring.identify(token)


async def test_a_key_that_expires_while_it_is_remembered_ends(
    keyring: Keyring, accounts: Accounts, admin: Identity
) -> None:
    soon = datetime.now(UTC) + timedelta(seconds=0.5)
    _, token = await accounts.add_key(admin, "short", owner=None, expires_at=soon)
    await keyring.identify(token.encode())

    await asyncio.sleep(0.55)
    with pytest.raises(Unauthenticated):
        await keyring.identify(token.encode())


async def test_what_is_remembered_is_bounded(
    key_store: MemoryKeyStore, accounts: Accounts, admin: Identity
) -> None:
    keyring = Keyring(key_store, pepper=PEPPER, admin_key=ADMIN_KEY, most_remembered=3)
    for number in range(5):
        _, token = await accounts.add_key(admin, f"{number}", owner=None, expires_at=None)
        await keyring.identify(token.encode())

    assert 3 == len(keyring._remembered)
