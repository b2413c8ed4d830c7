"""No chat is cut unseen, and no model gets more memory than its chats need."""

from typing import Any

import pytest
from parley_provider_ollama.context import LEAST, Windows, least_tokens, most_tokens
from parley_provider_ollama.models import Details
from parley_provider_sdk import (
    ContextTooLong,
    ImagePart,
    Message,
    Part,
    ReasoningPart,
    ReplyRequest,
    Role,
    TextPart,
    Tool,
    ToolCallPart,
    ToolResultPart,
)

pytestmark = pytest.mark.unit

LARGE = Details(131072)
# As texts have them: a token for four characters and a half.
ENGLISH = "The quick brown fox jumps over the lazy dog, and then it sleeps in the sun. "


def ask(text: str = "Hi", **changes: Any) -> ReplyRequest:
    return ReplyRequest("m", [Message(Role.USER, [TextPart(text)])], **changes)


def test_a_short_chat_gets_the_least_context() -> None:
    assert LEAST == Windows().fit(ask(), LARGE)


def test_a_context_grows_with_the_chat_and_never_shrinks() -> None:
    windows = Windows()
    sizes = [windows.fit(ask("x" * length), LARGE) for length in (3, 30_000, 90_000, 3)]
    assert [LEAST, 16384, 32768, 32768] == sizes


def test_a_context_holds_the_reply_that_is_asked_for() -> None:
    assert 65536 == Windows().fit(ask(max_tokens=60_000), LARGE)


def test_each_model_has_a_context_of_its_own() -> None:
    windows = Windows()
    windows.fit(ask("x" * 90_000), LARGE)
    other, same = (ReplyRequest(name, ask().messages) for name in ("n", "M"))
    assert [LEAST, 32768] == [windows.fit(one, LARGE) for one in (other, same)]


@pytest.mark.parametrize(
    ("cap", "details", "size"),
    [
        (0, Details(2048), 2048),
        (0, Details(131072, 4096), 4096),
        (0, Details(2048, 4096), 2048),
        (6000, Details(), 6000),
        (6000, LARGE, 6000),
        (6000, Details(131072, 4096), 4096),
        (0, Details(), LEAST),
    ],
)
def test_a_context_is_never_larger_than_all_allow(cap: int, details: Details, size: int) -> None:
    assert size == Windows(cap).fit(ask(), details)


def test_what_surely_does_not_fit_is_refused_with_both_counts() -> None:
    with pytest.raises(ContextTooLong, match=r"10001 tokens or more.* holds 2048") as caught:
        Windows().fit(ask("x" * 60_001), Details(2048))
    assert not caught.value.retryable


@pytest.mark.parametrize("cap", [2048, 4096])
def test_what_may_fit_is_not_refused(cap: int) -> None:
    text = (ENGLISH * 1000)[: int(cap * 4.5)]
    assert cap == Windows(cap).fit(ask(text), LARGE)
    with pytest.raises(ContextTooLong):
        Windows(cap).fit(ask(text * 2), LARGE)


def test_a_model_of_which_nothing_is_known_refuses_nothing_and_is_not_remembered() -> None:
    windows = Windows()
    assert 1 << 20 == windows.fit(ask("x" * 9_000_000), Details())
    assert LEAST == windows.fit(ask(), Details())


def test_a_refusal_widens_the_context_while_there_is_room() -> None:
    windows = Windows()
    assert windows.widen("m", LEAST, LARGE)
    assert 32768 == windows.fit(ask(), LARGE)
    assert windows.widen("m", 32768, LARGE)
    assert 131072 == windows.fit(ask(), LARGE)
    assert not windows.widen("m", 131072, LARGE)


def test_a_late_refusal_does_not_narrow_it() -> None:
    windows = Windows()
    windows.fit(ask("x" * 300_000), LARGE)
    assert windows.widen("m", LEAST, LARGE)
    assert 131072 == windows.fit(ask(), LARGE)


def test_no_refusal_widens_what_somebody_has_set() -> None:
    assert not Windows(4096).widen("m", 4096, LARGE)
    assert not Windows().widen("m", 4096, Details(131072, 4096))


def test_a_model_of_which_nothing_is_known_is_widened_too() -> None:
    windows = Windows()
    assert windows.widen("m", LEAST, Details())
    assert 32768 == windows.fit(ask(), LARGE)
    assert not windows.widen("m", 1 << 20, Details())


def test_all_that_the_model_reads_is_counted() -> None:
    parts: list[Part] = [
        TextPart("x" * 6),
        ToolCallPart("c", "add", "x" * 6),
        ToolResultPart("c", "x" * 6),
        ReasoningPart("x" * 6),
        ImagePart("image/png", b"x" * 6),
    ]
    tools = [Tool("t", "x" * 3, "x" * 3)]
    request = ReplyRequest(
        "m", [Message(Role.USER, parts)], system="x" * 6, tools=tools, max_tokens=100
    )
    assert 5 == least_tokens(request)
    assert 13 + 1024 + 2 * 16 + 100 == most_tokens(request)


def test_bytes_count_where_characters_are_dense() -> None:
    assert 1 == least_tokens(ask("世界"))
    assert 2 == most_tokens(ask("世界", max_tokens=0)) - 2 * 16
    # No text at all; it is refused later, as what it is.
    assert 1 == most_tokens(ask("\ud800", max_tokens=0)) - 2 * 16
