"""Titles of chats, by table."""

from __future__ import annotations

import pytest
from parley_chat_service.core.titles import folded, title_of

pytestmark = pytest.mark.unit

FAMILY = "👨\u200d👩\u200d👧"


@pytest.mark.parametrize(
    ("content", "title"),
    [
        ("Hello", "Hello"),
        ("  One\n\ttwo  three ", "One two three"),
        ("x" * 80, "x" * 80),
        ("x" * 81, "x" * 79 + "…"),
        ("word " * 40, ("word " * 16)[:79].rstrip() + "…"),
        ("x" * 78 + "e\u0301" + "x" * 9, "x" * 78 + "…"),
        ("x" * 77 + FAMILY + "x" * 9, "x" * 77 + "…"),
        ("x" * 78 + "👍🏽" + "x" * 9, "x" * 78 + "…"),
    ],
)
def test_a_title_is_the_first_line_that_fits(content: str, title: str) -> None:
    assert title == title_of(content)


def test_a_title_is_never_too_long_and_never_empty() -> None:
    for content in ("\u0301" * 300, FAMILY * 100, "漢" * 300):
        assert 1 <= len(title_of(content)) <= 80


@pytest.mark.parametrize(
    ("one", "other"), [("ÜBER", "über"), ("Straße", "STRASSE"), ("ﬁne", "FINE"), ("e\u0301", "É")]
)
def test_what_looks_alike_is_found_alike(one: str, other: str) -> None:
    assert folded(one) == folded(other)
