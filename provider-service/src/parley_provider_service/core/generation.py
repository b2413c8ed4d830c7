"""One reply: a row in the ledger, whoever makes it within the limits, and the settlement."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Coroutine
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from typing import TypeAlias
from uuid import UUID

import parley_provider_sdk as sdk
from parley_rpc.faults import (
    DeadlineExceeded,
    Fault,
    Internal,
    Unavailable,
    reason_of,
)

from parley_provider_service.core.catalog import Catalog
from parley_provider_service.core.cover import Cover, Terms
from parley_provider_service.core.embedding import check_embedder, embedded
from parley_provider_service.core.faults import ProviderNotReady, ProviderTimeout
from parley_provider_service.core.guard import ask as ask_plugin
from parley_provider_service.core.guard import guarded
from parley_provider_service.core.model import Ask, Event, ModelChoice, Settlement, Vectors
from parley_provider_service.core.parameters import (
    Unsupported,
    check_dialect,
    fitted,
    learn,
    speaks,
    takes,
)
from parley_provider_service.core.patience import Patience
from parley_provider_service.core.ports import Ledger
from parley_provider_service.core.reply import Reply
from parley_provider_service.core.routing import Admission, Route, choices_of, is_final
from parley_provider_service.core.rules import check
from parley_provider_service.core.secrecy import of_one, without_metadata

# Before the caller's own deadline, so that what is known of the usage still reaches it.
MARGIN_SECONDS = 0.25
# Below so many replies at once everything is sent as it comes; above, what comes within a tick is
# sent together, because a message costs more than what is in it.
QUIET_REPLIES = 8
SECONDS_PER_REPLY = 0.0005
LONGEST_PAUSE_SECONDS = 0.02

# What a provider makes: a reply, or vectors and their end.
Made: TypeAlias = sdk.ReplyStream | AsyncGenerator[Vectors | sdk.Finished, None]


@dataclass(frozen=True, slots=True)
class Limits:
    """How long a provider may be silent, and what becomes of what it does not take."""

    first_token_seconds: float = 60.0
    idle_seconds: float = 30.0
    # The longest reply, whatever the caller allows.
    total_seconds: float = 600.0
    # What a plugin, which obeys the same limits, is given to tell us first what it waited for.
    grace_seconds: float = 1.0
    # What it is given after its last event, and to let go of its vendor.
    end_seconds: float = 1.0
    close_seconds: float = 2.0
    # A listener so far behind makes the provider wait.
    most_characters_behind: int = 256 * 1024
    # How long a reply waits for a place with its provider.
    patience_seconds: float = 1.0
    unsupported: Unsupported = Unsupported.DROP
    # How what a caller with allowances may use is reckoned.
    terms: Terms = field(default_factory=Terms)


class Generation:
    """Makes replies. What is begun is settled by tasks of its own, whoever hangs up."""

    def __init__(self, catalog: Catalog, ledger: Ledger, limits: Limits) -> None:
        self.catalog = catalog
        self.ledger = ledger
        self.limits = limits
        self.cover = Cover(ledger, limits.terms)
        # The calls that the ledger holds and that produce.
        self.open: dict[UUID, Reply] = {}
        # All replies that are not settled yet, by the task that makes each.
        self._making: dict[asyncio.Task[None], Reply] = {}
        self._stopped = False

    async def begin(self, ask: Ask) -> Reply:
        """Begin a reply; its events tell the rest.

        InvalidArgument, ProviderNotFound, ProviderNotReady, ModelNotFound, ScopeMissing,
        CircuitOpen, TooBusy, and Unavailable while the service starts and when it stops.
        """
        check(ask)
        if not self.catalog.loaded:
            # A price that an administrator set is not known yet.
            raise Unavailable(
                "The provider service is starting.", retry_after=1.0, service="provider"
            )
        first = await self.catalog.meant(ask.provider, ask.request.model, within=ask.seconds)
        entry = self.catalog.roster.get(first.provider)
        for choice in ask.fallbacks:
            self.catalog.roster.get(choice.provider)
        check_dialect(entry, ask.request, ask.options_dialect)
        ask = replace(ask, request=of_one(ask.request, ask.owners, first.provider))
        route = Route(self.catalog, self._choices(ask, first), ask.scopes)
        seconds = min(ask.seconds, self.limits.total_seconds) - MARGIN_SECONDS
        deadline = asyncio.get_running_loop().time() + seconds
        admission = await route.admit(self.limits.patience_seconds)
        with ExitStack() as unless_begun:
            unless_begun.callback(admission.dismiss)
            self._check_fit(ask, admission)
            if self._stopped:
                raise stopping()
            unless_begun.pop_all()
        reply = Reply(ask, first.provider)
        reply.ask_next(admission.entry.name, admission.model)
        task = asyncio.create_task(self._make(reply, route, admission, deadline))
        self._making[task] = reply
        task.add_done_callback(self._making.pop)
        return reply

    def events(self, reply: Reply) -> AsyncIterator[Event]:
        """Yield a reply's events, together where many replies are made at once."""
        return reply.events(self._pause)

    def stop(self) -> None:
        """Begin nothing more, and stop what is begun; whoever listens is told why."""
        self._stopped = True
        for reply in self._making.values():
            reply.stop(stopping())

    async def aclose(self, seconds: float) -> None:
        """Stop all, and wait until it is settled, at most `seconds`."""
        self.stop()
        if self._making:
            await asyncio.wait(self._making, timeout=seconds)

    def _choices(self, ask: Ask, first: ModelChoice) -> list[ModelChoice]:
        """Return whom to ask: the first, then those who may be told the options.

        Vectors of another model are no substitute.
        """
        if ask.embedding is not None:
            return [first]
        entries = self.catalog.roster.entries
        return [
            choice
            for choice in choices_of(entries[first.provider], first, ask.fallbacks)
            if choice.provider not in entries
            or speaks(entries[choice.provider], ask.request, ask.options_dialect)
        ]

    def _check_fit(self, ask: Ask, admission: Admission) -> None:
        """Refuse what somebody does not take; InvalidArgument."""
        if ask.embedding is not None:
            check_embedder(admission.entry)
        fitted(ask.request, admission.entry, admission.model, self.limits.unsupported)

    def _pause(self) -> float:
        crowd = len(self.open) - QUIET_REPLIES
        return min(max(crowd, 0) * SECONDS_PER_REPLY, LONGEST_PAUSE_SECONDS)

    async def _make(
        self, reply: Reply, route: Route, admission: Admission, deadline: float
    ) -> None:
        """Hold, produce, settle, and only then tell the end."""
        settlement: Settlement | None = None
        failure: Fault | None = Internal("Parley failed.")
        try:
            await self._hold(reply, admission)
            self.open[reply.ask.usage_id] = reply
            try:
                failure = await self._produce(reply, route, admission, deadline)
            finally:
                del self.open[reply.ask.usage_id]
            settled = reply.settlement()
            if not await self.ledger.settle(settled):
                raise taken_for_dead()
            settlement = settled
        except Fault as fault:
            failure = fault
        finally:
            reply.end(settlement, failure)

    async def _hold(self, reply: Reply, admission: Admission) -> None:
        """Write the call into the ledger, before anybody is asked."""
        try:
            await self.cover.hold(reply, admission)
        except Fault:
            admission.dismiss()
            raise

    async def _produce(
        self, reply: Reply, route: Route, admission: Admission, deadline: float
    ) -> Fault | None:
        """Ask one after the other until somebody speaks, or nobody is left; return what failed."""
        held: Admission | None = admission
        failure: Fault | None = None
        while held is not None:
            try:
                failure = await self._ask_patiently(reply, route, held, deadline)
            finally:
                held.leave()
            if failure is None or reply.is_over or is_final(failure):
                return failure
            held = await self._next(reply, route, deadline)
        return reply.stopped_by or failure

    async def _next(self, reply: Reply, route: Route, deadline: float) -> Admission | None:
        """Turn to the next candidate; None when none is left that takes the reply in time."""
        clock = asyncio.get_running_loop().time
        while route.has_more and not reply.stopped and clock() < deadline:
            try:
                # Its model may have to be asked for.
                with reply.within(Patience(deadline, self.limits.close_seconds)):
                    admission = await route.admit(self.limits.patience_seconds)
            except (Fault, TimeoutError):
                return None
            try:
                self._check_fit(reply.ask, admission)
                await self.cover.extend(reply, admission)
            except Fault:  # it does not take the request, or the caller cannot pay for it
                admission.dismiss()
                continue
            reply.ask_next(admission.entry.name, admission.model)
            return admission
        return None

    async def _ask_patiently(
        self, reply: Reply, route: Route, admission: Admission, deadline: float
    ) -> Fault | None:
        """Ask one candidate, again where that helps; return what failed."""
        while True:
            failure = await self._ask(reply, admission, deadline)
            if failure is None or reply.is_over:
                return failure
            left = deadline - asyncio.get_running_loop().time()
            pause = self._pause_before(reply, route, admission, failure, left)
            if pause is None:
                return failure
            if await reply.stopped_within(pause):
                return reply.stopped_by
            try:
                await self.cover.extend(reply, admission)
            except Fault:  # what has been used leaves too little for another try
                return failure
            if not admission.ask_again():
                return failure
            reply.ask_next(admission.entry.name, admission.model)

    def _pause_before(
        self, reply: Reply, route: Route, admission: Admission, failure: Fault, left: float
    ) -> float | None:
        """Return how long to wait before the same one is asked again; None for not at all."""
        cause = failure.__cause__
        if isinstance(cause, sdk.UnsupportedParameter):
            entry, model = admission.entry, admission.model.name
            return 0.0 if learn(entry, model, cause.parameter) else None
        if isinstance(cause, sdk.ContextTooLong) and cause.retryable:
            # The plugin has made room; that helps once.
            return 0.0 if len(reply.attempted) == 1 else None
        said_so = isinstance(cause, sdk.ProviderError) and cause.retryable
        if not (said_so or isinstance(failure, ProviderTimeout)):
            return None  # a vendor that forbids it, or a bug of the plugin, which stays one
        return route.pause(admission, failure, left)

    async def _ask(self, reply: Reply, admission: Admission, deadline: float) -> Fault | None:
        """Ask once; write down what came of it, and what that says about the vendor."""
        entry, failure = admission.entry, None
        try:
            with guarded(entry.name, admission.model.name):
                request = self._request(reply, admission, deadline)
                await self._listen(reply, admission, request, deadline)
        except Fault as fault:
            failure = fault
        has_finished = reply.attempt.finished is not None
        reply.note(failure)
        if failure is None and not has_finished:
            failure = reply.stopped_by
        spoke = reply.attempt.has_spoken or has_finished
        admission.judge(None if reply.stopped else failure, spoke=spoke)
        if failure is not None and reason_of(failure) == "model_not_found":
            self.catalog.note_missing(entry.name)
        return failure

    def _request(self, reply: Reply, admission: Admission, deadline: float) -> sdk.ReplyRequest:
        """Return what the vendor is asked; InvalidArgument when the model does not take it."""
        entry, limits = admission.entry, self.limits
        request = fitted(reply.ask.request, entry, admission.model, limits.unsupported)
        if entry.name != reply.first:
            request = without_metadata(request)
        first = max(limits.first_token_seconds, entry.installed.first_token_seconds)
        left = max(deadline - asyncio.get_running_loop().time(), 0.0)
        patience = sdk.Limits(first_token=first, idle=limits.idle_seconds, whole=left)
        most = request.max_tokens
        if most is None and takes(entry, admission.model, "max_tokens"):
            most = reply.output_limit
        return replace(request, limits=patience, max_tokens=most)

    async def _listen(
        self, reply: Reply, admission: Admission, request: sdk.ReplyRequest, deadline: float
    ) -> None:
        """Take in the provider's stream until it ends, is stopped, or takes too long."""
        tenure = admission.entry.tenure
        if reply.stopped:
            return
        if asyncio.get_running_loop().time() >= deadline:
            raise DeadlineExceeded("Nothing was left of the time of the call.")
        if tenure is None:
            raise ProviderNotReady.of(
                admission.entry.name, admission.entry.status, admission.entry.error
            )
        with tenure.serving() as provider:
            stream = opened(reply, provider, request)
            patience = Patience(self._until(reply, request, deadline), self.limits.close_seconds)
            try:
                with reply.within(patience):
                    await self._take_all(reply, stream, request, deadline)
            except TimeoutError:
                if not patience.expired:
                    raise
            finally:
                await close(admission.entry.name, stream, self.limits.close_seconds)
        if reply.attempt.finished is None and not reply.stopped:
            broken = reply.attempt.broken("broke off without an end")
            raise too_slow(reply) if patience.expired else broken

    async def _take_all(
        self, reply: Reply, stream: Made, request: sdk.ReplyRequest, deadline: float
    ) -> None:
        async for event in stream:
            reply.take(event)
            patience = reply.patience
            if patience is None:
                return
            if reply.chars_behind > self.limits.most_characters_behind:
                patience.move(deadline)
                await reply.heard()
            if reply.stopped:
                return
            patience.move(self._until(reply, request, deadline))

    def _until(self, reply: Reply, request: sdk.ReplyRequest, deadline: float) -> float:
        """Return when the next event must have come."""
        now = asyncio.get_running_loop().time()
        if reply.attempt.finished is not None:
            return min(max(deadline, now), now + self.limits.end_seconds)
        if not request.stream:
            return deadline
        limits = request.limits
        patience = limits.idle if reply.attempt.has_spoken else limits.first_token
        return min(deadline, now + patience + self.limits.grace_seconds)


