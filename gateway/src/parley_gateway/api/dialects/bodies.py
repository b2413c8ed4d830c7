"""Bodies of dialects: what we know of them by type, and what we do not know by name."""

from __future__ import annotations

import re
from typing import Any, NoReturn, TypeVar

import msgspec
from parley_rpc.faults import InvalidArgument

from parley_gateway.core.faults import MalformedBody

Body = TypeVar("Body", bound=msgspec.Struct)
# How msgspec says where something is wrong.
PLACE = re.compile(r" - at `\$\.?(?:\.\.\.)?(.*)`$")


def decode(body: bytes, struct: type[Body]) -> tuple[Body, dict[str, Any]]:
    """Read a body: what its type knows, and the fields that it does not.

    MalformedBody, InvalidArgument.
    """
    try:
        fields = msgspec.json.decode(body)
    except RecursionError:
        raise MalformedBody("The body is nested too deep.") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise MalformedBody(f"The body is not JSON: {error}") from None
    try:
        known = msgspec.convert(fields, struct)
    except msgspec.ValidationError as error:
        refuse(str(error))
    names = struct.__struct_encode_fields__
    return known, {name: value for name, value in fields.items() if name not in names}


def refuse(sentence: str) -> NoReturn:
    """Refuse what breaks the type of a body, and name the place."""
    found = PLACE.search(sentence)
    place = found[1] if found else ""
    raise InvalidArgument.of(place, PLACE.sub("", sentence))
