"""What both wires read alike."""

import tracemalloc

import orjson
import pytest
from parley_provider_openai.wire import parsed

pytestmark = pytest.mark.unit

LONG = "世界 🚀 " * 50_000


@pytest.mark.parametrize("text", ["short", LONG, LONG + '\n"\\'])
def test_json_is_read_whatever_its_length(text: str) -> None:
    assert parsed(orjson.dumps({"text": text})) == {"text": text}


def test_escapes_are_read_in_long_texts_too() -> None:
    assert parsed(b'["\\ud83d\\ude80' + b"x" * 70_000 + b'"]') == ["🚀" + "x" * 70_000]


@pytest.mark.parametrize(
    "text",
    [
        b"{half",
        b"[" * 100_000,
        b'["' + b"x" * 70_000,
        b'["' + b"\xff" * 70_000 + b'"]',
        b'["\\ud83d' + b"x" * 70_000 + b'"]',
        b'["\\uD83D' + b"x" * 70_000 + b'"]',
    ],
)
def test_what_is_no_json_is_a_value_error(text: bytes) -> None:
    with pytest.raises(ValueError):
        parsed(text)


def test_a_large_text_takes_a_few_times_its_size_at_most() -> None:
    text = orjson.dumps(LONG)
    tracemalloc.start()
    parsed(text)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 8 * len(text)
