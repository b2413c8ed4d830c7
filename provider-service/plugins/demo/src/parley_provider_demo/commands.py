"""What a message may tell the demo provider to do: `/error 429`, `/slow`, `/cut 20` and so on."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
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
    Role,
    TooLarge,
    ToolCallPart,
    ToolMode,
)

from parley_provider_demo.answers import HELP, answer, last_text, long_text, pieces, reasoning
from parley_provider_demo.documents import document

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
    # Tools that are called after the words.
    calls: Sequence[ToolCallPart] = ()
    failure: ProviderError | None = None
    # What happens after the words instead of the end.
    breaks: ProviderError | None = None
    # Seconds before the first word, and between the first and the second.
    delay: float = 0.0
    hold: float = 0.0


def script(request: ReplyRequest) -> Script:
    """Reads what the last message asks for; anything but a known command gets the plain answer."""
    # What tools answer is no command, whatever the user said before.
    is_answered = bool(request.messages) and request.messages[-1].role is Role.TOOL
    command = None if is_answered else _COMMAND.fullmatch(last_text(request))
    perform = _COMMANDS.get(command["name"]) if command else None
    if command and perform:
        return perform(request, command["rest"] or "")
    return _plain(request) if is_answered else _obliged(request)


def _plain(request: ReplyRequest, delay: float = 0.0) -> Script:
    thoughts = pieces(reasoning(request)) if request.model == "demo-reasoning" else ()
    text = answer(request) if request.output is None else document(request.output.schema)
    return Script(pieces(text), thoughts, delay=delay)


def _obliged(request: ReplyRequest) -> Script:
    """Calls the tool that has to be called, where one has to; else it is the plain answer."""
    plain, choice = _plain(request), request.tool_choice
    if choice.mode not in (ToolMode.REQUIRED, ToolMode.NAMED):
        return plain
    tool = next((one for one in request.tools if choice.name in ("", one.name)), None)
    if tool is None:
        return plain
    call = ToolCallPart("call-1", tool.name, document(tool.parameters))
    return replace(plain, words=(), calls=[call])


def _error(_: ReplyRequest, rest: str) -> Script:
    name, __, seconds = rest.strip().partition(" ")
    failure = _failure(name, _number(seconds, RETRY_AFTER))
    return Script(failure=failure) if failure else Script(pieces(HELP))


def _break(_: ReplyRequest, rest: str) -> Script:
    name, __, text = rest.partition(" ")
    failure = _failure(name, RETRY_AFTER)
    return Script(pieces(text), breaks=failure) if failure else Script(pieces(HELP))


def _failure(name: str, retry_after: float) -> ProviderError | None:
    failure = FAILURES.get(name) or _BY_REASON.get(name)
    if failure is None:
        return None
    message = f"Demo failed with '{failure.reason}' because the message asked for it."
    return failure(message, retry_after=retry_after if failure is RateLimited else None)


def _slow(request: ReplyRequest, rest: str) -> Script:
    return _plain(request, delay=_number(rest, 30))


def _hold(_: ReplyRequest, rest: str) -> Script:
    return Script(("Holding … ", "released."), hold=_number(rest, 2))


def _cut(request: ReplyRequest, rest: str) -> Script:
    plain, words = _plain(request), int(_number(rest, 20))
    broken = BadResponse(f"Demo broke off after {words} words, as it was asked to.")
    return replace(plain, words=islice(plain.words, words), breaks=broken)


def _think(_: ReplyRequest, rest: str) -> Script:
    thoughts, __, text = rest.partition("\n")
    return Script(pieces(text), pieces(thoughts))


def _call(request: ReplyRequest, rest: str) -> Script:
    if request.tool_choice.mode is ToolMode.NONE:
        return _plain(request)
    calls = []
    for number, line in enumerate(rest.strip().splitlines(), start=1):
        name, __, arguments = line.partition(" ")
        calls.append(ToolCallPart(f"call-{number}", name, arguments or "{}"))
    if request.parallel_tool_calls is False:
        calls = calls[:1]
    return Script(calls=calls) if calls else Script(pieces(HELP))


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
        "break": _break,
        "call": _call,
        "cut": _cut,
        "echo": _echo,
        "error": _error,
        "help": _help,
        "hold": _hold,
        "long": _long,
        "slow": _slow,
        "think": _think,
    }
)
