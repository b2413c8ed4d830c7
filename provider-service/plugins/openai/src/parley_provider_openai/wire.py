"""What both wires write and read alike."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeAlias

import orjson
from parley_provider_sdk import BadRequest, FilePart, ImagePart, TokenLogprob

JSON: TypeAlias = dict[str, Any]

# Ends the streams of `/chat/completions`; some proxies end those of `/responses` with it too.
DONE = b"[DONE]"
# Bytes from which on memory counts more than time: orjson takes fifteen times the text for a while.
_LARGE = 64 << 10


def parsed(text: bytes) -> Any:
    """Returns what JSON says. Raises ValueError when it is none."""
    # Half a character, which only escapes can spell, is let through by the other library.
    if len(text) < _LARGE or b"\\ud" in text or b"\\uD" in text:
        return orjson.loads(text)
    try:
        return json.loads(text.decode())
    except RecursionError:
        raise ValueError("It is nested too deeply.") from None


@contextmanager
def sendable() -> Iterator[None]:
    """Raises BadRequest for a body that is not Unicode or not JSON."""
    try:
        yield
    except (orjson.JSONEncodeError, orjson.JSONDecodeError):
        raise not_sendable() from None


def not_sendable() -> BadRequest:
    """Returns the error for a request that no body can hold."""
    return BadRequest("The request holds text that is not Unicode, or no JSON.")


def given(fields: Mapping[str, Any]) -> JSON:
    """Returns the fields that have a value: what is not asked for is not sent."""
    return {name: value for name, value in fields.items() if value is not None}


def address(part: ImagePart | FilePart) -> str:
    """Returns where the bytes are: their own address, or a URL that holds them."""
    if part.url:
        return part.url
    return f"data:{part.media_type};base64,{b64encode(part.data).decode()}"


def token(said: Mapping[str, Any]) -> TokenLogprob:
    """Reads the probability of a token. Raises what a wrong shape raises."""
    return TokenLogprob(
        said["token"],
        float(said["logprob"]),
        bytes(said.get("bytes") or ()),
        tuple(token(one) for one in said.get("top_logprobs") or ()),
    )


def count(counts: object, name: str) -> int:
    """Servers leave counts out or send null; what is not a count is 0."""
    number = counts.get(name) if isinstance(counts, Mapping) else None
    return number if isinstance(number, int) and number > 0 else 0
