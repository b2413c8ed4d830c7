"""What becomes of the words of an answer: where they end, and how probable each pretends to be."""

from __future__ import annotations

import math
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

from parley_provider_sdk import ReplyRequest, TokenLogprob

from parley_provider_demo.answers import pieces


@dataclass(frozen=True, slots=True)
class Said:
    """The words that are said, and why there are no more."""

    words: Sequence[str]
    # The limit of tokens was met.
    is_cut: bool = False
    # The text of `stop` that was met.
    stop_sequence: str = ""

    @property
    def is_whole(self) -> bool:
        """Says that nothing was left out."""
        return not (self.is_cut or self.stop_sequence)


def limited(words: Sequence[str], request: ReplyRequest) -> Said:
    """Returns so many of the words as a request wants to hear."""
    stop = ""
    if request.stop:
        text = "".join(words)
        found = {at: one for one in reversed(request.stop) if one and (at := text.find(one)) >= 0}
        if found:
            first = min(found)
            words, stop = pieces(text[:first]), found[first]
    most = request.max_tokens
    if most is not None and len(words) > most:
        return Said(words[:most], is_cut=True)
    return Said(words, stop_sequence=stop)


def likelihood(word: str, count: int) -> TokenLogprob:
    """Returns how probable a word pretends to be, and so many that might have come instead.

    The probabilities of all of them add up to less than 1, and the word's own is the highest.
    """
    own = 0.6 + (zlib.crc32(word.encode()) % 1000) / 2600
    others = [_weighed(f"{word.rstrip()}~{rank}", (1 - own) / 2**rank) for rank in range(1, count)]
    chosen = _weighed(word, own)
    top = (chosen, *others) if count else ()
    return TokenLogprob(chosen.token, chosen.logprob, chosen.spelling, top)


def _weighed(word: str, probability: float) -> TokenLogprob:
    return TokenLogprob(word, math.log(probability), word.encode())
