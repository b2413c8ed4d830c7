"""What the fake gateway knows, was asked, and is told to do."""

import asyncio
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

JSON = dict[str, Any]
STEP = 0.005  # how often something looks whether it may go on, in seconds
ADMIN = "ada"  # the id of the user of the fake's own key
SHARED = ("Default", "Code assistant", "Research assistant")
UNSPENT = MappingProxyType({"cache_write_tokens": 0, "long_cache_write_tokens": 0})
COST = MappingProxyType({"amount": "0.000125", "currency": "USD", "price_version": "2026-11"})


def now() -> str:
    return datetime.now(UTC).isoformat()


def problem(status: int, reason: str, detail: str, **more: Any) -> JSON:
    """Returns a problem document; `retry_after` becomes the header of that name."""
    return {
        "type": f"https://parley.test/problems/{reason}",
        "title": reason.replace("_", " ").capitalize(),
        "status": status,
        "detail": detail,
        "reason": reason,
        "retryable": status in (429, 503),
        "metadata": {},
        **more,
    }


class Refused(Exception):  # noqa: N818 - a control flow of the fake, not an error of a program
    """Carries a problem document to the middleware."""


def refused(document: JSON) -> Refused:
    return Refused(document)


@dataclass(frozen=True, slots=True)
class Received:
    """One request as it came."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: Any


@dataclass
class FakeGateway:
    """What it knows, what it was asked, and how it is to behave. Change it at any time."""

    key: str = "parley_test"
    role: str = "admin"  # the role of that key's user
    reply: str = "You said: {message}"
    reasoning: str = ""
    pace: float = 0.0  # seconds between two words of a reply
    most: int | None = None  # words of a reply that are written before this is changed
    first_after: float = 0.0  # seconds of thinking before the first word
    refusals: dict[str, JSON] = field(default_factory=dict)  # "POST /chat" -> a problem
    passing: dict[str, list[JSON]] = field(default_factory=dict)  # the same, each only once
    lost: dict[str, int] = field(default_factory=dict)  # "POST /chat" -> how many answers get lost
    breaks: JSON | None = None  # a problem that ends the next replies in the middle
    piece: int = 1_000_000  # the most code points in an event of a stream
    cuts: list[int] = field(default_factory=list)  # after so many bytes the next streams end, by …
    cut_by: str = "close"  # … close or reset of the connection, end of the answer, or farewell
    received: list[Received] = field(default_factory=list)
    chats: dict[str, JSON] = field(default_factory=dict)
    messages: dict[str, list[JSON]] = field(default_factory=dict)
    prompts: dict[str, JSON] = field(default_factory=dict)
    keys: dict[str, JSON] = field(default_factory=dict)
    users: list[JSON] = field(default_factory=list)
    tokens: dict[str, tuple[str, str]] = field(default_factory=dict)  # key -> its user's and own id
    owners: dict[str, str] = field(default_factory=dict)  # chat -> its user, unless it is ADMIN
    me: JSON = field(default_factory=dict)  # what else `GET /me` says
    audit: list[JSON] = field(default_factory=list)  # newest first
    providers: dict[str, JSON] = field(default_factory=dict)
    models: dict[tuple[str, str], JSON] = field(default_factory=dict)  # what was laid over them
    aliases: dict[str, JSON] = field(default_factory=dict)
    unreadable: list[str] = field(default_factory=list)  # whose keys a rotation cannot open
    usage: list[JSON] = field(default_factory=list)  # rows of the ledger's records
    active: str = "default"
    vouch: Callable[[str], JSON] | None = None  # what a user is given for calls over gRPC
    url: str = ""

    def __post_init__(self) -> None:
        for name in SHARED:
            self.add_prompt(name, f"You are the {name.lower()} prompt.", shared=True)
        self.add_provider("demo", "Demo", ["demo-fast", "demo-slow"], is_default=True)
        self.add_provider("acme", "Acme", ["acme-large"], status="unhealthy", error="Refused.")
        self.add_provider("bare", "Bare", [], status="unconfigured", error="Set BARE_API_KEY.")
        self._sent: dict[str, tuple[JSON, JSON]] = {}
        self._turns: dict[str, asyncio.Task[None]] = {}  # by the reply's id

    def calls(self, method: str, path: str) -> list[Received]:
        """Returns what was asked of one route, oldest first."""
        return [one for one in self.received if (one.method, one.path) == (method, path)]

    def add_prompt(self, name: str, content: str, *, shared: bool = False, **more: Any) -> JSON:
        slug = name.lower().replace(" ", "-")
        times = {"created_at": now(), "updated_at": now()}
        known = {"prompt_id": slug, "name": name, "content": content, "shared": shared, **times}
        self.prompts[slug] = {"description": None, "version": 1, **known, **more}
        return self.prompts[slug]

    def add_provider(self, name: str, display_name: str, models: list[str], **more: Any) -> None:
        credential = {"source": "environment", "last4": "7Qz0"} if models else None
        self.providers[name] = {
            "name": name,
            "kind": name,
            "display_name": display_name,
            "status": "ready",
            "enabled": True,
            "is_default": False,
            "default_model": models[0] if models else None,
            "models": models,
            "plugin": {"package": f"parley-provider-{name}", "version": "0.1.0"},
            "error": None,
            "circuit": "closed",
            "running": 0,
            "configuration": {
                "base_url": f"https://{name}.example/v1",
                "priority": 100,
                "max_replies": 128,
                "fallbacks": [],
                "retry_timeouts": False,
                "credential": credential,
                "default_model_chosen": False,
            },
            **more,
        }

    def add_usage(self, day: str, provider: str, model: str, **more: Any) -> None:
        """Adds a call to the ledger; with `cost` None its price is unknown."""
        spent = {"input_tokens": 1000, "output_tokens": 500, "source": "reported"}
        self.usage.append(
            {
                "usage_id": str(uuid.uuid4()),
                "user_id": "ada",
                "key_id": "k1",
                "provider": provider,
                "model": model,
                "settled": True,
                "outcome": "stop",
                "usage": {**UNSPENT, "cached_input_tokens": 0, "reasoning_tokens": 0, **spent},
                "cost": dict(COST),
                "started_at": f"{day}T12:00:00Z",
                "settled_at": f"{day}T12:00:01Z",
                "attempts": [],
                **more,
            }
        )

    def add_chat(self, chat_id: str, *texts: str) -> JSON:
        """Adds a chat in which user and assistant said these texts in turn."""
        chat = {"chat_id": chat_id, "title": texts[0] if texts else chat_id, "created_at": now()}
        self.chats[chat_id] = {**chat, "updated_at": now(), "provider": "demo"}
        self.chats[chat_id] |= {"model": "demo-fast", "message_count": 0}
        for number, text in enumerate(texts):
            self.add_message(chat_id, "assistant" if number % 2 else "user", text)
        return self.chats[chat_id]

    def add_message(self, chat_id: str, role: str, content: str, **more: Any) -> JSON:
        said = self.messages.setdefault(chat_id, [])
        spent = {"input_tokens": 7, "output_tokens": len(content.split()), "source": "reported"}
        message = {
            "message_id": str(uuid.uuid4()),
            "chat_id": chat_id,
            "parent_id": said[-1]["message_id"] if said else None,
            "sibling_ids": [],
            "seq": len(said) + 1,
            "role": role,
            "content": content,
            "reasoning": None,
            "status": "complete",
            "finish_reason": "stop" if role == "assistant" else None,
            "provider": "demo" if role == "assistant" else None,
            "model": "demo-fast" if role == "assistant" else None,
            "prompt_version": None,
            "usage": {"cached_input_tokens": 0, "reasoning_tokens": 0, **spent},
            "cost": dict(COST) if role == "assistant" else None,
            "created_at": now(),
            **more,
        }
        said.append(message)
        self.chats[chat_id] |= {"message_count": len(said), "updated_at": now()}
        return message

    def readers(self) -> dict[str, JSON]:
        """Returns who may come in, by their keys."""
        own = {"user_id": ADMIN, "name": "admin", "role": self.role}
        users = {user["user_id"]: user for user in self.users} | {ADMIN: own}
        return {self.key: own} | {
            token: users[user_id]
            for token, (user_id, _) in self.tokens.items()
            if not users[user_id].get("disabled")
        }

    def add_user(self, name: str, **more: Any) -> JSON:
        known = {"user_id": str(uuid.uuid4()), "name": name, "role": "user", "disabled": False}
        self.users.append({**known, "created_at": now(), "limits": {}, "budgets": {}, **more})
        return self.users[-1]

    def add_key(
        self, user_id: str, name: str, token: str | None = None, **more: Any
    ) -> tuple[JSON, str]:
        """Adds a key; returns it with its secret."""
        key_id = uuid.uuid4().hex[:12]
        token = token or f"parley_{key_id}_wxyz"
        self.tokens[token] = (user_id, key_id)
        times = {"expires_at": None, "last_used_at": None, "created_at": now()}
        known = {"key_id": key_id, "user_id": user_id, "name": name, "last4": "wxyz", "scopes": []}
        self.keys[key_id] = {**known, **times, "limits": {}, "budgets": {}, **more}
        return self.keys[key_id], token

    def revoke(self, key_id: str) -> None:
        del self.keys[key_id]
        self.tokens = {token: of for token, of in self.tokens.items() if of[1] != key_id}

    def begin(self, body: JSON, key: str | None, user_id: str = ADMIN) -> JSON:
        """Stores a message and starts its reply, or finds the reply of the same send."""
        if key in self._sent:
            before, reply = self._sent[key]
            if before != body:
                raise refused(problem(409, "idempotency_key_reused", "Another body."))
            return reply
        chat_id = body.get("chat_id") or str(uuid.uuid4())
        if chat_id not in self.chats:
            self.add_chat(chat_id)["title"] = body["message"][:60]
            self.owners[chat_id] = user_id
        self.add_message(chat_id, "user", body["message"])
        where = {"provider": body.get("provider", "demo"), "model": body.get("model", "demo-fast")}
        self.chats[chat_id] |= where
        status: JSON = {"status": "running", "finish_reason": None, "usage": None, "cost": None}
        reply = self.add_message(chat_id, "assistant", "", **where, **status)
        if key:
            self._sent[key] = (body, reply)
        turn = asyncio.create_task(self._write(reply, body["message"]))
        self._turns[reply["message_id"]] = turn
        turn.add_done_callback(lambda _: self._turns.pop(reply["message_id"]))
        return reply

    def stop(self, reply: JSON, status: str = "stopped") -> None:
        """Ends a reply that is being written; what it used is not known yet."""
        if reply["status"] == "running":
            reply |= {"status": status, "finish_reason": status}
            if turn := self._turns.get(reply["message_id"]):
                turn.cancel()

    async def _write(self, reply: JSON, message: str) -> None:
        await asyncio.sleep(self.first_after)
        reply["reasoning"] = self.reasoning or None
        words = self.reply.format(message=message).split(" ")
        for number, word in enumerate(words):
            while self.most is not None and number >= self.most:  # noqa: ASYNC110 - a fake may poll
                await asyncio.sleep(STEP)
            if self.breaks and number == len(words) // 2:
                reply |= {"status": "failed", "finish_reason": "error"}
                return
            reply["content"] += word if number == 0 else f" {word}"
            await asyncio.sleep(self.pace)
        usage = {"input_tokens": 7, "output_tokens": len(words), "source": "reported"}
        reply |= {"usage": {"cached_input_tokens": 0, "reasoning_tokens": 0, **usage}}
        reply |= {"status": "complete", "finish_reason": "stop", "cost": dict(COST)}

    async def forget_turns(self) -> None:
        """Ends the replies that are still being written."""
        turns = list(self._turns.values())
        for turn in turns:
            turn.cancel()
        await asyncio.gather(*turns, return_exceptions=True)
