"""What comes back over the wire, read: a body, a refusal, or a stream of a turn's events."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from parley_client.decode import decode
from parley_client.errors import (
    FieldError,
    GatewayUnreachable,
    ParleyError,
    ProblemError,
    UnexpectedAnswer,
)
from parley_client.sse import EventParser, ServerSentEvent
from parley_client.types import ReasoningDelta, TextDelta, TurnEnd, TurnEvent, TurnStart

EVENTS: Mapping[str, type[TurnEvent]] = MappingProxyType(
    {"start": TurnStart, "delta": TextDelta, "reasoning": ReasoningDelta, "end": TurnEnd}
)


@dataclass(frozen=True, slots=True)
class Answer:
    """A status with its headers (names in lower case) and its body."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """Returns the body as JSON; raises UnexpectedAnswer when it is none."""
        try:
            return json.loads(self.body)
        except ValueError as error:
            raise UnexpectedAnswer(f"The answer ({self.status}) is no JSON.") from error

    def fields(self) -> dict[str, Any]:
        """Returns the body as a JSON object; raises UnexpectedAnswer when it is none."""
        body = self.json()
        if not isinstance(body, dict):
            raise UnexpectedAnswer(f"The answer ({self.status}) is no JSON object.")
        return body

    @property
    def media_type(self) -> str:
        """The content type without its parameters."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()


def refusal(answer: Answer) -> ParleyError:
    """Returns the error that an answer means which is not the one asked for."""
    if answer.media_type == "application/problem+json":
        return problem(answer.json(), answer.headers)
    return UnexpectedAnswer(
        f"Status {answer.status} ({answer.media_type or 'no content type'}) is no answer of a"
        " gateway. Is the address right, and is nothing in between?"
    )


def problem(document: Any, headers: Mapping[str, str] | None = None) -> ProblemError:
    """Returns a problem document as an error; what it lacks is left empty."""
    headers = headers or {}
    document = document if isinstance(document, dict) else {}
    status = document.get("status")
    error = ProblemError(
        status=status if isinstance(status, int) else 500,
        reason=str(document.get("reason") or "unknown"),
        detail=str(document.get("detail") or document.get("title") or ""),
    )
    error.title = str(document.get("title") or "")
    error.retryable = document.get("retryable") is True
    error.retry_after = _seconds(headers.get("retry-after"))
    error.request_id = document.get("instance") or headers.get("x-request-id")
    metadata = document.get("metadata")
    if isinstance(metadata, dict):
        error.metadata = MappingProxyType({str(k): str(v) for k, v in metadata.items()})
    error.errors = tuple(
        FieldError(str(item.get("pointer", "")), str(item.get("detail", "")))
        for item in document.get("errors") or ()
        if isinstance(item, dict)
    )
    return error


def _seconds(value: str | None) -> float | None:
    return float(value) if value and value.isdecimal() else None


class TurnReader:
    """Reads the stream of one turn."""

    def __init__(self) -> None:
        self._parser = EventParser()
        self.ended = False

    def feed(self, chunk: bytes) -> Iterator[TurnEvent]:
        """Yields the events in `chunk`; raises ProblemError when the turn failed."""
        for raw in self._parser.feed(chunk):
            event = self._read(raw)
            if event is not None:
                self.ended = isinstance(event, TurnEnd)
                yield event

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
            raise problem(data)
        return decode(EVENTS[raw.name], data)
