"""A call of the gateway as a value: what to send, and how to read the answer."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Generic, TypedDict, TypeVar
from urllib.parse import quote

from parley_client import types
from parley_client.answers import Answer, refusal
from parley_client.decode import decode, decode_all

T = TypeVar("T")

OK = frozenset(range(200, 300))


@dataclass(frozen=True, slots=True)
class Call(Generic[T]):
    """One request, not sent yet."""

    method: str
    path: str
    read: Callable[[Answer], T]
    query: Mapping[str, str | int] = field(default_factory=dict)
    body: Mapping[str, Any] | None = field(default=None, repr=False)  # it may hold a key
    headers: Mapping[str, str] = field(default_factory=dict)
    expected: frozenset[int] = OK
    slow: bool = False  # a model has to think before the answer comes
    # Sending it twice does no more than sending it once; None: so it is when it reads.
    repeatable: bool | None = None
    patient: bool = False  # a turn hangs on it
    at_once: bool = False  # what it asks is how things are just now

    @property
    def may_repeat(self) -> bool:
        """Tells whether it may be sent again when nobody knows whether it arrived."""
        return self.method == "GET" if self.repeatable is None else self.repeatable

    def answered(self, answer: Answer) -> T:
        """Returns what the answer says, or raises what it refuses with."""
        if answer.status not in self.expected or answer.media_type == "application/problem+json":
            raise refusal(answer)
        return self.read(answer)

    def page_after(self, page: types.Page[Any]) -> "Call[T] | None":
        """Returns the call for the page after `page`, or None at the end of the list."""
        if page.next_page_token is None:
            return None
        return replace(self, query={**self.query, "page_token": page.next_page_token})


class Paging(TypedDict, total=False):
    """Which part of a list; sizes go from 1 to 100."""

    page_size: int
    page_token: str | None


def path(*parts: str) -> str:
    """Returns a path; no part can leave its place."""
    first, *rest = parts
    return "/".join((first, *(quote(part, safe="") for part in rest)))


def known(values: Mapping[str, Any]) -> dict[str, Any]:
    """Returns what is not None."""
    return {name: value for name, value in values.items() if value is not None}


def into(kind: type[T]) -> Callable[[Answer], T]:
    """Reads an object."""
    return lambda answer: decode(kind, answer.fields())


def list_of(kind: type[T], name: str) -> Callable[[Answer], tuple[T, ...]]:
    """Reads a list that stands whole in a field."""
    return lambda answer: decode_all(kind, answer.fields().get(name))


def page_of(kind: type[T], name: str) -> Callable[[Answer], types.Page[T]]:
    """Reads a page of a list."""
    return lambda answer: page(kind, name, answer.fields())


def page(kind: type[T], name: str, body: Mapping[str, Any]) -> types.Page[T]:
    """Reads a page of a list in a body that holds more."""
    return types.Page(decode_all(kind, body.get(name)), body.get("next_page_token"))


def nothing(_: Answer) -> None:
    """Reads nothing: the answer has no body."""
    return
