"""Probabilities come behind the text that they belong to, each once, however they arrive."""

from typing import Any

import pytest
from parley_provider_sdk import (
    Finished,
    FinishReason,
    Logprobs,
    Message,
    ReasoningDelta,
    ReplyEvent,
    ReplyRequest,
    Role,
    TextDelta,
    TextPart,
    TokenLogprob,
    Usage,
    UsageUpdate,
)
from parley_provider_sdk.reading import LineCutter, Reading
from typing_extensions import override

pytestmark = pytest.mark.unit

REQUEST = ReplyRequest("m", [Message(Role.USER, [TextPart("Hi")])])


def token(text: str) -> TokenLogprob:
    return TokenLogprob(text, -0.5)


class Letters(Reading):
    """Reads lines: `t` text, `p` a probability, `r` reasoning, `u` usage, `.` the end."""

    @override
    def read(self, event: bytes) -> None:
        kind, text = event[:1], event[1:].decode()
        if kind == b"t":
            self.say(text)
        elif kind == b"p":
            self.weigh([token(text)])
        elif kind == b"r":
            self.think(text)
        elif kind == b"u":
            self.usage = Usage(1, int(text))
        else:
            self.stop_sequence = text
            self.done = True

    @override
    def reason(self) -> FinishReason | None:
        return FinishReason.STOP


def read(*lines: str, at_once: bool) -> list[ReplyEvent]:
    reading = Letters(REQUEST, LineCutter())
    events: list[ReplyEvent] = []
    for chunk in ["\n".join([*lines, ""])] if at_once else [f"{line}\n" for line in lines]:
        reading.feed(chunk.encode())
        events += reading.take()
    reading.feed_end()
    return [*events, *reading.take(), reading.end()]


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (("ta", "pa", "tb", "pb", "."), [TextDelta("ab"), Logprobs((token("a"), token("b")))]),
        # Half a character is a token without a text of its own.
        (("ta", "pa", "p\ufffd", "tb", "pb"), "a b"),
        (("rthought", "ta", "pa", "u3", "tb", "pb", "."), "a b"),
        (("p1", "ra", "tb", "."), "1"),
        # What is left over comes at the end, whether it is marked or not.
        (("ta", "pa", "pb", "."), "a b"),
        (("ta", "pa", "pb"), "a b"),
    ],
)
@pytest.mark.parametrize("at_once", [True, False])
def test_they_follow_their_text(lines: tuple[str, ...], expected: Any, at_once: bool) -> None:
    events = read(*lines, at_once=at_once)
    said = [line[1:] for line in lines if line.startswith("t")]
    weighed = [line[1:] for line in lines if line.startswith("p")]
    told = [one for event in events if isinstance(event, Logprobs) for one in event.tokens]
    assert [one.token for one in told] == weighed
    assert "".join(e.text for e in events if isinstance(e, TextDelta)) == "".join(said)
    first_text = next(at for at, e in enumerate(events) if isinstance(e, TextDelta))
    first_told = next(at for at, e in enumerate(events) if isinstance(e, Logprobs))
    assert first_text < first_told
    if at_once and isinstance(expected, list):
        assert events[:-1] == expected


def test_they_stay_behind_their_text_when_it_is_counted() -> None:
    assert read("ta", "pa", "u3", "rb", "u4", ".", at_once=True) == [
        TextDelta("a"),
        Logprobs((token("a"),)),
        UsageUpdate(Usage(1, 3)),
        ReasoningDelta("b"),
        Finished(FinishReason.STOP, Usage(1, 4)),
    ]


def test_the_stop_that_was_met_is_told_at_the_end() -> None:
    assert read("ta", "u3", ".END", at_once=True)[-1] == Finished(
        FinishReason.STOP, Usage(1, 3), "END"
    )
