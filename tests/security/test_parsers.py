"""What reads the bytes of strangers, given anything: it answers, or refuses in its own words."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from parley_client.sse import EventParser
from parley_gateway.api import convert, replies
from parley_gateway.api.bodies import parse
from parley_gateway.api.credential import LONGEST_TOKEN, credential
from parley_gateway.api.middleware import SANE_REQUEST_ID, request_id_of
from parley_gateway.core.faults import MalformedBody
from parley_gateway.core.keys import ALPHABET, LENGTH, is_key_id, key_id_of, new_token
from parley_provider_service.core.addresses import check_address
from parley_rpc.faults import InvalidArgument, Unauthenticated

pytestmark = pytest.mark.unit

FEW = settings(deadline=None, max_examples=300, derandomize=True)
HEADERS = st.lists(
    st.tuples(
        st.sampled_from([b"authorization", b"x-api-key", b"cookie"]),
        st.binary(max_size=60)
        | st.binary(max_size=40).map(lambda value: b"Bearer " + value)
        | st.just(b"bearer " + b"x" * (LONGEST_TOKEN + 1)),
    ),
    max_size=4,
)
TOKEN = new_token()[1].encode()
# A key of ours with up to four letters mistyped, which the checksum is sure to notice.
SLIPS = st.builds(
    lambda start, put: TOKEN[:start] + put + TOKEN[start + len(put) :],
    st.integers(0, LENGTH - 4),
    st.text(alphabet=ALPHABET, min_size=1, max_size=4).map(str.encode),
)
LINES = st.lists(
    st.sampled_from(
        [b"data: x", b"data", b"event: a", b"id: 0.1", b"id: \0", b": c", b"", b"\xff", b"retry: 1"]
    )
    | st.binary(max_size=20),
    max_size=20,
)


@given(SLIPS)
@FEW
def test_a_mistyped_key_is_none_of_ours(token: bytes) -> None:
    assert (key_id_of(token) is None) == (token != TOKEN)


@given(st.binary(max_size=200) | st.binary(max_size=80).map(lambda rest: TOKEN[:11] + rest))
@FEW
def test_what_is_no_key_is_none_of_ours(token: bytes) -> None:
    assert key_id_of(token) is None


@given(HEADERS)
@FEW
def test_a_request_shows_one_key_or_none(headers: list[tuple[bytes, bytes]]) -> None:
    keys = [value for name, value in headers if name != b"cookie"]
    try:
        token, told = credential(headers), ""
    except Unauthenticated as refused:
        token, told = b"", refused.sentence

    assert bool(token) != bool(told)
    assert len(token) <= LONGEST_TOKEN
    assert token == token.strip()
    assert all(token in value for value in keys)
    assert keys or not token
    assert not any(value.decode("latin-1") in told for value in keys if len(value) > 8)


@given(st.binary(max_size=300) | st.text(max_size=100).map(lambda text: json.dumps(text).encode()))
@FEW
def test_a_body_is_json_or_refused(body: bytes) -> None:
    try:
        value: Any = parse(body)
    except (MalformedBody, InvalidArgument):
        return
    assert value == json.loads(body.decode())


@pytest.mark.parametrize("opening", [b"[", b'{"a":', b'[{"a":'])
def test_a_body_may_be_nested_as_deep_as_it_likes(opening: bytes) -> None:
    with pytest.raises(MalformedBody):
        parse(opening * 100_000)


@given(
    st.text(max_size=60)
    | st.binary(max_size=60).map(lambda place: base64.urlsafe_b64encode(place).decode())
    | st.text(max_size=40).map(lambda place: base64.urlsafe_b64encode(place.encode()).decode())
    | st.dates().map(lambda day: base64.urlsafe_b64encode(f"{day} {'a' * 12}".encode()).decode())
)
@FEW
def test_a_place_in_a_list_is_one_of_ours_or_refused(token: str) -> None:
    try:
        place = convert.place(token, is_key_id)
    except InvalidArgument:
        return
    assert (place is None) == (not token)
    assert place is None or convert.place(convert.page_token(place), is_key_id) == place


@given(st.binary(max_size=40))
@FEW
def test_a_position_in_a_stream_is_two_numbers_or_refused(value: bytes) -> None:
    try:
        position = replies.last_event_id({"headers": [(b"last-event-id", value)]})
    except InvalidArgument:
        return
    assert replies.POSITION.fullmatch(position)
    assert position.isascii()


@given(st.binary(max_size=120))
@FEW
def test_a_request_id_is_fit_for_a_log(value: bytes) -> None:
    assert SANE_REQUEST_ID.fullmatch(request_id_of([(b"x-request-id", value)]).encode())


@given(LINES, st.sampled_from([b"\n", b"\r\n", b"\r"]), st.integers(1, 7))
@FEW
def test_a_stream_reads_alike_however_it_is_cut(lines: list[bytes], end: bytes, size: int) -> None:
    stream = end.join([*lines, b"", b""])
    whole, parts = EventParser(), EventParser()

    at_once = list(whole.feed(stream))
    bit_by_bit = [
        event
        for start in range(0, len(stream), size)
        for event in parts.feed(stream[start : start + size])
    ]

    assert at_once == bit_by_bit


@given(st.text(max_size=80) | st.from_regex(r"https?://[^\s]{0,60}", fullmatch=True))
@FEW
def test_an_address_is_checked_or_refused(text: str) -> None:
    try:
        address = check_address(text, private=False)
    except InvalidArgument:
        return
    assert check_address(address, private=False) == address
    assert address.isascii()
