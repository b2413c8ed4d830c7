"""Keys: made, recognized, remembered for a moment."""

from __future__ import annotations

import asyncio
import hmac
import secrets
import string
import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from parley_rpc.faults import DatabaseUnavailable, Unauthenticated

from parley_gateway.core.entries import NOWHERE, Whence
from parley_gateway.core.model import Identity
from parley_gateway.core.ports import KeyStore

ALPHABET = string.digits + string.ascii_uppercase + string.ascii_lowercase
PREFIX = "parley_key_"
ID_LENGTH, SECRET_LENGTH, CHECKSUM_LENGTH = 12, 43, 6
SECRET_BITS = 256
LENGTH = len(PREFIX) + ID_LENGTH + 1 + SECRET_LENGTH + CHECKSUM_LENGTH

FRESH_SECONDS = 1.5
LIVES_SECONDS = 3.0
MOST_REMEMBERED = 10_000


def base62(number: int, length: int) -> str:
    """Write a number in digits and letters, with leading zeros."""
    digits = []
    for _ in range(length):
        number, digit = divmod(number, len(ALPHABET))
        digits.append(ALPHABET[digit])
    return "".join(reversed(digits))


def checksum(text: bytes) -> str:
    """Return what ends a token that begins with `text`, so that a slip of the pen shows."""
    return base62(zlib.crc32(text), CHECKSUM_LENGTH)


def new_token() -> tuple[str, str]:
    """Make an id and its token: `parley_key_<id>_<secret><checksum>`."""
    key_id = "".join(secrets.choice(ALPHABET) for _ in range(ID_LENGTH))
    begin = f"{PREFIX}{key_id}_{base62(secrets.randbits(SECRET_BITS), SECRET_LENGTH)}"
    return key_id, begin + checksum(begin.encode())


def is_key_id(text: str) -> bool:
    """Say whether a text has the form of a key's id."""
    return len(text) == ID_LENGTH and not set(text).difference(ALPHABET)


def key_id_of(token: bytes) -> str | None:
    """Return the id in a token; None when it is mistyped or not one of ours."""
    if len(token) != LENGTH or not token.startswith(PREFIX.encode()):
        return None
    begin, end = token[:-CHECKSUM_LENGTH], token[-CHECKSUM_LENGTH:]
    if not hmac.compare_digest(checksum(begin).encode(), end):
        return None
    key_id = token[len(PREFIX) :][:ID_LENGTH].decode("latin-1")
    return key_id if is_key_id(key_id) else None


@dataclass(frozen=True, slots=True)
class Remembered:
    """What a key was found to be, and when."""

    identity: Identity
    at: float


class Keyring:
    """Recognizes keys.

    The administrator's first key may have any form; only its digest is kept. What the store
    said of another key is remembered for 3 seconds under the digest of the whole key and asked
    anew in the background while the key is used, so a revocation takes effect within that
    time, and while a key is in use its requests wait for no query.
    """

    def __init__(
        self,
        store: KeyStore,
        *,
        pepper: str,
        admin_key: str,
        clock: Callable[[], float] = time.monotonic,
        most_remembered: int = MOST_REMEMBERED,
    ) -> None:
        self.store = store
        self.clock = clock
        self.most_remembered = most_remembered
        self.administrator: Identity | None = None
        self._pepper = pepper.encode()
        self._admin_digest = self.digest(admin_key.encode())
        self._remembered: dict[bytes, Remembered] = {}
        self._asking: dict[bytes, asyncio.Task[Identity | None]] = {}

    def digest(self, token: bytes) -> bytes:
        """Return what is stored and compared instead of a token.

        A fast digest is right for secrets of 256 bits; a slow one would let anybody keep the
        gateway busy.
        """
        return hmac.digest(self._pepper, token, "sha256")

    async def identify(self, token: bytes, whence: Whence = NOWHERE) -> Identity:
        """Say whose key this is; Unauthenticated, DatabaseUnavailable."""
        digest = self.digest(token)
        if hmac.compare_digest(digest, self._admin_digest):
            return self._first_administrator()
        key_id = key_id_of(token)
        if key_id is None:
            raise Unauthenticated("The key is not valid.")
        known, now = self._remembered.get(digest), self.clock()
        if known is None or now >= known.at + LIVES_SECONDS:
            identity = await asyncio.shield(self._ask(digest, key_id, whence))
        else:
            identity = known.identity
            if now >= known.at + FRESH_SECONDS:
                self._ask(digest, key_id, whence)
        if identity is None or has_ended(identity):
            raise Unauthenticated("The key is not valid.")
        return identity

    def forget(self, key_id: str) -> None:
        """Forget a key at once."""
        for digest, known in list(self._remembered.items()):
            if known.identity.key_id == key_id:
                del self._remembered[digest]

    def forget_user(self, user_id: UUID) -> None:
        """Forget all keys of a user at once."""
        for digest, known in list(self._remembered.items()):
            if known.identity.user_id == user_id:
                del self._remembered[digest]

    def _first_administrator(self) -> Identity:
        # Before the store could be asked for the row, nobody knows who that is.
        if self.administrator is None:
            raise DatabaseUnavailable
        return self.administrator

    def _ask(self, digest: bytes, key_id: str, whence: Whence) -> asyncio.Task[Identity | None]:
        task = self._asking.get(digest)
        if task is None:
            task = self._asking[digest] = asyncio.create_task(self._find(digest, key_id, whence))
            task.add_done_callback(lambda done: self._asked(digest, done))
        return task

    async def _find(self, digest: bytes, key_id: str, whence: Whence) -> Identity | None:
        began = self.clock()
        found = await self.store.find(key_id, digest, whence)
        # Compared even when there is nothing to compare with, so that time tells nothing.
        same = hmac.compare_digest(found.digest if found else bytes(len(digest)), digest)
        self._remembered.pop(digest, None)
        if found is None or not same:
            return None
        if len(self._remembered) >= self.most_remembered:
            del self._remembered[next(iter(self._remembered))]
        self._remembered[digest] = Remembered(found.identity, began)
        return found.identity

    def _asked(self, digest: bytes, task: asyncio.Task[Identity | None]) -> None:
        del self._asking[digest]
        # In the background nobody awaits a failure. The next request asks again, and what is
        # remembered ends by itself.
        if not task.cancelled():
            task.exception()


def has_ended(identity: Identity) -> bool:
    """Say whether the key has expired since it was found."""
    return identity.expires_at is not None and identity.expires_at <= datetime.now(UTC)
