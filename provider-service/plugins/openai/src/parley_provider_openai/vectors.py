"""Pure functions between texts and vectors, and the vendor's `/embeddings`."""

from __future__ import annotations

import struct
from base64 import b64decode
from collections.abc import Sequence
from operator import itemgetter

import orjson
from parley_provider_sdk import Embeddings
from parley_provider_sdk.embedding import counted, vector
from parley_provider_sdk.failures import bad_response

from parley_provider_openai.wire import given, parsed, sendable

# So many at a time, well below what the vendor takes, so that no answer is too long to be read.
TEXTS = 128
SECONDS = 60.0


def encode(model: str, texts: Sequence[str], dimensions: int | None) -> bytes:
    """Returns the body to send. Raises BadRequest for what is not Unicode."""
    fields = {"model": model, "input": texts, "dimensions": dimensions}
    with sendable():
        return orjson.dumps(given({**fields, "encoding_format": "base64"}))


def read(body: bytes) -> Embeddings:
    """Reads the answer. Raises BadResponse when it is none."""
    try:
        answer = parsed(body)
        rows = sorted(answer["data"], key=itemgetter("index"))
        if [row["index"] for row in rows] != list(range(len(rows))):
            raise bad_response()
        usage = counted((answer.get("usage") or {}).get("prompt_tokens"))
        vectors = [_vector(row["embedding"]) for row in rows]
    except (AttributeError, LookupError, TypeError, ValueError, struct.error):
        raise bad_response() from None
    return Embeddings(vectors, usage)


def _vector(value: object) -> list[float]:
    """Reads numbers of four bytes; compatible servers may send them as JSON all the same."""
    if isinstance(value, str):
        raw = b64decode(value, validate=True)
        return vector(list(struct.unpack(f"<{len(raw) // 4}f", raw)))
    return vector(value)
