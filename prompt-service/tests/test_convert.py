"""Between the contract's messages and the core's values."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from parley_prompt_service.api.convert import from_token, owner_of, page_size, to_prompt, to_token
from parley_prompt_service.core.model import Position, Prompt
from parley_rpc.context import Caller
from parley_rpc.faults import InvalidArgument, Unauthenticated

pytestmark = pytest.mark.unit


def test_every_field_of_a_prompt_is_written() -> None:
    made, changed = datetime(2026, 11, 23, tzinfo=UTC), datetime(2026, 11, 24, 5, tzinfo=UTC)

    written = to_prompt(Prompt("pirate", "Pirate", "Arr.", "Talks.", 3, True, True, made, changed))

    fields = {field.name: value for field, value in written.ListFields()}
    assert (made, changed) == (
        fields.pop("created_at").ToDatetime(UTC),
        fields.pop("updated_at").ToDatetime(UTC),
    )
    assert {
        "prompt_id": "pirate",
        "name": "Pirate",
        "content": "Arr.",
        "description": "Talks.",
        "version": 3,
        "is_active": True,
        "shared": True,
    } == fields


@pytest.mark.parametrize("sort_name", ["pirate", "海賊", "a/b?c=d", "🏴" * 100])
def test_a_token_holds_its_place(sort_name: str) -> None:
    position = Position(sort_name, "pirate")

    assert position == from_token(to_token(position))


def test_no_place_is_no_token() -> None:
    assert "" == to_token(None)
    assert from_token("") is None


@pytest.mark.parametrize(
    "token", ["x", "!!!!", "é", "YQ==", "YQBiAGM=", "//79", to_token(Position("a", "b"))[:-1]]
)
def test_a_token_that_is_not_ours_is_refused(token: str) -> None:
    with pytest.raises(InvalidArgument, match="page_token"):
        from_token(token)


@pytest.mark.parametrize(("asked", "size"), [(0, 20), (1, 1), (100, 100)])
def test_a_page_size_of_zero_means_twenty(asked: int, size: int) -> None:
    assert size == page_size(asked)


@pytest.mark.parametrize("asked", [-1, 101, 2**31 - 1])
def test_a_page_size_out_of_range_is_refused(asked: int) -> None:
    with pytest.raises(InvalidArgument, match="page_size"):
        page_size(asked)


def test_a_user_who_is_no_uuid_is_refused() -> None:
    with pytest.raises(Unauthenticated):
        owner_of(Caller("ada", "key", b""))
