"""What became of the checks, told to people and to programs."""

import pytest
from parley_provider_sdk.testing.report import (
    Check,
    Finding,
    Report,
    Rung,
    Verdict,
    check,
    check_of,
)

pytestmark = pytest.mark.unit

PASSED = Finding("text comes whole", Rung.BRONZE, Verdict.PASSED, "", "Holes.", "Fill them.")
FAILED = Finding("models are listed", Rung.BRONZE, Verdict.FAILED, "1 == 2", "None.", "List.")
EXEMPT = Finding("tools go back", Rung.GOLD, Verdict.EXEMPT, "acme has no tools")


def test_a_person_reads_what_failed_what_it_means_and_what_to_do() -> None:
    assert list(Report("acme", [PASSED, EXEMPT, FAILED]).lines()) == [
        "acme: 1 passed, 1 failed, 1 exempt",
        "  bronze: it answers",
        "    passed  text comes whole",
        "    FAILED  models are listed",
        "            Means: None.",
        "            Do: List.",
        "            Saw: 1 == 2",
        "  gold: it bears load, and keeps what belongs to its vendor",
        "    exempt  tools go back: acme has no tools",
    ]


def test_what_passed_can_be_left_out() -> None:
    assert list(Report("acme", [PASSED]).lines(whole=False)) == ["acme: 1 passed"]


def test_a_program_reads_the_same() -> None:
    document = Report("acme", [FAILED, EXEMPT]).document()
    assert document == {
        "subject": "acme",
        "ok": False,
        "findings": [
            {
                "check": "models are listed",
                "rung": "bronze",
                "verdict": "failed",
                "detail": "1 == 2",
                "means": "None.",
                "advice": "List.",
            },
            {
                "check": "tools go back",
                "rung": "gold",
                "verdict": "exempt",
                "detail": "acme has no tools",
            },
        ],
    }


@pytest.mark.parametrize(
    ("findings", "ok"),
    [([PASSED], True), ([PASSED, EXEMPT], True), ([PASSED, FAILED], False), ([EXEMPT], False)],
)
def test_nothing_checked_is_not_all_well(findings: list[Finding], ok: bool) -> None:
    assert Report("acme", findings).ok is ok


def test_a_check_is_a_test_that_says_what_it_means() -> None:
    @check(Rung.SILVER, "It hangs.", "Stop it.", feature="wire")
    def test() -> None: ...

    assert check_of(test) == Check(Rung.SILVER, "It hangs.", "Stop it.", "wire")
    assert check_of(print) is None


def test_a_check_of_an_unknown_feature_is_refused() -> None:
    with pytest.raises(ValueError, match="no feature 'wings'"):
        check(Rung.GOLD, "", "", feature="wings")
