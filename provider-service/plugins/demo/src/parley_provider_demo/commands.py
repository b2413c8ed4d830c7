"""What a message may tell the demo provider to do: `/error 429`, `/slow`, `/cut 20` and so on."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from parley_provider_sdk import (
    AuthenticationFailed,
    BackendError,
    BackendTimeout,
    BackendUnreachable,
    BadRequest,
    BadResponse,
    ContentRefused,
    ContextTooLong,
    ModelNotFound,
    Overloaded,
    ProviderError,
    QuotaExhausted,
    RateLimited,
    ReplyRequest,
    TooLarge,
)

from parley_provider_demo.answers import HELP, answer, last_text, long_text, pieces, reasoning

RETRY_AFTER = 1.0
_COMMAND = re.compile(r"/(?P<name>[a-z]+)(?:\s(?P<rest>.*))?", re.DOTALL)
_NUMBER = re.compile(r"\d{1,7}(\.\d{1,3})?")
FAILURES: Mapping[str, type[ProviderError]] = MappingProxyType(
    {
        "400": BadRequest,
        "401": AuthenticationFailed,
        "402": QuotaExhausted,
        "404": ModelNotFound,
        "413": TooLarge,
        "422": ContextTooLong,
        "429": RateLimited,
        "500": BackendError,
        "503": Overloaded,
        "504": BackendTimeout,
        "529": Overloaded,
        "content_filtered": ContentRefused,
        "unreachable": BackendUnreachable,
        "bad_response": BadResponse,
    }
)
_BY_REASON = MappingProxyType({failure.reason: failure for failure in FAILURES.values()})


@dataclass(frozen=True, slots=True)
class Script:
    """How one reply goes."""

    words: Iterable[str] = ()
    reasoning: Iterable[str] = ()
    failure: ProviderError | None = None
    # Seconds before the first word, and between the first and the second.
    delay: float = 0.0
    hold: float = 0.0
    # Breaks off after so many words.
    cut: int | None = None


def script(request: ReplyRequest) -> Script:
    """Reads what the last message asks for; anything but a known command gets the plain answer."""
    command = _COMMAND.fullmatch(last_text(request))
    perform = _COMMANDS.get(command["name"]) if command else None
    if command and perform:
        return perform(request, command["rest"] or "")
    return _plain(request)


def _plain(request: ReplyRequest, delay: float = 0.0, cut: int | None = None) -> Script:
    thoughts = pieces(reasoning(request)) if request.model == "demo-reasoning" else ()
    return Script(pieces(answer(request)), thoughts, delay=delay, cut=cut)


def _error(_: ReplyRequest, rest: str) -> Script:
    name, __, seconds = rest.strip().partition(" ")
    failure = FAILURES.get(name) or _BY_REASON.get(name)
    if failure is None:
        return Script(pieces(HELP))
    retry_after = _number(seconds, RETRY_AFTER) if failure is RateLimited else None
    message = f"Demo failed with '{failure.reason}' because the message asked for it."
    return Script(failure=failure(message, retry_after=retry_after))


def _slow(request: ReplyRequest, rest: str) -> Script:
    return _plain(request, delay=_number(rest, 30))


def _hold(_: ReplyRequest, rest: str) -> Script:
    return Script(("Holding … ", "released."), hold=_number(rest, 2))


def _cut(request: ReplyRequest, rest: str) -> Script:
    return _plain(request, cut=int(_number(rest, 20)))


def _long(_: ReplyRequest, rest: str) -> Script:
    return Script(long_text(int(_number(rest, 5000))))


def _echo(_: ReplyRequest, rest: str) -> Script:
    return Script(pieces(rest))


def _help(_: ReplyRequest, __: str) -> Script:
    return Script(pieces(HELP))


def _number(text: str, default: float) -> float:
    text = text.strip()
    return float(text) if _NUMBER.fullmatch(text) else default


_COMMANDS: Mapping[str, Callable[[ReplyRequest, str], Script]] = MappingProxyType(
    {
        "cut": _cut,
        "echo": _echo,
        "error": _error,
        "help": _help,
        "hold": _hold,
        "long": _long,
        "slow": _slow,
    }
)
