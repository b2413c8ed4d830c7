"""What the checks of a provider are, and how what they found is told: to a person, or as JSON.

Imports neither pytest nor aiohttp, so it works wherever the SDK does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Self, TypeVar

__all__ = ["FEATURES", "Check", "Finding", "Report", "Rung", "Verdict", "check", "check_of"]

_ATTRIBUTE = "parley_check"
# What a provider may lack, and what an exemption from its checks is called.
FEATURES: Mapping[str, str] = MappingProxyType(
    {
        "wire": "speaks with its vendor over a connection that a test can garble",
        "omitted_usage": "has a vendor that may leave the count of tokens out",
        "reasoning": "gives out what its model thinks",
        "tools": "lets its model call tools",
        "call_ids": "has a wire that carries the ids of tool calls",
        "logprobs": "tells how probable its tokens are",
        "embeddings": "turns texts into vectors",
    }
)

F = TypeVar("F", bound=Callable[..., Any])


class Rung(StrEnum):
    """How far a provider has come; each rung stands on the one before."""

    BRONZE = "bronze"
    SILVER = "silver"
    GOLD = "gold"


TITLES: Mapping[Rung, str] = MappingProxyType(
    {
        Rung.BRONZE: "it answers",
        Rung.SILVER: "it fails well",
        Rung.GOLD: "it bears load, and keeps what belongs to its vendor",
    }
)


class Verdict(StrEnum):
    """What became of one check."""

    PASSED = "passed"
    FAILED = "failed"
    # Not run, because the provider has said why it need not be.
    EXEMPT = "exempt"


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that a provider must do."""

    rung: Rung
    # What it means for users when it fails, and what whoever wrote the provider does then.
    means: str
    advice: str
    # Of FEATURES; empty for what no provider may lack.
    feature: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    """What became of one check of one provider."""

    # The check's name in words.
    check: str
    rung: Rung
    verdict: Verdict
    # Why it is exempt, or what was seen when it failed.
    detail: str = ""
    means: str = ""
    advice: str = ""

    @classmethod
    def of(cls, document: Mapping[str, str]) -> Self:
        """Returns the finding that JSON tells of."""
        told = {name: document.get(name, "") for name in ("check", "detail", "means", "advice")}
        return cls(rung=Rung(document["rung"]), verdict=Verdict(document["verdict"]), **told)

    def document(self) -> dict[str, str]:
        """Returns it as JSON has it; what does not apply is left out."""
        told = {"check": self.check, "rung": self.rung.value, "verdict": self.verdict.value}
        more = {"detail": self.detail, "means": self.means, "advice": self.advice}
        return told | {name: words for name, words in more.items() if words}


@dataclass(frozen=True, slots=True)
class Report:
    """What became of all checks of one provider."""

    subject: str
    findings: Sequence[Finding]

    @property
    def ok(self) -> bool:
        """Whether something was checked and nothing failed."""
        return Verdict.PASSED in self._verdicts and Verdict.FAILED not in self._verdicts

    @property
    def summary(self) -> str:
        """One line: the subject, and how many checks ended how."""
        counts = {one: self._verdicts.count(one) for one in Verdict}
        return f"{self.subject}: " + ", ".join(f"{n} {one}" for one, n in counts.items() if n)

    def document(self) -> dict[str, Any]:
        """Returns it as JSON has it."""
        return {
            "subject": self.subject,
            "ok": self.ok,
            "findings": [finding.document() for finding in self.findings],
        }

    def lines(self, *, whole: bool = True) -> Iterator[str]:
        """Yields it for a person, rung by rung; not `whole` leaves out what passed."""
        yield self.summary
        for rung in Rung:
            told = [one for one in self.findings if one.rung is rung]
            shown = [one for one in told if whole or one.verdict is not Verdict.PASSED]
            if shown:
                yield f"  {rung}: {TITLES[rung]}"
            for finding in shown:
                yield from _told(finding)

    @property
    def _verdicts(self) -> list[Verdict]:
        return [finding.verdict for finding in self.findings]


def check(rung: Rung, means: str, advice: str, *, feature: str = "") -> Callable[[F], F]:
    """Makes a test one of the checks that a report tells of."""
    if feature and feature not in FEATURES:
        raise ValueError(f"There is no feature {feature!r}, only {sorted(FEATURES)}.")

    def decorate(test: F) -> F:
        setattr(test, _ATTRIBUTE, Check(rung, means, advice, feature))
        return test

    return decorate


def check_of(test: object) -> Check | None:
    """Returns what a test checks; None when it is no check."""
    found = getattr(test, _ATTRIBUTE, None)
    return found if isinstance(found, Check) else None


def _told(finding: Finding) -> Iterator[str]:
    reason = f": {finding.detail}" if finding.verdict is Verdict.EXEMPT else ""
    word = finding.verdict.upper() if finding.verdict is Verdict.FAILED else finding.verdict
    yield f"    {word:<6}  {finding.check}{reason}"
    if finding.verdict is Verdict.FAILED:
        rows = {"Means": finding.means, "Do": finding.advice, "Saw": finding.detail}
        yield from (f"            {name}: {words}" for name, words in rows.items() if words)
