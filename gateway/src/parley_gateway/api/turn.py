"""A turn as its events come in from the chat service, whole or as server-sent events."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable

from parley_rpc.faults import Fault, Internal

from parley.chat.v1.chat_pb2 import (
    MESSAGE_STATUS_STOPPED,
    Message,
    SendMessageResponse,
    StreamMessageResponse,
    TurnDelta,
    TurnStart,
)
from parley_gateway.api import convert, problems, sse

NOT_ENDED = "The chat service did not end the turn."
TurnEvent = SendMessageResponse | StreamMessageResponse


class Turn:
    """One turn as its events come in."""

    def __init__(
        self,
        events: AsyncIterator[TurnEvent],
        request_id: str,
        confirm: Callable[[], Awaitable[None]],
    ) -> None:
        self.events = events
        self.request_id = request_id
        # Asked when a reply was stopped: a fault says that it was because of the key.
        self.confirm = confirm
        self.start = TurnStart()

    async def begin(self) -> TurnStart:
        """Return the start of the turn; the fault that keeps it from starting."""
        async for event in self.events:
            self.start = event.start
            return event.start
        raise Internal("The chat service ended a turn without beginning it.")

    async def whole(self) -> dict[str, object]:
        """Return the turn when it has ended, as `ChatAnswer` has it."""
        answer: dict[str, object] | None = None
        try:
            await self.begin()
            async for event in self.events:
                if event.HasField("end"):
                    await self.confirm_stop(event.end.message)
                    answer = convert.chat_answer(self.start, event.end.message)
        except Fault as fault:
            raise self.located(fault) from None
        if answer is None:
            raise self.located(Internal(NOT_ENDED))
        return answer

    async def frames(self, *, start: bool = True) -> AsyncGenerator[bytes, None]:
        """Yield the turn as server-sent events, to `end` or `problem`."""
        if start:
            yield sse.event(b"start", start_data(self.start), "0.0")
        last: bytes | None = None
        try:
            async for event in self.events:
                if event.HasField("delta"):
                    yield delta_frame(event.delta)
                elif event.HasField("end"):
                    await self.confirm_stop(event.end.message)
                    last = sse.event(b"end", convert.ended(event.end.message))
        except Fault as fault:
            last = self.problem(fault)
        yield last or self.problem(Internal(NOT_ENDED))

    async def confirm_stop(self, reply: Message) -> None:
        """Tell of a stop as such, unless the key had ended: then of that; Unauthenticated."""
        if reply.status == MESSAGE_STATUS_STOPPED:
            await self.confirm()

    def problem(self, fault: Fault) -> bytes:
        """Write a failure as the last event."""
        return sse.event(b"problem", problems.document(self.located(fault), self.request_id))

    def located(self, fault: Fault) -> Fault:
        """Say in a failure after the start which turn it was."""
        if self.start.message_id:
            fault.metadata |= {
                "chat_id": self.start.chat_id,
                "message_id": self.start.message_id,
            }
        return fault


def start_data(start: TurnStart) -> dict[str, str]:
    """Return the data of the event `start`."""
    return {
        "chat_id": start.chat_id,
        "user_message_id": start.user_message_id,
        "message_id": start.message_id,
        "provider": start.provider,
        "model": start.model,
    }


def delta_frame(delta: TurnDelta) -> bytes:
    """Write a piece of a reply; the position stands behind the last event of a piece."""
    if not delta.reasoning:
        return sse.event(b"delta", {"text": delta.text}, delta.position)
    if not delta.text:
        return sse.event(b"reasoning", {"text": delta.reasoning}, delta.position)
    reasoning = sse.event(b"reasoning", {"text": delta.reasoning})
    return reasoning + sse.event(b"delta", {"text": delta.text}, delta.position)
