"""What a check has found."""

from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """How bad it is; only a failure keeps Parley from working."""

    OK = "ok"
    WARNING = "warning"
    FAILURE = "failure"
    SKIPPED = "skipped"


@dataclass(frozen=True)
class Finding:
    """One check's outcome, and what a person should do about it."""

    check: str
    verdict: Verdict
    detail: str
    advice: str = ""


def ok(check: str, detail: str) -> Finding:
    """Nothing is the matter."""
    return Finding(check, Verdict.OK, detail)


def failure(check: str, detail: str, advice: str) -> Finding:
    """Parley cannot work like this."""
    return Finding(check, Verdict.FAILURE, detail, advice)


def warning(check: str, detail: str, advice: str) -> Finding:
    """Parley works, with something missing."""
    return Finding(check, Verdict.WARNING, detail, advice)


def skipped(check: str, because: str) -> Finding:
    """It could not be looked at."""
    return Finding(check, Verdict.SKIPPED, because)
