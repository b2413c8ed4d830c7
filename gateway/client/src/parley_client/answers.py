"""What comes back over the wire, read: a body, or a refusal."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from parley_client.errors import FieldError, ParleyError, ProblemError, UnexpectedAnswer


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
        " gateway. Is the address right, and is nothing in between?",
        answer.status,
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
