"""What is asked, and the one thing that the vendor then says: a function of the message alone."""

from __future__ import annotations

from dataclasses import dataclass

# Two, three and four bytes of UTF-8: a position counts code points, and a cut falls anywhere.
STRANGE = ("é", "日本", "𝄞")


@dataclass(frozen=True, slots=True)
class Ask:
    """A message that says what becomes of it. Every word of its reply carries its `mark`.

    `kind` is `echo`; `think`, which reasons first; `break`, which fails after its words; or
    `error`, which fails before the first.
    """

    mark: str
    kind: str
    words: int

    @property
    def text(self) -> str:
        """What the vendor says, whole."""
        return "" if self.kind == "error" else said(self.mark, "w", self.words)

    @property
    def reasoning(self) -> str:
        """What the vendor thinks, whole."""
        return said(self.mark, "r", self.words) if self.kind == "think" else ""

    @property
    def message(self) -> str:
        """What the user writes: a command of the demo provider's."""
        match self.kind:
            case "think":
                return f"/think {self.reasoning}\n{self.text}"
            case "break":
                return f"/break 503 {self.text}"
            case "error":
                return f"/error 400 {self.mark}"
        return f"/echo {self.text}"

    @property
    def status(self) -> str:
        """How the reply ends when nothing goes wrong."""
        return "failed" if self.kind in {"break", "error"} else "complete"


def said(mark: str, letter: str, words: int) -> str:
    """Make so many words, none of which another message has."""
    return " ".join(
        f"{mark}{letter}{number}{STRANGE[number % 3] if number % 5 == 0 else ''}"
        for number in range(words)
    )
