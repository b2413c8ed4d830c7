"""Failures that a service reports on purpose; this module knows neither gRPC nor HTTP.

    Fault
      + InvalidArgument        a field breaks its rule
      + Unauthenticated        no valid credential
      + PermissionDenied       known, but may not
      |   x ScopeMissing
      + NotFound               no such thing, or not yours
      + AlreadyExists          the name is taken
      + Aborted                somebody else was at it
      + FailedPrecondition     not in this state
      + LimitExceeded          the caller's limit is reached
      + Unavailable            away for a while; trying again helps
      |   x DatabaseUnavailable
      |   x TooBusy
      + DeadlineExceeded       longer than the caller waits
      + Unimplemented          known, but not served
      + BadGateway             a peer outside failed or spoke nonsense
      + Internal               our own fault
      x RemoteFault            any of these, as another service reported it

The kinds (+) decide the code on the wire; a leaf's `reason` is what callers branch on. Each
reason stands in `error_reason.proto` and belongs to exactly one class.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class Violation:
    """One field that breaks its rule: its name in the contract, and the rule."""

    field: str
    description: str


class Fault(Exception):  # noqa: N818  (a fault is what the contracts call it)
    """A failure with a reason, a sentence for people, and metadata for programs.

    `metadata` repeats every changing part of the sentence as strings. `retry_after` is in
    seconds; None says nothing about when to come back.
    """

    reason: ClassVar[str] = ""

    def __init__(
        self,
        sentence: str,
        /,
        *,
        retry_after: float | None = None,
        violations: Sequence[Violation] = (),
        **metadata: object,
    ) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.retry_after = retry_after
        self.violations = tuple(violations)
        self.metadata: dict[str, str] = {name: str(value) for name, value in metadata.items()}


class InvalidArgument(Fault):
    """A field breaks its rule."""

    reason = "invalid_argument"

    @classmethod
    def of(cls, field: str, description: str) -> InvalidArgument:
        """Blame one field."""
        violation = Violation(field, description)
        return cls(f"{field}: {description}", violations=[violation], field=field)


class Unauthenticated(Fault):
    """The caller showed no valid credential."""

    reason = "unauthenticated"


class PermissionDenied(Fault):
    """The caller is known but may not do this."""

    reason = "permission_denied"


class ScopeMissing(PermissionDenied):
    """The key lacks the scope that this needs."""

    reason = "scope_missing"

    def __init__(self, scope: str, /) -> None:
        super().__init__(f"The key lacks the scope {scope}.", scope=scope)


class NotFound(Fault):
    """There is no such thing, or it belongs to somebody else."""


class AlreadyExists(Fault):
    """The name is taken."""


class Aborted(Fault):
    """Somebody else was at it; trying again may help."""


class FailedPrecondition(Fault):
    """The thing is not in the state that this needs."""


class LimitExceeded(Fault):
    """The caller's own limit is reached."""

    reason = "limit_exceeded"


class Unavailable(Fault):
    """A service is away or starting."""

    reason = "unavailable"


class DatabaseUnavailable(Unavailable):
    """The database is away."""

    reason = "database_unavailable"

    def __init__(self, sentence: str = "The database cannot be reached.", /) -> None:
        super().__init__(sentence, retry_after=1.0)


class TooBusy(Unavailable):
    """More is asked at once than the service takes on."""

    reason = "too_busy"


class DeadlineExceeded(Fault):
    """The call took longer than its deadline."""

    reason = "deadline_exceeded"


class Unimplemented(Fault):
    """The call is known but not served."""

    reason = "unimplemented"


class BadGateway(Fault):
    """A peer outside Parley failed, or spoke nonsense."""


class Internal(Fault):
    """A fault of Parley's own."""

    reason = "internal"


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a fault that came over the wire was raised: its kind, reason and domain."""

    kind: type[Fault]
    reason: str
    domain: str


class RemoteFault(Fault):
    """A fault that another service reported; it passes on unchanged."""

    def __init__(
        self,
        sentence: str,
        origin: Origin,
        *,
        retry_after: float | None = None,
        violations: Sequence[Violation] = (),
        metadata: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(sentence, retry_after=retry_after, violations=violations)
        self.origin = origin
        self.metadata = dict(metadata or {})


def reason_of(fault: Fault) -> str:
    """Return the reason as callers see it, wherever the fault was raised."""
    return fault.origin.reason if isinstance(fault, RemoteFault) else fault.reason


def kind_of(fault: Fault) -> type[Fault]:
    """Return the fault's class, or the kind it had where it was raised."""
    return fault.origin.kind if isinstance(fault, RemoteFault) else type(fault)
