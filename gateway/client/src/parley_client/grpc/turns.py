"""One reply, read to its end over as many streams as that takes. No input or output."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from parley.chat.v1.chat_pb2 import (
    SendMessageRequest,
    StreamMessageRequest,
    TurnDelta,
    TurnStart,
)
from parley_client.errors import GatewayUnreachable, ParleyError, ProblemError, UnexpectedAnswer
from parley_client.grpc.patience import Patience
from parley_client.positions import Position
from parley_client.retries import MOST_REPEATS, NOT_NOW, Retries, lost, not_taken
from parley_client.turns import MOST_FAREWELLS, place_at

BROKEN_OFF = "The stream broke off before the reply ended."


@dataclass(frozen=True, slots=True)
class Place:
    """Which reply it is."""

    chat_id: str
    message_id: str


class Reply:
    """A reply that somebody reads: what to ask for next, and whether to.

    `request` opens the first stream. A send gets a key of its own when it has none, so that it may
    be repeated.
    """

    def __init__(
        self,
        request: SendMessageRequest | StreamMessageRequest,
        patience: Patience,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._request = request
        self._place: Place | None = None
        self._started = False  # the caller has seen the event
        self._read = Position()
        if isinstance(request, StreamMessageRequest):
            self._place = Place(request.chat_id, request.message_id)
            self._read = place_at(request.after)
        elif not request.idempotency_key:
            self._request = SendMessageRequest(idempotency_key=uuid4().hex)
            self._request.MergeFrom(request)
        self._opening = Retries(not_taken, patience.repeat, MOST_REPEATS, clock)
        self._resuming = Retries(lost, patience.resume, clock=clock)
        self._open = False  # this stream has brought something
        self._farewells = 0
        self.over = False

    def request(self) -> SendMessageRequest | StreamMessageRequest:
        """Returns what to ask for."""
        self._open = False
        if self._place is None:
            return self._request
        return StreamMessageRequest(
            chat_id=self._place.chat_id,
            message_id=self._place.message_id,
            after=self._read.written if self._read != Position() else "",
            omit_deltas=self._request.omit_deltas,
        )

    def seen(self, event: Any) -> bool:
        """Takes note of an event; tells whether the caller has not seen it yet."""
        self._open = True
        match event.WhichOneof("event"):
            case "start":
                return self._begin(event.start)
            case "delta":
                self._move(event.delta)
            case "end":
                self.over = True
        return True

    def finish(self) -> None:
        """Raises GatewayUnreachable when the stream is over and the reply is not."""
        if not self.over:
            raise GatewayUnreachable(BROKEN_OFF)

    def wait_after(self, error: ParleyError) -> float:
        """Returns the seconds after which to ask again; raises `error` when that is no use."""
        if self._place is None:
            return self._opening.wait_after(error)
        if self._open and isinstance(error, ProblemError):
            self._farewells += 1
            if error.reason not in NOT_NOW or self._farewells > MOST_FAREWELLS:
                raise error  # what the turn failed with, and not the service's end
        return self._resuming.wait_after(error)

    def _begin(self, start: TurnStart) -> bool:
        first, self._started = not self._started, True
        self._place = Place(start.chat_id, start.message_id)
        return first

    def _move(self, delta: TurnDelta) -> None:
        place = self._read.behind(reasoning=delta.reasoning, text=delta.text)
        if delta.position and delta.position != place.written:
            raise UnexpectedAnswer(f"The stream is at {place.written}, and says {delta.position}.")
        self._read = place
        self._resuming.progressed()
        self._farewells = 0
