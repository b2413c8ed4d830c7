"""The rules that requests keep, by table."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Any

import pytest
from parley_chat_service.core.digests import body_hash
from parley_chat_service.core.model import Attachment, AttachmentInfo, Choice
from parley_chat_service.core.rules import check_send, page_size
from parley_chat_service.core.turn import Send
from parley_rpc.faults import InvalidArgument

pytestmark = pytest.mark.unit

LONGEST = 20


def file(data: bytes = b"x", media_type: str = "image/png", name: str = "") -> Attachment:
    digest = hashlib.sha256(data).hexdigest()
    return Attachment(AttachmentInfo(name, media_type, len(data), digest), data)


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"content": "x" * LONGEST},
        {"content": "\u200b"},
        {"chat_id": "A-z_9" * 10},
        {"temperature": 0.0},
        {"temperature": 2.0},
        {"max_tokens": 1},
        {"idempotency_key": "!~" * 127},
        {"attachments": [file()] * 10},
        {"choice": Choice("p" * 200, "m" * 200)},
        {"fallbacks": [Choice("p" * 200, "m" * 200)] * 8},
        {"fallbacks": [Choice("p")]},
    ],
)
def test_a_good_send_is_taken(change: dict[str, Any]) -> None:
    check_send(replace(Send("Hi"), **change), LONGEST)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"content": ""}, "content"),
        ({"content": " \n\t\u3000"}, "content"),
        ({"content": "x" * (LONGEST + 1)}, "content"),
        ({"content": "a\0b"}, "content"),
        ({"chat_id": "x" * 51}, "chat_id"),
        ({"chat_id": "a b"}, "chat_id"),
        ({"chat_id": "ok\n"}, "chat_id"),
        ({"chat_id": "é"}, "chat_id"),
        ({"temperature": -0.1}, "temperature"),
        ({"temperature": 2.1}, "temperature"),
        ({"temperature": float("nan")}, "temperature"),
        ({"temperature": float("inf")}, "temperature"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"max_tokens": -1}, "max_tokens"),
        ({"choice": Choice("p" * 201)}, "provider"),
        ({"choice": Choice("p", "\0")}, "model"),
        ({"prompt_id": "x" * 201}, "system_prompt_id"),
        ({"idempotency_key": "k" * 256}, "idempotency_key"),
        ({"idempotency_key": "a b"}, "idempotency_key"),
        ({"idempotency_key": "é"}, "idempotency_key"),
        ({"attachments": [file()] * 11}, "attachments"),
        ({"attachments": [file(), file(b"")]}, "attachments[1].data"),
        ({"attachments": [file(bytes(20_000_001))]}, "attachments[0].data"),
        ({"attachments": [file(bytes(13_000_000))] * 2}, "attachments"),
        ({"attachments": [file(media_type="image/svg+xml")]}, "attachments[0].media_type"),
        ({"attachments": [file(name="\0")]}, "attachments[0].name"),
        ({"fallbacks": [Choice("p")] * 9}, "fallbacks"),
        ({"fallbacks": [Choice("", "m")]}, "fallbacks[0].provider"),
        ({"fallbacks": [Choice("p" * 201)]}, "fallbacks[0].provider"),
        ({"fallbacks": [Choice("p"), Choice("p\0")]}, "fallbacks[1].provider"),
        ({"fallbacks": [Choice("p", "m" * 201)]}, "fallbacks[0].model"),
        ({"fallbacks": [Choice("p"), Choice("p", "\0")]}, "fallbacks[1].model"),
    ],
)
def test_a_bad_send_is_refused_by_field(change: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidArgument) as raised:
        check_send(replace(Send("Hi"), **change), LONGEST)

    assert [field] == [violation.field for violation in raised.value.violations]


@pytest.mark.parametrize(("asked", "given"), [(0, 20), (1, 1), (100, 100)])
def test_a_page_has_a_size(asked: int, given: int) -> None:
    assert given == page_size(asked)


@pytest.mark.parametrize("asked", [-1, 101, 10**9])
def test_a_page_has_a_sane_size(asked: int) -> None:
    with pytest.raises(InvalidArgument):
        page_size(asked)


def test_equal_bodies_have_equal_hashes_and_others_have_others() -> None:
    sends = [
        Send("ab", "c"),
        Send("a", "bc"),
        Send("ab", "c", Choice("p")),
        Send("ab", "c", Choice("", "p")),
        Send("ab", "c", temperature=0.0),
        Send("ab", "c", max_tokens=1),
        Send("ab", "c", prompt_id="p"),
        Send("ab", "c", attachments=[file()]),
        Send("ab", "c", attachments=[file(name="n")]),
        Send("ab", "c", fallbacks=[Choice("p")]),
        Send("ab", "c", fallbacks=[Choice("p", "q")]),
        Send("ab", "c", fallbacks=[Choice("q"), Choice("p")]),
        Send("ab", "c", fallbacks=[Choice("p"), Choice("q")]),
        Send("ab", "c", attachments=[file()], fallbacks=[Choice("p")]),
    ]

    assert len(sends) == len({body_hash(send) for send in sends})
    same = replace(sends[0], idempotency_key="other", watched=False)
    assert body_hash(sends[0]) == body_hash(same)


def test_a_key_of_the_release_before_still_stands_for_its_body() -> None:
    """The digest that the release without fallbacks stored for this body."""
    info = AttachmentInfo("cat.png", "image/png", 3, "ab" * 32)
    send = Send("Hi", "c", Choice("p", "m"), 0.5, 9, "s", [Attachment(info, b"abc")], "k")

    stored = "e20716199262d999771c26cc90483a2d6bdd54b62bf1e4fca488be080deb6e61"
    assert stored == body_hash(send).hex()
