"""Turns many texts into vectors, so many at a time as a vendor takes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from parley_provider_sdk.failures import bad_response
from parley_provider_sdk.types import Embeddings, Usage

__all__ = ["counted", "in_batches", "vector"]


async def in_batches(
    texts: Sequence[str], size: int, ask: Callable[[Sequence[str]], Awaitable[Embeddings]]
) -> Embeddings:
    """Asks for `size` texts at a time, one after the other, and adds up what was counted.

    Raises what `ask` raises, and BadResponse when there is not one vector for each text.
    """
    vectors: list[Sequence[float]] = []
    counts: list[Usage | None] = []
    for start in range(0, len(texts), size):
        some = texts[start : start + size]
        made = await ask(some)
        if len(made.vectors) != len(some):
            raise bad_response()
        vectors += made.vectors
        counts.append(made.usage)
    known = [one.input_tokens for one in counts if one]
    is_counted = bool(known) and len(known) == len(counts)
    return Embeddings(vectors, Usage(sum(known), 0) if is_counted else None)


def counted(tokens: object) -> Usage | None:
    """Returns the count that JSON holds; None for what is none, as no text has no tokens."""
    return Usage(tokens, 0) if isinstance(tokens, int) and tokens > 0 else None


def vector(value: object) -> list[float]:
    """Returns the vector that JSON holds. Raises BadResponse for anything else."""
    if not (isinstance(value, list) and value and set(map(type, value)) <= {float, int}):
        raise bad_response()
    return value
