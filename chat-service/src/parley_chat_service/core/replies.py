"""A turn from its request: prompt and model → both messages stored → the reply.

A turn runs in a task of this service. Its caller listens, and may leave: the turn goes on.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
from collections import Counter, defaultdict
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import aclosing
from dataclasses import dataclass, replace
from uuid import UUID

from parley_rpc.faults import DatabaseUnavailable, Fault, Internal, TooBusy, reason_of
from uuid_utils.compat import uuid7

from parley_chat_service.core.digests import body_hash
from parley_chat_service.core.faults import (
    ChatBusy,
    ChatDeleted,
    IdempotencyKeyReused,
    TurnInterrupted,
)
from parley_chat_service.core.generation import Generation, Job
from parley_chat_service.core.inputs import first_words_of
from parley_chat_service.core.journal import Journal
from parley_chat_service.core.lasts import LastChoices
from parley_chat_service.core.model import Caller, Choice, Prompt
from parley_chat_service.core.places import Places
from parley_chat_service.core.ports import Prompts
from parley_chat_service.core.rules import check_send
from parley_chat_service.core.running import RunningTurn
from parley_chat_service.core.streams import Streams
from parley_chat_service.core.titles import title_of
from parley_chat_service.core.turn import Begun, NewTurn, PastSend, Seek, Send, Start, TurnEvent

MOST_WAITING = 4
MOST_RUNNING = MOST_WAITING + 1
LOOK_UP_SECONDS = 10.0

logger = logging.getLogger(__name__)

# A turn as its caller is told of it: a new one, or what an idempotency key stands for.
Opening = tuple[Start, RunningTurn] | PastSend


@dataclass(frozen=True, slots=True)
class Limits:
    """What a turn may be, and how many of them."""

    message_chars: int = 200_000
    turns: int = 256
    # Of these, with one provider.
    turns_per_provider: int = 128
    turn_seconds: float = 600.0


class Replies:
    """Runs turns."""

    def __init__(
        self,
        prompts: Prompts,
        generation: Generation,
        journal: Journal,
        streams: Streams,
        limits: Limits,
    ) -> None:
        self.store = generation.store
        self.providers = generation.providers
        self.worker = generation.worker
        self.prompts = prompts
        self.generation = generation
        self.journal = journal
        self.streams = streams
        self.limits = limits
        self.places = Places(limits.turns)
        self.places_by_provider = defaultdict[str, Places](
            lambda: Places(limits.turns_per_provider)
        )
        self.lasts = LastChoices()
        # Turns of this process by owner and chat.
        self.at_once: Counter[tuple[UUID, str]] = Counter()

    async def send(self, caller: Caller, send: Send) -> AsyncGenerator[TurnEvent, None]:
        """Run a turn and yield what becomes of it; leaving does not end it."""
        check_send(send, self.limits.message_chars)
        if not self.worker.held:
            raise DatabaseUnavailable
        opened: asyncio.Future[Opening] = asyncio.get_running_loop().create_future()
        self.worker.spawn(self._run(caller, send, opened))
        opening = await opened
        if isinstance(opening, PastSend):
            told: AsyncGenerator[TurnEvent, None] = self._repeat(caller, send, opening)
        else:
            start, turn = opening
            yield start
            told = turn.listen(deltas=send.watched)
        async with aclosing(told) as events:
            async for event in events:
                yield event

    async def _run(self, caller: Caller, send: Send, opened: asyncio.Future[Opening]) -> None:
        """Run a turn to its end, whoever listens; `opened` tells how it began."""
        try:
            async with place_in(self.places):
                # Who left before anything was stored wants nothing of it.
                while not opened.done():
                    await self._try(caller, send, opened)
        except Fault as fault:
            if not opened.done():
                opened.set_exception(fault)
        except Exception:  # the turn's task: every caller gets an answer
            logger.exception("turn failed")
            if not opened.done():
                opened.set_exception(Internal("Parley failed to begin the turn."))

    async def _try(self, caller: Caller, send: Send, opened: asyncio.Future[Opening]) -> None:
        """Look up what a turn needs, and run it; nothing is opened when the look was too old."""
        if send.refusal is not None:
            past = await self._past(caller.owner_id, send)
            if past is None:
                raise send.refusal
            if not opened.done():
                opened.set_result(past)
            return
        chosen, prompt = await asyncio.gather(
            self._choose(caller, send), self._prompt(caller, send)
        )
        choice, assumed = chosen
        async with self._place_with(choice.provider, send):
            if not opened.cancelled():
                new = self._new(caller, send, choice, prompt)
                await self._turn(caller, replace(new, assumed=assumed), prompt, opened)

    async def _turn(
        self, caller: Caller, new: NewTurn, prompt: Prompt, opened: asyncio.Future[Opening]
    ) -> None:
        if new.send.attachments:
            await self.store.save_files(new.owner_id, new.send.attachments)
        deadline = asyncio.get_running_loop().time() + new.seconds
        with self._registered(new) as turn:
            begun = await self._begin(new)
            if begun is None:
                return
            if isinstance(begun, PastSend):
                opening: Opening = begun
            else:
                turn.begun = True
                self.lasts.note(new.owner_id, new.chat_id, new.choice)
                opening = started(new), turn
            if not opened.done():
                opened.set_result(opening)
            if isinstance(begun, Begun):
                # From here on the turn has its own time, and not its listener's.
                own = replace(caller, deadline=math.inf)
                await self.generation.run(Job(own, new, begun, prompt, turn, deadline))

    async def _begin(self, new: NewTurn) -> Begun | PastSend | None:
        """Store a new turn, or find the one that its idempotency key stands for.

        None when its chat has asked somebody else last than was assumed.
        """
        fits = self.at_once[new.owner_id, new.chat_id] <= MOST_RUNNING
        if fits:
            begun = await self.store.begin(new, MOST_RUNNING)
            if begun is not None:
                return begun
        past = await self._past(new.owner_id, new.send)
        if past is not None:
            return past
        if new.assumed is not None:
            self.lasts.forget(new.owner_id, new.chat_id)
            if await self.store.last_choice(new.owner_id, new.chat_id) != new.assumed:
                return None
        if fits and new.send.parent_id is not None:
            begun = await self.store.begin_branch(new, MOST_RUNNING)
            if begun is not None:
                return begun
        raise ChatBusy(new.chat_id, MOST_WAITING)

    async def _past(self, owner_id: UUID, send: Send) -> PastSend | None:
        """Find the turn that an idempotency key stands for."""
        if not send.idempotency_key:
            return None
        return await self.store.find_send(owner_id, send.idempotency_key)

    def _repeat(
        self, caller: Caller, send: Send, past: PastSend
    ) -> AsyncGenerator[TurnEvent, None]:
        """Tell the turn that an idempotency key stands for, from its beginning."""
        if past.body_hash != body_hash(send):
            raise IdempotencyKeyReused
        if past.deleted:
            raise ChatDeleted(past.chat_id)
        seek = Seek(past.chat_id, past.message.message_id, deltas=send.watched)
        return self.streams.tell(caller, seek, past.message)

    async def _choose(self, caller: Caller, send: Send) -> tuple[Choice, Choice | None]:
        """Find who is asked: as wished, or else the chat's last ones, or else the defaults.

        Returned with who was taken for the chat's last one, when that decided.
        """
        choice, last = send.choice, None
        if send.chat_id and not (choice.provider and choice.model):
            last = self.lasts.guess(caller.owner_id, send.chat_id)
            if last is None:
                last = await self.store.last_choice(caller.owner_id, send.chat_id)
            if last is not None:
                choice = completed(choice, last)
        try:
            return await self.providers.resolve(caller, choice, LOOK_UP_SECONDS), last
        except Fault as fault:
            is_alone = send.choice.model and not send.choice.provider
            if not is_alone or choice == send.choice or reason_of(fault) != "model_not_found":
                raise
        # It is none of the last one's: it may be another's, or a name that stands for one.
        return await self.providers.resolve(caller, send.choice, LOOK_UP_SECONDS), last

    async def _prompt(self, caller: Caller, send: Send) -> Prompt:
        if send.options.given and not send.prompt_id:
            return Prompt(send.options.system)
        if send.prompt_id:
            return await self.prompts.get(caller, send.prompt_id, LOOK_UP_SECONDS)
        return await self.prompts.active(caller, LOOK_UP_SECONDS)

    def _new(self, caller: Caller, send: Send, choice: Choice, prompt: Prompt) -> NewTurn:
        chat_uid = uuid7()
        chat_id = send.chat_id or str(chat_uid)
        return NewTurn(
            owner_id=caller.owner_id,
            chat_uid=chat_uid,
            chat_id=chat_id,
            user_message_id=uuid7(),
            message_id=uuid7(),
            worker_id=self.worker.worker_id,
            title=title_of(send.content or first_words_of(send.said)) or chat_id,
            send=send,
            body_hash=body_hash(send) if send.idempotency_key else b"",
            choice=choice,
            prompt_version=prompt.version,
            seconds=self.limits.turn_seconds,
            key_id=caller.key_id,
        )

    @contextlib.asynccontextmanager
    async def _place_with(self, provider: str, send: Send) -> AsyncIterator[None]:
        """Hold one of a provider's places, unless others may answer in its stead."""
        if send.fallbacks:
            yield
            return
        async with place_in(self.places_by_provider[provider], provider=provider):
            yield

    @contextlib.contextmanager
    def _registered(self, new: NewTurn) -> Iterator[RunningTurn]:
        """Name a turn as one that this process works on, from before it is stored to its end."""
        turn = RunningTurn(new.message_id, self.journal.note, watched=new.send.watched)
        chat = new.owner_id, new.chat_id
        self.worker.turns[new.message_id] = turn
        self.at_once[chat] += 1
        try:
            yield turn
        finally:
            del self.worker.turns[new.message_id]
            self.at_once[chat] -= 1
            if not self.at_once[chat]:
                del self.at_once[chat]
            if turn.ending is None:
                turn.finish(TurnInterrupted(new.message_id), stored=False)


@contextlib.asynccontextmanager
async def place_in(places: Places, provider: str = "") -> AsyncIterator[None]:
    """Hold a place; TooBusy, at once when it would not help to wait."""
    ticket = await places.enter()
    if ticket is None:
        whose = f" with the provider '{provider}'" if provider else ""
        fault = TooBusy(
            f"{places.most} turns run{whose} already.", retry_after=1.0, limit=places.most
        )
        if provider:
            fault.metadata["provider"] = provider
        raise fault
    try:
        yield
    finally:
        places.leave(ticket)


def started(new: NewTurn) -> Start:
    """Return what a caller is told when its turn is stored."""
    return Start(new.chat_id, new.user_message_id, new.message_id, new.choice)


def completed(asked: Choice, last: Choice) -> Choice:
    """Fill in what a request leaves open with what was asked last in its chat."""
    if asked.provider and asked.provider != last.provider:
        return asked
    return Choice(last.provider, asked.model or last.model)
