"""Bodies of dialects: what we know of them by type, and what we do not know by name.

What they hold beside is handed on and echoed as it came.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, NoReturn, TypeVar

import msgspec
import orjson
from parley_rpc.faults import InvalidArgument

from parley.provider.v1.reply_pb2 import GenerateReplyRequest
from parley_gateway.api.dialects.failures import Dialect
from parley_gateway.core.faults import MalformedBody

Body = TypeVar("Body", bound=msgspec.Struct)
# Each level of options is three of the contract's, of which a service reads a hundred.
DEEPEST_OPTIONS = 20
# How msgspec says where something is wrong.
PLACE = re.compile(r" - at `\$\.?(?:\.\.\.)?(.*)`$")


def decode(body: bytes, struct: type[Body]) -> tuple[Body, dict[str, Any]]:
    """Read a body: what its type knows, and the fields that it does not.

    A type that forbids unknown fields is read at once where there are none, which costs less; it
    is read as any other where there are some. MalformedBody, InvalidArgument.
    """
    if struct.__struct_config__.forbid_unknown_fields:
        with sound(), contextlib.suppress(msgspec.ValidationError):
            return msgspec.json.decode(body, type=struct), {}
    with sound():
        fields = msgspec.json.decode(body)
    names = frozenset(struct.__struct_encode_fields__)
    unknown: dict[str, Any] = {}
    if isinstance(fields, dict):
        unknown = {name: value for name, value in fields.items() if name not in names}
        fields = {name: value for name, value in fields.items() if name in names}
    with contextlib.suppress(msgspec.ValidationError):
        return msgspec.convert(fields, struct), unknown
    try:
        return msgspec.convert(whole(fields), struct), unknown
    except msgspec.ValidationError as error:
        refuse(str(error))


def whole(value: Any) -> Any:
    """Write whole numbers as such: `5.0` is an integer in JSON."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, dict):
        return {name: whole(inner) for name, inner in value.items()}
    return list(map(whole, value)) if isinstance(value, list) else value


@contextlib.contextmanager
def sound() -> Iterator[None]:
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


def hand_on(request: GenerateReplyRequest, options: Mapping[str, Any], dialect: Dialect) -> None:
    """Leave to the provider what only its vendor knows; InvalidArgument for what cannot be."""
    if not options:
        return
    if "" in options:
        raise InvalidArgument("A field of the body has no name.")
    for name, value in options.items():
        if depth_of(value) > DEEPEST_OPTIONS:
            raise InvalidArgument.of(name, "is nested too deep")
    try:
        request.provider_options.update(options)
    except OverflowError:
        raise InvalidArgument("The body holds a number that is too large.") from None
    request.options_dialect = dialect


def depth_of(value: object) -> int:
    """Return how deep JSON is nested; nothing for what holds nothing."""
    if not isinstance(value, dict | list):
        return 0
    inner = value.values() if isinstance(value, dict) else value
    return 1 + max(map(depth_of, inner), default=0)


def json_of(value: object) -> bytes:
    """Write what came as JSON as such; numbers may be larger than the fast writer takes."""
    try:
        return orjson.dumps(value)
    except orjson.JSONEncodeError:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