def opened(reply: Reply, provider: sdk.Provider, request: sdk.ReplyRequest) -> Made:
    """Begin the provider's stream; BadProviderResponse when it gives none."""
    if reply.ask.embedding is not None:
        return embedded(reply.attempt, provider, reply.ask.embedding)
    stream: object = provider.chat_completion(request)
    if isinstance(stream, AsyncGenerator):
        return stream
    if isinstance(stream, Coroutine):
        stream.close()
    raise reply.attempt.broken(f"gave a {type(stream).__name__} instead of a stream")


async def close(provider: str, stream: Made, seconds: float) -> None:
    """Let the provider let go of its vendor; what fails in that is logged and changes nothing."""
    if getattr(stream, "ag_frame", stream) is None:  # it has ended by itself
        return
    with contextlib.suppress(Fault):
        await ask_plugin(provider, stream.aclose, seconds)


def stopping() -> Fault:
    """Return the fault of a reply that another process may make."""
    sentence = "The provider service is stopping."
    return Unavailable(sentence, retry_after=1.0, service="provider")


def taken_for_dead() -> Fault:
    """Return the fault of a call that another process settled or took over.

    What it used since is nobody's to pay, and the ledger's figures are not ours to tell.
    """
    return Unavailable("The provider service was taken for dead.", service="provider")


def too_slow(reply: Reply) -> Fault:
    """Return the fault of a provider that was waited for in vain."""
    attempt = reply.attempt
    what = "finish" if attempt.has_spoken else "begin"
    sentence = f"The provider '{attempt.provider}' did not {what} its reply in time."
    return ProviderTimeout(sentence, provider=attempt.provider, model=attempt.model.name)
