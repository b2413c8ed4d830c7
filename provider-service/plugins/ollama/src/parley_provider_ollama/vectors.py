"""Pure functions between texts and vectors, and Ollama's `/api/embed`."""

from __future__ import annotations

from collections.abc import Sequence

import orjson
from parley_provider_sdk import BadRequest, Embeddings
from parley_provider_sdk.embedding import counted, vector
from parley_provider_sdk.failures import bad_response

from parley_provider_ollama.models import parsed
from parley_provider_ollama.translate import JSON

# So many at a time, so that no answer is too long to be read.
TEXTS = 128


def encode(
    model: str, texts: Sequence[str], dimensions: int | None, keep_alive: str | int | None
) -> bytes:
    """Returns the body to send, which forbids to cut a text. Raises BadRequest."""
    body: JSON = {"model": model, "input": list(texts), "truncate": False}
    named = {"dimensions": dimensions, "keep_alive": keep_alive}
    try:
        return orjson.dumps(body | {name: one for name, one in named.items() if one is not None})
    except orjson.JSONEncodeError:
        raise BadRequest("The request holds text that is not Unicode.") from None


def read(body: bytes, dimensions: int | None) -> Embeddings:
    """Reads the answer. Raises BadResponse when it is none, BadRequest when it is too long.

    Servers that do not know `dimensions` make vectors of all numbers.
    """
    answer = parsed(body)
    rows = answer.get("embeddings")
    if not isinstance(rows, list):
        raise bad_response()
    vectors = [vector(row) for row in rows]
    if dimensions is not None and any(len(one) != dimensions for one in vectors):
        raise BadRequest("This Ollama makes no vectors of so many numbers.")
    return Embeddings(vectors, counted(answer.get("prompt_eval_count")))
