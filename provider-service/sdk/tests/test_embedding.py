"""Many texts are asked about a few at a time, and what was counted is added up."""

from collections.abc import Sequence

import pytest
from parley_provider_sdk import BadResponse, Embeddings, Usage
from parley_provider_sdk.embedding import counted, in_batches, vector

pytestmark = pytest.mark.unit

TEXTS = ["a", "bb", "ccc", "dddd", "eeeee"]


async def test_batches_come_together_in_order() -> None:
    asked: list[list[str]] = []

    async def ask(texts: Sequence[str]) -> Embeddings:
        asked.append(list(texts))
        return Embeddings([[float(len(text))] for text in texts], Usage(len(texts), 0))

    made = await in_batches(TEXTS, 2, ask)
    assert asked == [["a", "bb"], ["ccc", "dddd"], ["eeeee"]]
    assert made == Embeddings([[1.0], [2.0], [3.0], [4.0], [5.0]], Usage(5, 0))


async def test_what_was_counted_in_part_is_not_counted() -> None:
    async def ask(texts: Sequence[str]) -> Embeddings:
        return Embeddings([[1.0]] * len(texts), Usage(1, 0) if "a" in texts else None)

    assert (await in_batches(TEXTS, 2, ask)).usage is None
    assert (await in_batches([], 2, ask)).usage is None


@pytest.mark.parametrize("count", [0, 1, 3])
async def test_one_vector_is_wanted_for_each_text(count: int) -> None:
    async def ask(_: Sequence[str]) -> Embeddings:
        return Embeddings([[1.0]] * count)

    with pytest.raises(BadResponse):
        await in_batches(TEXTS, 2, ask)


def test_a_vector_is_a_list_of_numbers() -> None:
    assert vector([1, 0.5]) == [1, 0.5]
    values: list[object] = [[], [True], ["1"], [None], {}, "x", None, [[1]]]
    for value in values:
        with pytest.raises(BadResponse):
            vector(value)


@pytest.mark.parametrize(
    ("tokens", "usage"), [(3, Usage(3, 0)), (0, None), (None, None), ("3", None), (-1, None)]
)
def test_a_count_is_one_or_none(tokens: object, usage: Usage | None) -> None:
    assert counted(tokens) == usage
