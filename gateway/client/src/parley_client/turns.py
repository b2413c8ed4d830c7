"""One turn, read to its end over as many streams as that takes. No input or output."""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from types import MappingProxyType

from parley_client.answers import problem
from parley_client.call import Call
from parley_client.calls import stream_message
from parley_client.decode import decode
from parley_client.errors import GatewayUnreachable, ParleyError, ProblemError, UnexpectedAnswer
from parley_client.positions import Position
from parley_client.retries import MOST_REPEATS, NOT_NOW, Retries, lost, not_taken
from parley_client.sse import EventParser, ServerSentEvent
from parley_client.types import ReasoningDelta, TextDelta, TurnEnd, TurnEvent, TurnStart
from parley_client.wire import Timeouts

EVENTS: Mapping[str, type[TurnEvent]] = MappingProxyType(
    {"start": TurnStart, "delta": TextDelta, "reasoning": ReasoningDelta, "end": TurnEnd}
)
STEADY = 10.0  # seconds; a stream that was open for so long has not failed in a row
# A turn that failed for the very reason that a gateway gives which is stopping says it each time.
MOST_FAREWELLS = 2


class TurnReader:
    """Reads one stream of a turn, and leaves out what was read before it.

    `after` is the position that the stream was asked to begin at, `seen` the one read up to.
    """

    def __init__(self, after: str = "", seen: Position | None = None) -> None:
        self._parser = EventParser(after)
        self._place = place_at(after)  # where this stream stands
        self.seen = self._place if seen is None else seen
        self.last_id = after
        self.problem: ProblemError | None = None
        self.ended = False

    def feed(self, chunk: bytes) -> Iterator[TurnEvent]:
        """Yields the events in `chunk`; raises ProblemError when the turn failed."""
        for raw in self._parser.feed(chunk):
            event = self._read(raw)
            self.last_id = raw.id
            if event is not None:
                self.ended = isinstance(event, TurnEnd)
                yield replace(event, position=self.seen.written)

    def finish(self) -> None:
        """Raises GatewayUnreachable when the stream is over and the turn is not."""
        if not self.ended:
            raise GatewayUnreachable("The stream broke off before the reply ended.")

    def _read(self, raw: ServerSentEvent) -> TurnEvent | None:
        if raw.name != "problem" and raw.name not in EVENTS:
            return None  # a newer gateway's
        try:
            data = json.loads(raw.data)
        except ValueError as error:
            raise UnexpectedAnswer(f"The event {raw.name!r} carries no JSON.") from error
        if raw.name == "problem":
            self.problem = problem(data)
            raise self.problem
        event = decode(EVENTS[raw.name], data)
        if isinstance(event, TurnStart):
            self._place = place_at(raw.id)
        elif isinstance(event, TextDelta | ReasoningDelta):
            return self._unseen(event, raw.id)
        return event

    def _unseen(self, event: TextDelta | ReasoningDelta, own_id: str) -> TurnEvent | None:
        """Returns what is new in a piece of the reply; None when nothing is."""
        before, seen = self._place, self.seen
        if isinstance(event, TextDelta):
            self._place = before.behind(text=event.text)
            text = event.text[max(seen.text - before.text, 0) :]
        else:
            self._place = before.behind(reasoning=event.text)
            text = event.text[max(seen.reasoning - before.reasoning, 0) :]
        if own_id != self.last_id and place_at(own_id) != self._place:
            raise UnexpectedAnswer(f"The stream is at {self._place.written}, and says {own_id}.")
        self.seen = seen.furthest(self._place)
        return replace(event, text=text) if text else None


class Turn:
    """A turn that somebody reads: which stream to ask for next, and whether to."""

    def __init__(
        self,
        call: Call[None],
        timeouts: Timeouts,
        where: tuple[str, str] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`call` opens the first stream; `where` are chat and message when they are known."""
        self._call = call
        self._where = where
        self._clock = clock
        self._opening = Retries(not_taken, timeouts.repeat, MOST_REPEATS, clock)
        self._resuming = Retries(lost, timeouts.resume, clock=clock)
        self._reader = TurnReader()
        self._reader.last_id = call.headers.get("Last-Event-ID", "")  # the gateway's to judge
        self._started = "Last-Event-ID" in call.headers  # no event `start` is waited for
        self._begun = False  # from here on the turn is only asked for
        self._opened_at: float | None = None
        self._moved = False  # whether the stream brought anything
        self._farewells = 0

    @property
    def over(self) -> bool:
        """Tells whether the turn was read to its end."""
        return self._reader.ended

    def call(self) -> Call[None]:
        """Returns the call for the stream to read next."""
        if not self._begun or self._where is None:
            return self._call
        return stream_message(*self._where, after=self._reader.last_id or None)

    def opened(self) -> None:
        """Takes note that there is a stream."""
        seen = self._reader.seen if self._begun else None
        self._reader = TurnReader(self._reader.last_id, seen)
        self._opened_at = self._clock()
        self._moved = False
        self._begun = self._where is not None

    def feed(self, chunk: bytes) -> Iterator[TurnEvent]:
        """Yields the events in `chunk` that were not there before."""
        for event in self._reader.feed(chunk):
            if isinstance(event, TurnStart):
                if self._started:
                    continue
                self._started = self._begun = True
                self._where = (event.chat_id, event.message_id)
            self._moved = True
            yield event

    def finish(self) -> None:
        """Raises GatewayUnreachable when the stream is over and the turn is not."""
        self._reader.finish()

    def wait_after(self, error: ParleyError) -> float:
        """Returns the seconds after which to ask again; raises `error` when that is no use."""
        if not self._begun:
            return self._opening.wait_after(error)
        opened_at, self._opened_at = self._opened_at, None
        steady = opened_at is not None and self._clock() - opened_at >= STEADY
        if steady or (opened_at is not None and self._moved):
            self._resuming.progressed()
            self._farewells = 0
        if error is self._reader.problem:
            self._part(self._reader.problem)
        return self._resuming.wait_after(error)

    def _part(self, said: ProblemError) -> None:
        """Raises what ended the stream unless it may be the gateway's end and not the turn's."""
        self._farewells += 1
        if said.reason not in NOT_NOW or self._farewells > MOST_FAREWELLS:
            raise said


def place_at(written: str) -> Position:
    """Returns the position that an id names, the start of the reply when there is no id."""
    try:
        return Position.parse(written) if written else Position()
    except ValueError as error:
        raise UnexpectedAnswer(str(error)) from error
