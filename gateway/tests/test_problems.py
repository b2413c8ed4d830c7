"""The table of failures: complete, sane, explained, and never in the way."""

from __future__ import annotations

import re
from pathlib import Path

import httpx
import pytest
from parley_gateway.api.problems import PROBLEM_TYPES, PROBLEMS, document, pointer, response
from parley_rpc import faults
from parley_rpc.faults import Fault, Origin, RemoteFault, Violation

from parley.errors.v1.error_reason_pb2 import ErrorReason

pytestmark = pytest.mark.unit

README = (Path(__file__).parents[1] / "README.md").read_text()
REASONS = sorted(
    name.removeprefix("ERROR_REASON_").lower() for name, number in ErrorReason.items() if number
)


def test_every_reason_has_a_row() -> None:
    assert REASONS == sorted(PROBLEMS)


def test_titles_are_fixed_and_differ() -> None:
    assert len(PROBLEMS) == len({row.title for row in PROBLEMS.values()})


def test_what_says_come_back_is_worth_coming_back_to() -> None:
    assert all(row.retryable for row in PROBLEMS.values() if row.status in {429, 503, 504})


def test_every_reason_has_a_heading_and_its_status_in_the_readme() -> None:
    for reason, row in PROBLEMS.items():
        found = re.search(rf"^### {reason}\n\n(\d+)\. (.*)$", README, re.MULTILINE)
        assert found, reason
        assert str(row.status) == found[1], reason
        assert row.retryable == ("Try again" in found[2]), reason


@pytest.mark.parametrize("reason", REASONS)
async def test_every_type_leads_somewhere(stranger: httpx.AsyncClient, reason: str) -> None:
    page = await stranger.get(f"{PROBLEM_TYPES}{reason}")

    assert 200 == page.status_code
    assert page.text.startswith(f"{reason}: {PROBLEMS[reason].title}.")


def test_a_document_says_everything() -> None:
    fault = faults.InvalidArgument(
        "No.", violations=[Violation("parts[0].text", "It is blank.")], field="parts"
    )

    assert {
        "type": "/docs/problems/invalid_argument",
        "title": "A field breaks its rule",
        "status": 422,
        "detail": "No.",
        "instance": "r1",
        "reason": "invalid_argument",
        "retryable": False,
        "metadata": {"field": "parts"},
        "errors": [{"pointer": "/parts/0/text", "detail": "It is blank."}],
    } == document(fault, "r1")


@pytest.mark.parametrize(
    ("field", "expected"),
    [("", ""), ("content", "/content"), ("a[2].b", "/a/2/b"), ("/a~1b/0", "/a~1b/0")],
)
def test_fields_are_pointers(field: str, expected: str) -> None:
    assert expected == pointer(field)


KINDS: list[tuple[type[Fault], int]] = [
    (faults.InvalidArgument, 422),
    (faults.Unauthenticated, 401),
    (faults.PermissionDenied, 403),
    (faults.NotFound, 404),
    (faults.AlreadyExists, 409),
    (faults.Aborted, 409),
    (faults.FailedPrecondition, 409),
    (faults.LimitExceeded, 429),
    (faults.Unavailable, 503),
    (faults.DeadlineExceeded, 504),
    (faults.Unimplemented, 501),
    (faults.BadGateway, 502),
    (faults.Internal, 500),
]


@pytest.mark.parametrize(("kind", "status"), KINDS)
def test_a_reason_of_a_newer_service_has_the_status_of_its_kind(
    kind: type[Fault], status: int
) -> None:
    told = document(RemoteFault("News.", Origin(kind, "brand_new", "chat.parley")), "r1")

    assert (status, "brand_new") == (told["status"], told["reason"])


@pytest.mark.parametrize(
    ("fault", "seconds"),
    [
        (faults.LimitExceeded("x", retry_after=0.2), "1"),
        (faults.LimitExceeded("x", retry_after=12.1), "13"),
        (faults.Unavailable("x"), "1"),
        (faults.NotFound("x", retry_after=5), None),
    ],
    ids=["rounded up to a second", "rounded up", "a second when nothing is said", "elsewhere not"],
)
def test_retry_after_is_whole_seconds(fault: Fault, seconds: str | None) -> None:
    assert seconds == response(fault, "r1").headers.get("retry-after")
