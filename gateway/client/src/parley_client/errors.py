"""What can go wrong in a call.

ParleyError
├── GatewayUnreachable   nothing answered, or the answer broke off
├── ProblemError         the gateway refused or failed, and said why
└── UnexpectedAnswer     something answered that does not speak the gateway's language
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


class ParleyError(Exception):
    """Anything that this client raises of its own."""


class GatewayUnreachable(ParleyError):  # noqa: N818 - says what is the matter, like TimeoutError's kin
    """Nothing answered: refused, not found, too slow, or broken off in the middle.

    `waited` says that there was a connection, and no answer in time; `arrived` that the request
    may have come there; `retryable` that it may be another time.
    """

    def __init__(
        self, detail: str, *, waited: bool = False, arrived: bool = True, retryable: bool = True
    ) -> None:
        super().__init__(detail)
        self.waited = waited
        self.arrived = arrived
        self.retryable = retryable


class UnexpectedAnswer(ParleyError):  # noqa: N818 - same
    """What answered is no gateway, or a gateway that broke its contract.

    `status` is the answer's when it was that which nobody expected.
    """

    def __init__(self, detail: str, status: int | None = None) -> None:
        super().__init__(detail)
        self.status = status


@dataclass(frozen=True, slots=True)
class FieldError:
    """One field that breaks its rule: a JSON pointer and a sentence."""

    pointer: str
    detail: str


class ProblemError(ParleyError):
    """A problem document. Branch on `reason`; `detail` is for people."""

    def __init__(self, status: int, reason: str, detail: str) -> None:
        super().__init__(f"{reason} ({status}): {detail}")
        self.status = status
        self.reason = reason
        self.detail = detail
        self.title = ""
        self.retryable = False
        self.retry_after: float | None = None  # seconds
        self.request_id: str | None = None
        self.metadata: Mapping[str, str] = MappingProxyType({})
        self.errors: tuple[FieldError, ...] = ()
