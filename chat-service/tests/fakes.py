"""The world outside, as scripts: models, a ledger, a prompt."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple
from uuid import UUID

from parley_chat_service.core.model import (
    Caller,
    Choice,
    Prompt,
    Usage,
)
from parley_chat_service.core.outline import Kind
from parley_chat_service.core.ports import Reply
from parley_chat_service.core.titles import title_of
from parley_chat_service.core.turn import (
    CallDelta,
    Finished,
    NewTurn,
    ReplyRequest,
    Send,
    Settled,
)
from parley_rpc.faults import Fault, NotFound, Origin, RemoteFault
from uuid_utils.compat import uuid7


class Thought(str):
    """A piece of reasoning, in the script of a provider."""

    __slots__ = ()


class Wanted(NamedTuple):
    """What a vendor wants back with a piece, in the script of a provider."""

    kind: Kind
    metadata: bytes


# Text, a thought, what the vendor wants back, a call, who answers; a moment to wait for, a fault to
# raise.
Step = str | Wanted | CallDelta | Choice | asyncio.Event | Exception


class ScriptedProviders:
    """Answers with a script."""

    def __init__(self) -> None:
        self.script: Sequence[Step] = ["Hello", ", ", "world."]
        self.finished: Finished | None = Finished("stop", Usage(3, 5, 0, 0, "reported"), None)
        self.requests: list[ReplyRequest] = []
        self.asked: list[Choice] = []
        self.unknown: Fault | None = None
        # Names that stand for models, and that no provider has itself.
        self.aliases: dict[str, Choice] = {}
        self.cancelled = asyncio.Event()

    async def resolve(self, caller: Caller, choice: Choice, within: float) -> Choice:
        self.asked.append(choice)
        if self.unknown is not None:
            raise self.unknown
        if choice.model in self.aliases:
            if choice.provider:
                raise RemoteFault("No such model.", Origin(NotFound, "model_not_found", "there"))
            return self.aliases[choice.model]
        return Choice(choice.provider or "acme", choice.model or "small")

    async def generate(
        self, caller: Caller, request: ReplyRequest, reply: Reply, within: float
    ) -> Finished | None:
        self.requests.append(request)
        try:
            for step in self.script:
                await self.take(step, reply)
        except asyncio.CancelledError:
            self.cancelled.set()
            raise
        return self.finished

    async def take(self, step: Step, reply: Reply) -> None:
        if isinstance(step, asyncio.Event):
            await step.wait()
        elif isinstance(step, Exception):
            raise step
        elif isinstance(step, Wanted):
            reply.attach(*step)
        elif isinstance(step, CallDelta):
            reply.call(step)
        elif isinstance(step, Choice):
            reply.answered(step)
        elif isinstance(step, Thought):
            reply.reasoning(str(step))
        else:
            reply.text(step)
        await asyncio.sleep(0)


class ScriptedLedger:
    """A ledger that knows what it is told."""

    def __init__(self) -> None:
        self.rows: dict[UUID, Settled] = {}
        self.held: set[UUID] = set()
        self.asked: list[Sequence[UUID]] = []
        self.away: Fault | None = None

    async def settled(self, usage_ids: Sequence[UUID]) -> tuple[Mapping[UUID, Settled], set[UUID]]:
        self.asked.append(usage_ids)
        if self.away is not None:
            raise self.away
        found = {name: self.rows[name] for name in usage_ids if name in self.rows}
        return found, self.held & set(usage_ids)


class OnePrompt:
    """A prompt service with one prompt."""

    def __init__(self) -> None:
        self.prompt = Prompt("Be brief.", 7)
        self.missing: Exception | None = None
        self.asked: list[str] = []
        self.gate: asyncio.Event | None = None

    async def active(self, caller: Caller, within: float) -> Prompt:
        return await self.get(caller, "", within)

    async def get(self, caller: Caller, prompt_id: str, within: float) -> Prompt:
        self.asked.append(prompt_id)
        if self.gate is not None:
            await self.gate.wait()
        if self.missing is not None:
            raise self.missing
        return self.prompt


def new_turn(
    owner_id: UUID, worker_id: UUID, send: Send, *, body_hash: bytes = b"", seconds: float = 600
) -> NewTurn:
    """Make a turn as the core makes them."""
    chat_uid = uuid7()
    return NewTurn(
        owner_id=owner_id,
        chat_uid=chat_uid,
        chat_id=send.chat_id or str(chat_uid),
        user_message_id=uuid7(),
        message_id=uuid7(),
        worker_id=worker_id,
        title=title_of(send.content),
        send=send,
        body_hash=body_hash,
        choice=Choice(send.choice.provider or "acme", send.choice.model or "small"),
        prompt_version=7,
        seconds=seconds,
    )


async def until(condition: Callable[[], object]) -> None:
    """Return when a condition holds; fail when it does not soon."""
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110  (a test looks on from outside)
            await asyncio.sleep(0.005)
