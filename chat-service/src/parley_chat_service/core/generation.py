"""The reply of a turn that has begun: the path to it → the model → its ending stored."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple
from uuid import UUID

from parley_rpc.faults import (
    DatabaseUnavailable,
    DeadlineExceeded,
    Fault,
    Internal,
    RemoteFault,
    Unavailable,
    reason_of,
)

from parley_chat_service.core.failures import failure_of
from parley_chat_service.core.faults import ChatDeleted, TurnInterrupted
from parley_chat_service.core.history import (
    answered,
    newest_files,
    shown,
    system_of,
    without_instructions,
)
from parley_chat_service.core.model import (
    OPEN,
    Caller,
    Message,
    Prompt,
    Role,
    Status,
    ToolCall,
)
from parley_chat_service.core.outline import Span
from parley_chat_service.core.ports import Providers, TurnStore
from parley_chat_service.core.running import RunningTurn
from parley_chat_service.core.turn import Begun, Ending, Finished, NewTurn, Past, ReplyRequest
from parley_chat_service.core.worker import Worker

POLL_SECONDS = 0.25
# So often a provider service is asked that is away.
ASK_AGAIN_SECONDS = 0.3
# What it says when it cannot take on a reply now, and has asked nobody.
AWAY = frozenset({"unavailable", "database_unavailable", "too_busy"})

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Job:
    """A turn that has begun, and what its reply needs. `deadline` is in the loop's time."""

    caller: Caller
    new: NewTurn
    begun: Begun
    prompt: Prompt
    turn: RunningTurn
    deadline: float


class Outcome(NamedTuple):
    """How the work on a reply ended."""

    status: Status
    finished: Finished | None = None
    fault: Fault | None = None


class Generation:
    """Makes replies and stores how they end.

    `note_unsettled` is told when one ends of which only the ledger knows, later, what it used. A
    provider service that is away is waited for `patience` seconds.
    """

    def __init__(
        self,
        store: TurnStore,
        providers: Providers,
        worker: Worker,
        note_unsettled: Callable[[], None],
        patience: float,
    ) -> None:
        self.store = store
        self.providers = providers
        self.worker = worker
        self.note_unsettled = note_unsettled
        self.patience = patience

    async def run(self, job: Job) -> None:
        """Make a reply, store its ending, and only then tell it."""
        outcome = await self._work(job)
        await job.turn.settled()
        job.turn.take()
        name(outcome.fault, job)
        ending = ending_of(job, outcome)
        lost = await self._store(job, ending)
        if ending.unsettled:
            self.note_unsettled()
        fault = lost or outcome.fault
        if fault is None:
            job.turn.finish(message_of(job, ending), stored=True)
        else:
            name(fault, job)
            job.turn.finish(fault, stored=lost is None)

    async def _work(self, job: Job) -> Outcome:
        try:
            async with asyncio.timeout_at(job.deadline) as scope:
                with job.turn.working(scope):
                    return await self._generate(job)
        except TimeoutError:
            if job.turn.interrupted:
                return interrupted(job)
            if job.turn.stopped:
                return Outcome(Status.STOPPED)
            fault: Fault = DeadlineExceeded("The reply took too long.")
        except Fault as raised:
            # The provider service has gone and may have said half a word; any other fault that
            # it reported is its answer instead.
            if is_away(raised) and job.turn.grown:
                return interrupted(job)
            fault = raised
        except Exception:  # the turn's task: every turn gets its ending
            fields = {"message_id": str(job.new.message_id)}
            logger.exception("turn failed", extra={"fields": fields})
            fault = Internal("Parley failed while the reply was made.")
        return Outcome(Status.FAILED, fault=fault)

    async def _generate(self, job: Job) -> Outcome:
        past = await self._path(job)
        new, send = job.new, job.new.send
        files = {file.info.sha256: file.data for file in send.attachments}
        if wanted := newest_files(past, sum(file.info.size for file in send.attachments)):
            files |= await self.store.load_files(new.owner_id, wanted)
        infos = [file.info for file in send.attachments]
        asked = Past(
            new.user_message_id, Role.USER, Status.COMPLETE, send.content, infos, said=send.said
        )
        system = system_of(job.prompt.content, [*past, asked])
        *past, asked = without_instructions([*past, asked])
        known = [*shown(past, new.choice.provider), asked]
        request = ReplyRequest(
            usage_id=new.message_id,
            choice=new.choice,
            system=system,
            past=answered(known, new.user_message_id),
            files=files,
            temperature=send.temperature,
            max_tokens=send.max_tokens,
            stream=send.watched,
            fallbacks=send.fallbacks,
            packed=send.options.packed,
        )
        finished = await self._ask(job, request)
        return Outcome(Status.COMPLETE, finished) if finished else interrupted(job)

    async def _ask(self, job: Job, request: ReplyRequest) -> Finished | None:
        """Ask the provider service, and again when it goes away before it has said anything.

        The turn is acknowledged: a service that is started again must not cost it. A second
        call has the name of the first, so the ledger counts one.
        """
        loop = asyncio.get_running_loop()
        give_up = loop.time() + self.patience
        while True:
            again = job.turn.asked
            try:
                job.turn.asked = True
                within = job.deadline - loop.time()
                return await self.providers.generate(job.caller, request, job.turn, within)
            except Fault as fault:
                if again and reason_of(fault) == "usage_exists":
                    return None  # the first call went further than it could tell
                if not is_away(fault) or job.turn.grown or loop.time() > give_up:
                    raise
            await asyncio.sleep(ASK_AGAIN_SECONDS)

    async def _path(self, job: Job) -> Sequence[Past]:
        """Return the path to the user's message, once all replies on it have ended."""
        begun, owner_id = job.begun, job.new.owner_id
        path, parent_id = begun.path, begun.parent_id
        while parent_id is not None and not leads_to(path, parent_id):
            parent = self.worker.turns.get(parent_id)
            if parent:
                await parent.finished()
            else:
                await asyncio.sleep(POLL_SECONDS)
            path = await self.worker.insist(
                lambda: self.store.path(owner_id, begun.chat_uid, parent_id)
            )
        return path

    async def _store(self, job: Job, ending: Ending) -> Fault | None:
        """Store an ending; return why it could not be."""
        try:
            if await self.worker.insist(lambda: self.store.end(ending)):
                return None
            fate = await self.worker.insist(lambda: self.store.fate(ending.message_id))
        except DatabaseUnavailable:
            return TurnInterrupted(ending.message_id)
        if fate is None or fate.deleted:
            return ChatDeleted(job.new.chat_id)
        if fate.status == ending.status != Status.INTERRUPTED:
            # Only we write such an ending: in an attempt whose answer was lost.
            return None
        return TurnInterrupted(ending.message_id)


