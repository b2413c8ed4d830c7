"""Pure functions between texts and vectors, and the vendor's `batchEmbedContents`."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import quote

import orjson
from parley_provider_sdk import BadRequest, Embeddings
from parley_provider_sdk.embedding import counted, vector
from parley_provider_sdk.failures import bad_response

from parley_provider_google.translate import API, resource

# So many at a time as the vendor takes.
TEXTS = 100
SECONDS = 60.0


def path(model: str) -> str:
    """Returns where vectors are asked for; a model's name cannot lead elsewhere."""
    kind, _, name = resource(model).partition("/")
    return f"/{API}/{kind}/{quote(name, safe='')}:batchEmbedContents"


def encode(model: str, texts: Sequence[str], dimensions: int | None) -> bytes:
    """Returns the body to send: a content for each text. Raises BadRequest."""
    size = {} if dimensions is None else {"outputDimensionality": dimensions}
    name = resource(model)
    requests = [{"model": name, "content": {"parts": [{"text": text}]}, **size} for text in texts]
    try:
        return orjson.dumps({"requests": requests})
    except orjson.JSONEncodeError:
        raise BadRequest("The request holds text that is not Unicode.") from None


def read(body: bytes) -> Embeddings:
    """Reads the answer. Raises BadResponse when it is none."""
    try:
        answer = orjson.loads(body)
        vectors = [vector(row["values"]) for row in answer["embeddings"]]
        usage = counted((answer.get("usageMetadata") or {}).get("promptTokenCount"))
    except (AttributeError, LookupError, TypeError, ValueError):
        raise bad_response() from None
    return Embeddings(vectors, usage)
