"""Bodies: read within bounds, and JSON or refused."""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import Any, NoReturn

from parley_rpc.faults import InvalidArgument, Violation
from starlette.types import Message, Receive, Scope

from parley_gateway.api.middleware import exchange_of, header
from parley_gateway.core.faults import BodyTooLarge, EncodedBody, MalformedBody, SlowBody

MOST_BYTES = 8 * 1024 * 1024
MOST_FIELDS = 100
MOST_ENCODING = 50
READ_WITHIN_SECONDS = 30.0
# Of a body that is refused some is read and dropped: a client that is still sending would
# otherwise see the connection break instead of the answer. One that asked whether it may send
# (`Expect: 100-continue`) has not begun.
DROP_WITHIN_SECONDS = 2.0


async def read_body(scope: Scope, receive: Receive, within: float = READ_WITHIN_SECONDS) -> bytes:
    """Return the whole body; BodyTooLarge, EncodedBody, SlowBody, MalformedBody when it breaks off.

    Nothing is unpacked: a few bytes could become more than there is memory.
    """
    check_encoding(scope)
    length = header(scope, b"content-length") or b""
    declared = int(length) if length.isdigit() else 0
    chunks: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(within):
            more = declared <= MOST_BYTES
            while more and size <= MOST_BYTES:
                message = await receive()
                chunks.append(received(message))
                size += len(chunks[-1])
                more = message.get("more_body", False)
    except TimeoutError:
        close_afterwards(scope)
        raise SlowBody(within) from None
    if size > MOST_BYTES or declared > MOST_BYTES:
        close_afterwards(scope)
        if not header(scope, b"expect"):
            await drop_rest(receive)
        raise BodyTooLarge(MOST_BYTES)
    return b"".join(chunks)


def check_encoding(scope: Scope) -> None:
    """Refuse a body that is compressed; EncodedBody."""
    encoding = (header(scope, b"content-encoding") or b"").decode("latin-1").strip().lower()
    if encoding not in ("", "identity"):
        close_afterwards(scope)
        raise EncodedBody(encoding[:MOST_ENCODING])


def received(message: Message) -> bytes:
    """Return the part of a body in a message; MalformedBody when the client has left."""
    if message["type"] == "http.disconnect":
        raise MalformedBody("The body broke off.")
    part: bytes = message.get("body", b"")
    return part


async def drop_rest(receive: Receive) -> None:
    """Read and drop what is still coming, for a while."""
    with contextlib.suppress(TimeoutError, MalformedBody):
        async with asyncio.timeout(DROP_WITHIN_SECONDS):
            more = True
            while more:
                message = await receive()
                received(message)
                more = message.get("more_body", False)


def close_afterwards(scope: Scope) -> None:
    """Have the connection closed after the answer, for nobody knows what else comes on it."""
    exchange_of(scope).headers.append((b"connection", b"close"))


def parse(body: bytes) -> Any:
    """Parse JSON as the standard has it: UTF-8, no NaN; MalformedBody, InvalidArgument."""
    try:
        return json.loads(body.decode(), parse_constant=refuse, object_pairs_hook=fields)
    except RecursionError:
        raise MalformedBody("The body is nested too deep.") from None
    except ValueError as error:
        raise MalformedBody(f"The body is not JSON: {error}") from None


def fields(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Make an object; one with a million fields would take seconds to find fault with.

    Of a name that comes twice others may have read the first value where we read the last.
    """
    if len(pairs) > MOST_FIELDS:
        raise unfit(f"An object in the body has more than {MOST_FIELDS} fields.")
    made = dict(pairs)
    if len(made) < len(pairs):
        raise unfit("An object in the body names a field twice.")
    return made


def unfit(sentence: str) -> InvalidArgument:
    """Return the fault of a body as a whole."""
    return InvalidArgument(sentence, violations=[Violation("", sentence)])


def refuse(constant: str) -> NoReturn:
    """Refuse NaN and Infinity, which Python's parser would take."""
    raise ValueError(f"{constant} is no JSON value")