def leads_to(path: Sequence[Past], parent_id: UUID) -> bool:
    """Say whether a path is whole: it ends at the parent, and nothing on it is running.

    The one that came with the beginning of the turn may miss a turn that began just before.
    """
    whole = bool(path) and path[-1].message_id == parent_id
    return whole and not any(message.status == Status.RUNNING for message in path)


def is_away(fault: Fault) -> bool:
    """Say whether the provider service is gone, going, full, or without its database."""
    if isinstance(fault, RemoteFault):
        return reason_of(fault) in AWAY
    return isinstance(fault, Unavailable)


def name(fault: Fault | None, job: Job) -> None:
    """Say in a fault which turn it was."""
    if fault is not None:
        fault.metadata |= {"chat_id": job.new.chat_id, "message_id": str(job.new.message_id)}


def interrupted(job: Job) -> Outcome:
    """Return the outcome of a reply that nobody could bring to its end."""
    return Outcome(Status.INTERRUPTED, fault=TurnInterrupted(job.new.message_id))


def ending_of(job: Job, outcome: Outcome) -> Ending:
    """Return what is stored of an outcome."""
    finished, turn = outcome.finished, job.turn
    calls = calls_of(job, outcome)
    told = finished.choice if finished else OPEN
    return Ending(
        message_id=job.new.message_id,
        worker_id=job.new.worker_id,
        status=outcome.status,
        content="".join(piece.text for piece in turn.pieces),
        reasoning="".join(piece.reasoning for piece in turn.pieces),
        finish_reason=finished.reason if finished else "",
        error_reason=reason_of(outcome.fault) if outcome.fault else "",
        usage=finished and finished.usage,
        cost=finished and finished.cost,
        choice=told if told.provider else turn.answerer or job.new.choice,
        spans=spans_of(job) if outcome.status is Status.COMPLETE else (),
        failure=failure_of(outcome.fault) if outcome.fault else None,
        unsettled=finished is None and turn.asked,
        tool_calls=calls,
    )


def calls_of(job: Job, outcome: Outcome) -> Sequence[ToolCall]:
    """Return the calls of tools that a reply ended with; one that was cut keeps no half ones."""
    finished, calls = outcome.finished, job.turn.calls
    if finished is None:
        return ()
    whole = calls.whole(finished.reason)
    if len(whole) < len(calls):
        # Vendors refuse what belongs to a call without it.
        job.turn.outline.give_up("tool_call")
    return whole


def spans_of(job: Job) -> Sequence[Span]:
    """Return the pieces of a whole reply; say so when their metadata was given up."""
    outline = job.turn.outline
    if outline.given_up and outline.size:
        fields = {
            "message_id": str(job.new.message_id),
            "cause": outline.given_up,
            "bytes": outline.size,
        }
        logger.warning("metadata given up", extra={"fields": fields})
    return job.turn.spans


def message_of(job: Job, ending: Ending) -> Message:
    """Return the reply as it is stored."""
    new, begun = job.new, job.begun
    return Message(
        message_id=new.message_id,
        parent_id=new.user_message_id,
        sibling_ids=[new.message_id],
        seq=begun.seq,
        role=Role.ASSISTANT,
        status=ending.status,
        content=ending.content,
        created_at=begun.created_at,
        reasoning=ending.reasoning,
        provider=ending.choice.provider,
        model=ending.choice.model,
        prompt_version=new.prompt_version,
        finish_reason=ending.finish_reason,
        error_reason=ending.error_reason,
        usage=ending.usage,
        cost=ending.cost,
        tool_calls=ending.tool_calls,
    )
