"""Stores in memory, and turns that are nobody's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from parley_gateway.core.entries import (
    LOGIN,
    NOWHERE,
    Entry,
    EntryFilter,
    Whence,
    WrittenEntry,
)
from parley_gateway.core.faults import UserExists
from parley_gateway.core.model import (
    Ended,
    Identity,
    Key,
    NewKey,
    Place,
    Rights,
    Role,
    StoredKey,
    User,
    UserChange,
)
from parley_gateway.core.ports import AuditStore, KeyStore, Turns, UserStore
from parley_rpc.faults import Unavailable
from typing_extensions import override
from uuid_utils.compat import uuid7

from .fakes import HOUR, Outage


class MemoryUserStore(UserStore):
    def __init__(self, outage: Outage, audit: MemoryAuditStore) -> None:
        self.outage = outage
        self.audit = audit
        self.users: dict[UUID, User] = {}
        self.lowered: dict[UUID, datetime] = {}

    @override
    async def administrator(self) -> User:
        known = next((u for u in self.users.values() if u.name == "admin"), None)
        return known or self._add(uuid7(), "admin", Role.ADMIN)

    @override
    async def add(self, user_id: UUID, name: str, role: Role, entry: Entry) -> User | None:
        if any(user.name == name for user in self.users.values()):
            return None
        user = self._add(user_id, name, role)
        self.audit.note(entry)
        return user

    @override
    async def get(self, user_id: UUID) -> User | None:
        self.outage.check()
        return self.users.get(user_id)

    @override
    async def change(self, user_id: UUID, change: UserChange, entry: Entry) -> User | None:
        self.outage.check()
        before = self.users.get(user_id)
        if before is None:
            return None
        if any(u.name == change.name for u in self.users.values() if u.user_id != user_id):
            raise UserExists(change.name or "")
        said = {"name": change.name, "role": change.role, "disabled": change.disabled}
        known: dict[str, Any] = {name: value for name, value in said.items() if value is not None}
        after = replace(before, **known, quota=replace(before.quota, **change.quota))
        if (after.disabled and not before.disabled) or (before.role, after.role) == (
            Role.ADMIN,
            Role.USER,
        ):
            self.lowered[user_id] = datetime.now(UTC)
        self.users[user_id] = after
        self.audit.note(entry)
        return after

    @override
    async def page(self, after: Place | None, size: int) -> Sequence[User]:
        newest = sorted(
            self.users.values(), key=lambda u: (u.created_at, str(u.user_id)), reverse=True
        )
        return [u for u in newest if not after or (u.created_at, str(u.user_id)) < after][:size]

    def _add(self, user_id: UUID, name: str, role: Role) -> User:
        self.outage.check()
        user = User(user_id, name, role, disabled=False, created_at=datetime.now(UTC))
        self.users[user_id] = user
        return user


class MemoryKeyStore(KeyStore):
    def __init__(self, outage: Outage, users: MemoryUserStore) -> None:
        self.outage = outage
        self.users = users
        self.audit = users.audit
        self.keys: dict[str, tuple[NewKey, Key]] = {}
        self.revoked: dict[str, tuple[Key, datetime]] = {}

    def valid(self, key_id: str) -> tuple[NewKey, Key, User] | None:
        self.outage.check()
        if key_id not in self.keys:
            return None
        new, key = self.keys[key_id]
        user = self.users.users[new.user_id]
        if user.disabled or (key.expires_at and key.expires_at <= datetime.now(UTC)):
            return None
        return new, key, user

    @override
    async def find(self, key_id: str, digest: bytes, whence: Whence = NOWHERE) -> StoredKey | None:
        found = self.valid(key_id)
        if found is None:
            return None
        new, key, user = found
        self._note_use(new, key, digest, whence)
        identity = Identity(
            user.user_id,
            user.name,
            user.role,
            key.key_id,
            key.name,
            key.expires_at,
            key.scopes,
            user.quota,
            key.quota,
        )
        return StoredKey(new.digest, identity)

    def _note_use(self, new: NewKey, key: Key, digest: bytes, whence: Whence) -> None:
        now, last = datetime.now(UTC), key.last_used_at
        if digest != new.digest or (last and last >= now - timedelta(minutes=1)):
            return
        self.keys[key.key_id] = (new, replace(key, last_used_at=now))
        if last is None or last < now - HOUR:
            key_id = key.key_id
            self.audit.note(Entry(LOGIN, "done", new.user_id, key_id, key_id, whence))

    @override
    async def get(self, key_id: str, user_id: UUID | None) -> Key | None:
        self.outage.check()
        _, key = self.keys.get(key_id, (None, None))
        return key if key and user_id in {None, key.user_id} else None

    @override
    async def add(self, key: NewKey, entry: Entry) -> Key | None:
        self.outage.check()
        if key.user_id not in self.users.users:
            return None
        made = Key(
            key.key_id,
            key.user_id,
            key.name,
            key.last4,
            key.expires_at,
            None,
            datetime.now(UTC),
            key.scopes,
            key.quota,
        )
        self.keys[key.key_id] = (key, made)
        self.audit.note(entry)
        return made

    @override
    async def rotate(
        self, key_id: str, successor: NewKey, overlap_seconds: int, entry: Entry
    ) -> Key | None:
        self.outage.check()
        new, old = self.keys.get(key_id, (None, None))
        now = datetime.now(UTC)
        if not new or not old or old.rotated_at or (old.expires_at and old.expires_at <= now):
            return None
        ends = now + timedelta(seconds=overlap_seconds)
        ends = min(ends, old.expires_at or ends)
        self.keys[key_id] = (new, replace(old, rotated_at=now, expires_at=ends))
        if not overlap_seconds:
            del self.keys[key_id]
            self.revoked[key_id] = (old, now)
        return await self.add(successor, entry)

    @override
    async def page(self, user_id: UUID, after: Place | None, size: int) -> Sequence[Key]:
        own = [key for new, key in self.keys.values() if new.user_id == user_id]
        newest = sorted(own, key=lambda k: (k.created_at, k.key_id), reverse=True)
        return [k for k in newest if not after or (k.created_at, k.key_id) < after][:size]

    @override
    async def revoke(self, key_id: str, user_id: UUID | None, entry: Entry) -> UUID | None:
        key = await self.get(key_id, user_id)
        if key is None:
            return None
        del self.keys[key_id]
        self.revoked[key_id] = (key, datetime.now(UTC))
        self.audit.note(entry)
        return key.user_id

    @override
    async def rights(self, key_ids: Sequence[str]) -> Mapping[str, Rights]:
        found = {key_id: self.valid(key_id) for key_id in key_ids}
        return {
            key_id: Rights(valid[2].role, valid[1].scopes)
            for key_id, valid in found.items()
            if valid
        }

    @override
    async def ended(self, within_seconds: float) -> Sequence[Ended]:
        self.outage.check()
        now = datetime.now(UTC)
        ends = [(k.user_id, k.key_id, at) for k, at in self.revoked.values() if k.last_used_at]
        ends += [
            (k.user_id, k.key_id, k.expires_at)
            for _, k in self.keys.values()
            if k.expires_at and k.expires_at <= now and k.last_used_at
        ]
        ends += [(user_id, "", at) for user_id, at in self.users.lowered.items()]
        ages = [Ended(user, key, (now - at).total_seconds()) for user, key, at in ends]
        return [one for one in ages if one.seconds_ago < within_seconds]


class MemoryAuditStore(AuditStore):
    def __init__(self, outage: Outage) -> None:
        self.outage = outage
        self.written: list[WrittenEntry] = []

    @property
    def entries(self) -> list[Entry]:
        """All entries, oldest first."""
        return [one.entry for one in self.written]

    def note(self, entry: Entry) -> None:
        at = entry.at or datetime.now(UTC)
        self.written.append(WrittenEntry(uuid7(), at, replace(entry, at=at)))

    @override
    async def write(self, entries: Sequence[Entry]) -> None:
        self.outage.check()
        for entry in entries:
            self.note(entry)

    @override
    async def page(
        self, asked: EntryFilter, after: Place | None, size: int
    ) -> Sequence[WrittenEntry]:
        self.outage.check()
        newest = sorted(self.written, key=lambda w: (w.at, str(w.entry_id)), reverse=True)
        return [
            one
            for one in newest
            if (after is None or (one.at, str(one.entry_id)) < after)
            and asked.actor in {None, one.entry.actor}
            and asked.action in {None, one.entry.action}
            and (asked.since is None or one.at >= asked.since)
            and (asked.until is None or one.at < asked.until)
        ][:size]


class NoTurns(Turns):
    """Nobody's turns; whose were to be stopped, and whether that can be asked."""

    def __init__(self) -> None:
        self.stopped: list[tuple[UUID, str]] = []
        self.away = False

    @override
    async def stop(self, user_id: UUID, key_id: str) -> None:
        if self.away:
            raise Unavailable("The chat service cannot be reached.")
        self.stopped.append((user_id, key_id))
