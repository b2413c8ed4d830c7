"""Three users with things of their own, keys in every state, and requests in anybody's name."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from itertools import count
from typing import Any
from uuid import UUID

import httpx
from parley_tests.platform import ADMIN_KEY, Platform
from uuid_utils.compat import uuid7

from .document import Operation
from .dumps import Dump
from .table import NAMES, Name, Row

# Stands in all that is the owner's, and so in no answer to anybody else.
MARK = "owners-mark"
EXPIRES_AFTER_SECONDS = 1.0
SETTLED_WITHIN_SECONDS = 20.0


class Who(StrEnum):
    """Who asks."""

    OWNER = "owner"
    OTHER = "other"
    ADMIN = "admin"
    READER = "owner, reading"
    EXPIRED = "owner, expired"
    REVOKED = "owner, revoked"
    DISABLED = "disabled"
    NOBODY = "nobody"


class Spelling(StrEnum):
    """How a key is shown."""

    BEARER = "Authorization"
    PLAIN = "x-api-key"


@dataclass(frozen=True, slots=True)
class Told:
    """An answer, and what was asked for by name."""

    answer: httpx.Response
    asked: tuple[str, ...]

    @property
    def status(self) -> int:
        return self.answer.status_code

    @property
    def text(self) -> str:
        """The body without the request id and without what was asked for."""
        text = self.answer.text.replace(self.answer.headers["x-request-id"], "REQUEST")
        for name in sorted(filter(None, self.asked), key=len, reverse=True):
            text = text.replace(name, "ASKED")
        return text

    @property
    def alike(self) -> tuple[int, str, list[tuple[str, str]]]:
        """All that must not differ between what is foreign and what is missing."""
        own = {"x-request-id", "date", "content-length"}
        headers = [
            (name, value)
            for name, value in self.answer.headers.items()
            if name not in own and "ratelimit" not in name
        ]
        return self.status, self.text, headers


class World:
    """A platform with people in it."""

    def __init__(self, platform: Platform) -> None:
        self.platform = platform
        self.http = httpx.Client(base_url=platform.url, timeout=30)
        self.dump = Dump(platform.environment["DATABASE_URL"])
        self.numbers = count()
        self.keys: dict[Who, str] = {Who.ADMIN: ADMIN_KEY, Who.NOBODY: ""}
        self.users = {who: self.new_user(f"{who} {mark_of(who)}") for who in PEOPLE}
        self.users[Who.ADMIN] = self.ok("GET", "/me", Who.ADMIN)["user_id"]
        for who in PEOPLE:
            self.keys[who] = self.new_key(who)["key"]
        self.expires = datetime.now(UTC) + timedelta(seconds=EXPIRES_AFTER_SECONDS)
        self.keys[Who.EXPIRED] = self.new_key(Who.OWNER, expires_at=self.expires.isoformat())["key"]
        revoked = self.new_key(Who.OWNER)
        self.keys[Who.REVOKED] = revoked["key"]
        self.ok("DELETE", f"/keys/{revoked['key_id']}", Who.ADMIN)
        self.keys[Who.READER] = self.new_key(Who.OWNER, scopes=["read"])["key"]
        self.disable(self.users[Who.DISABLED])
        time.sleep(max(0.0, (self.expires - datetime.now(UTC)).total_seconds()))

    def close(self) -> None:
        self.http.close()
        self.dump.close()

    def new_user(self, name: str) -> str:
        return str(self.ok("POST", "/users", Who.ADMIN, json={"name": name})["user_id"])

    def new_key(self, who: Who, **fields: Any) -> Any:
        body = {"name": f"{who} {mark_of(who)}", "user_id": self.users[who], **fields}
        return self.ok("POST", "/keys", Who.ADMIN, json=body)

    def disable(self, user_id: str) -> None:
        """Let a user's keys be good for nothing."""
        self.ok("PATCH", f"/users/{user_id}", Who.ADMIN, json={"disabled": True})

    def send(
        self, method: str, path: str, who: Who, spelling: Spelling = Spelling.BEARER, **more: Any
    ) -> httpx.Response:
        """Ask for something in somebody's name."""
        key = self.keys[who]
        value = f"Bearer {key}" if spelling is Spelling.BEARER else key
        headers = {spelling.value: value} if key else {}
        return self.http.request(method, path, headers=headers, **more)

    def ok(self, method: str, path: str, who: Who, **more: Any) -> Any:
        answer = self.send(method, path, who, **more)
        assert answer.is_success, (method, path, answer.text)
        return answer.json() if answer.content else None

    def fresh(self, who: Who) -> str:
        return f"{mark_of(who)}-{next(self.numbers):04d}"

    def things(self, names: tuple[Name, ...], who: Who, *, called: str = "") -> dict[Name, str]:
        """New things of somebody's, as many as are named; what users name is called so."""
        made: dict[Name, str] = {}
        for name in names:
            if name not in made:
                made |= self.thing(name, who, called)
        return made

    def thing(self, name: Name, who: Who, called: str = "") -> dict[Name, str]:
        """A new thing, and what stands in it."""
        if name in (Name.CHAT, Name.MESSAGE, Name.ITEM):
            body = {"chat_id": called or self.fresh(who), "message": f"I am {mark_of(who)}."}
            turn = self.ok("POST", "/chat", who, json=body)
            item = f"msg_{UUID(turn['message_id']).hex}0000"
            return {
                Name.CHAT: turn["chat_id"],
                Name.MESSAGE: turn["message_id"],
                Name.ITEM: item,
            }
        if name is Name.RESPONSE:
            body = {"model": "demo/demo", "input": f"I am {mark_of(who)}."}
            return {Name.RESPONSE: self.ok("POST", "/v1/responses", who, json=body)["id"]}
        if name in (Name.PROMPT, Name.VERSION):
            body = {"name": called or self.fresh(who), "content": f"Obey {mark_of(who)}."}
            made = self.ok("POST", "/system-prompts", who, json=body)
            return {Name.PROMPT: made["prompt_id"], Name.VERSION: "1"}
        if name in (Name.PROVIDER, Name.MODEL, Name.ALIAS):
            return self.configured(name)
        if name is Name.KEY:
            return {Name.KEY: self.new_key(who)["key_id"]}
        assert name is Name.USER, name
        return {Name.USER: self.new_user(self.fresh(who))}

    def configured(self, name: Name) -> dict[Name, str]:
        """A new thing of an administrator's that everybody shares."""
        if name is Name.ALIAS:
            alias = f"a-{next(self.numbers):07d}"
            self.ok("PUT", f"/aliases/{alias}", Who.ADMIN, json={"provider": "demo"})
            return {Name.ALIAS: alias}
        body = {"name": f"p-{next(self.numbers):07d}", "plugin": "demo"}
        made = self.ok("POST", "/providers", Who.ADMIN, json=body)
        self.ok("POST", f"/providers/{made['name']}/models/refresh", Who.ADMIN)
        laid = {"context_window": 4096}
        self.ok("PATCH", f"/providers/{made['name']}/models/demo", Who.ADMIN, json=laid)
        return {Name.PROVIDER: made["name"], Name.MODEL: "demo"}

    def state(self) -> dict[str, list[str]]:
        """What is stored, once nothing is still to be written."""
        give_up = time.monotonic() + SETTLED_WITHIN_SECONDS
        while time.monotonic() < give_up and self.pending():
            time.sleep(0.02)
        return self.dump.state()

    def belongings(self, who: Who) -> dict[str, list[str]]:
        """The rows that are somebody's, once nothing is still to be written."""
        state = self.state()
        return {
            table: [row for row in rows if self.users[who] in row] for table, rows in state.items()
        }

    def pending(self) -> bool:
        calls = self.dump.rows("provider", "provider_usage")
        held = any(row["status"] == "held" for row in calls)
        return held or bool(self.dump.rows("chat", "unsettled"))

    def perform(
        self,
        operation: Operation,
        row: Row,
        who: Who,
        spelling: Spelling,
        ids: Mapping[Name, str],
        **more: Any,
    ) -> Told:
        """Ask for an operation on the things named."""
        asked = {name: ids[NAMES["path", name]] for name in operation.path_names}
        body = more.pop("body", None) or self.body(row)
        answer = self.send(
            operation.method,
            operation.path.format(**asked),
            who,
            spelling,
            params=row.query | more.pop("query", {}),
            **({} if row.body is None else {"json": body}),
        )
        return Told(answer, (*asked.values(), *more.pop("also", ())))

    def body(self, row: Row) -> dict[str, Any]:
        """The body of a row, with names that nobody has taken."""
        number = f"{next(self.numbers):04d}"
        return {
            name: value.replace("{fresh}", number) if isinstance(value, str) else value
            for name, value in (row.body or {}).items()
        }


PEOPLE = (Who.OWNER, Who.OTHER, Who.DISABLED)


def mark_of(who: Who) -> str:
    return MARK if who in (Who.OWNER, Who.READER) else f"mark-of-{who}"


def missing(name: Name, like: str) -> str:
    """A name as long and of the same form that nothing has."""
    if name in (Name.MESSAGE, Name.USER):
        return str(uuid7())
    if name is Name.RESPONSE:
        return f"resp_{uuid7().hex}"
    if name is Name.ITEM:
        return f"msg_{uuid7().hex}0000"
    if name is Name.VERSION:
        return "9"
    return "z" * len(like)
