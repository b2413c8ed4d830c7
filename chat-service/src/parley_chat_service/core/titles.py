"""The title that a chat gets from its first message."""

from __future__ import annotations

import unicodedata

LONGEST = 80
JOINER = "\u200d"


def title_of(content: str) -> str:
    """Return the beginning of a text as one line of at most 80 characters."""
    # More words than characters do not fit; the rest of a long text is not looked at.
    line = " ".join(content.split(maxsplit=LONGEST)[:LONGEST])
    if len(line) <= LONGEST:
        return line
    cut = LONGEST - 1
    while cut > 1 and belongs_to_the_one_before(line, cut):
        cut -= 1
    return line[:cut].rstrip() + "…"


def belongs_to_the_one_before(line: str, index: int) -> bool:
    """Say whether a cut here would part what people see as one character."""
    here, before = line[index], line[index - 1]
    joined = JOINER in (here, before)
    return joined or unicodedata.category(here) in {"Mn", "Mc", "Me", "Sk"}


def folded(text: str) -> str:
    """Return the form of a text in which what looks alike is equal, whatever its case."""
    return unicodedata.normalize("NFKC", text).casefold()
