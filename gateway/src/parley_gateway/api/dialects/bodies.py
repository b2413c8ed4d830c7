"""Bodies of dialects: what we know of them by type, and what we do not know by name."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from typing import Any, NoReturn, TypeVar

import msgspec
from parley_rpc.faults import InvalidArgument

from parley_gateway.core.faults import MalformedBody

Body = TypeVar("Body", bound=msgspec.Struct)
# How msgspec says where something is wrong.
PLACE = re.compile(r" - at `\$\.?(?:\.\.\.)?(.*)`$")


def decode(body: bytes, struct: type[Body]) -> tuple[Body, dict[str, Any]]:
    """Read a body: what its type knows, and the fields that it does not.

    A type that forbids unknown fields is read at once where there are none, which costs less; it
    is read as any other where there are some. MalformedBody, InvalidArgument.
    """
    if struct.__struct_config__.forbid_unknown_fields:
        with json(), contextlib.suppress(msgspec.ValidationError):
            return msgspec.json.decode(body, type=struct), {}
    with json():
        fields = msgspec.json.decode(body)
    names = frozenset(struct.__struct_encode_fields__)
    unknown: dict[str, Any] = {}
    if isinstance(fields, dict):
        unknown = {name: value for name, value in fields.items() if name not in names}
        fields = {name: value for name, value in fields.items() if name in names}
    try:
        return msgspec.convert(fields, struct), unknown
    except msgspec.ValidationError as error:
        refuse(str(error))


@contextlib.contextmanager
def json() -> Iterator[None]:
    """Refuse what is not JSON; MalformedBody."""
    try:
        yield
    except msgspec.ValidationError:
        raise
    except RecursionError:
        raise MalformedBody("The body is nested too deep.") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise MalformedBody(f"The body is not JSON: {error}") from None


def refuse(sentence: str) -> NoReturn:
    """Refuse what breaks the type of a body, and name the place."""
    found = PLACE.search(sentence)
    place = found[1] if found else ""
    raise InvalidArgument.of(place, PLACE.sub("", sentence))
