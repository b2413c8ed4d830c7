"""What bodies of dialects hold, and how what only a vendor knows is handed on."""

from __future__ import annotations

from typing import Any

import msgspec
import orjson
import pytest
from parley_gateway.api.dialects.bodies import decode, hand_on, json_of
from parley_gateway.api.dialects.failures import Dialect
from parley_gateway.core.faults import MalformedBody
from parley_rpc.faults import InvalidArgument

from parley.provider.v1.reply_pb2 import GenerateReplyRequest

pytestmark = pytest.mark.unit


class Open(msgspec.Struct):
    """A body that may hold more."""

    most: int | None = None
    share: float | None = None


class Closed(Open, forbid_unknown_fields=True):
    """A body of which all fields are known."""


@pytest.mark.parametrize("struct", [Open, Closed])
def test_a_whole_number_may_be_written_with_a_point(struct: type[Open]) -> None:
    body, _ = decode(b'{"most": 5.0, "share": 1}', struct)

    assert (5, 1.0) == (body.most, body.share)


@pytest.mark.parametrize("struct", [Open, Closed])
def test_what_is_not_known_is_told_apart(struct: type[Open]) -> None:
    body, unknown = decode(b'{"most": 5, "odd": [1]}', struct)

    assert (5, {"odd": [1]}) == (body.most, unknown)


@pytest.mark.parametrize(
    ("body", "field"), [(b'{"most": 5.5}', "most"), (b'{"share": "1"}', "share"), (b"[]", "")]
)
def test_what_breaks_its_type_is_blamed_by_name(body: bytes, field: str) -> None:
    with pytest.raises(InvalidArgument) as told:
        decode(body, Open)

    assert field == told.value.violations[0].field


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"[" * 100_000, b'{"most": NaN}'])
def test_what_is_not_json_is_refused(body: bytes) -> None:
    with pytest.raises(MalformedBody):
        decode(body, Open)


def test_options_are_handed_on_with_their_dialect() -> None:
    request = GenerateReplyRequest()

    hand_on(request, {"odd": {"deep": [1, "two", None]}}, Dialect.OPENAI)

    assert "openai" == request.options_dialect
    assert [1, "two", None] == list(request.provider_options["odd"]["deep"])  # type: ignore[index,arg-type]


def test_without_options_nothing_is_handed_on() -> None:
    request = GenerateReplyRequest()

    hand_on(request, {}, Dialect.OPENAI)

    assert GenerateReplyRequest() == request


def deep(levels: int) -> Any:
    return [deep(levels - 1)] if levels else 1


@pytest.mark.parametrize("value", [deep(21), 10**400])
def test_options_that_no_message_holds_are_refused(value: Any) -> None:
    with pytest.raises(InvalidArgument):
        hand_on(GenerateReplyRequest(), {"odd": value}, Dialect.ANTHROPIC)


def test_a_field_without_a_name_is_no_option() -> None:
    with pytest.raises(InvalidArgument, match="no name"):
        hand_on(GenerateReplyRequest(), {"": 1}, Dialect.OPENAI)


@pytest.mark.parametrize("value", [{"a": [1, None, "ü"]}, {"most": 10**30}])
def test_json_is_written_whatever_its_numbers(value: Any) -> None:
    written = json_of(value)

    assert value == msgspec.json.decode(written)
    if value != {"most": 10**30}:
        assert orjson.dumps(value) == written
