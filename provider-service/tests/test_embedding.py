"""Vectors for texts: held, made within limits, and settled like a reply, whoever hangs up."""

from __future__ import annotations

import asyncio
from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

import parley_provider_sdk as sdk
import pytest
from parley_provider_service.core.admission import FAILURES_TO_OPEN
from parley_provider_service.core.embedding import as_reply
from parley_provider_service.core.faults import (
    BadProviderResponse,
    CircuitOpen,
    ModelNotFound,
    ProviderFailed,
    ProviderTimeout,
    RequestRefused,
)
from parley_provider_service.core.generation import Generation, Limits
from parley_provider_service.core.model import Answerer, Ask, Config, Cost, Ended, Vectors
from parley_provider_service.core.ports import Ledger
from parley_provider_service.core.roster import Roster
from parley_rpc.faults import DeadlineExceeded, InvalidArgument, ScopeMissing, TooBusy
from uuid_utils.compat import uuid7

from .fakes import ScriptedProvider, installed, said
from .scene import Scene

pytestmark = pytest.mark.unit

TEXTS = ("Hello, you!", "And you.")
VECTORS = ([0.5, 1.0], [0.25, -1.0])
# At four characters a token, 19 characters; at 1 nano-dollar a token.
ESTIMATED = sdk.Usage(5, 0, source=sdk.UsageSource.ESTIMATED)
REPORTED = sdk.Usage(7, 0)


@dataclass
class Embedder(ScriptedProvider):
    """Answers as it is told to, one answer after the other, the last for ever."""

    answers: Sequence[Any] = (sdk.Embeddings(VECTORS, REPORTED),)
    wanted: list[sdk.EmbeddingRequest] = field(default_factory=list)
    left: int = 0

    async def embed(self, request: sdk.EmbeddingRequest) -> Any:
        self.wanted.append(request)
        now, *rest = self.answers
        self.answers = rest or [now]
        try:
            return await said(now)
        except asyncio.CancelledError:
            self.left += 1
            raise


def scene_of(*answers: Any, limits: Limits | None = None, ledger: Ledger | None = None) -> Scene:
    """Return a service whose provider `acme` makes vectors."""
    scene = Scene(limits=limits)
    scene.provider = Embedder(answers=answers or (sdk.Embeddings(VECTORS, REPORTED),))
    scene.roster = Roster([installed(provider=scene.provider)])
    scene.catalog.roster = scene.catalog.names.roster = scene.roster
    scene.generation = Generation(scene.catalog, ledger or scene.ledger, limits or Limits())
    return scene


def wanted_of(scene: Scene) -> list[sdk.EmbeddingRequest]:
    assert isinstance(scene.provider, Embedder)
    return scene.provider.wanted


@pytest.fixture
def ask(ada: UUID) -> Ask:
    return asking(ada)


def asking(
    owner: UUID, texts: Sequence[str] = TEXTS, model: str = "small", dimensions: int | None = None
) -> Ask:
    wanted = sdk.EmbeddingRequest(model, texts, dimensions)
    return Ask(uuid7(), owner, "key", "acme", as_reply(wanted), 5.0, embedding=wanted)


async def test_vectors_come_with_what_they_used_and_cost(ask: Ask) -> None:
    scene = scene_of()

    events, fault = await scene.hear(ask)

    assert fault is None
    [vectors, ended] = events
    assert isinstance(vectors, Vectors)
    assert list(VECTORS) == [list(vector) for vector in vectors.vectors]
    cost = Cost(7, "list 1")
    assert Ended(sdk.FinishReason.STOP, REPORTED, cost, "acme", "small") == ended
    assert ("stop", REPORTED, cost) == scene.settled(ask)


async def test_the_vendor_is_given_the_texts_and_its_own_name_of_the_model(ada: UUID) -> None:
    scene = scene_of()
    ask = replace(asking(ada, model="acme/small", dimensions=2), provider="")

    events, _ = await scene.hear(ask)

    assert [sdk.EmbeddingRequest("small", TEXTS, 2)] == wanted_of(scene)
    assert Answerer("acme", "small") == events[0]


async def test_what_the_vendor_does_not_count_is_estimated(ask: Ask) -> None:
    scene = scene_of(sdk.Embeddings(VECTORS))

    events, _ = await scene.hear(ask)

    assert isinstance(events[-1], Ended)
    assert ESTIMATED == events[-1].usage
    assert ("stop", ESTIMATED, Cost(5, "list 1")) == scene.settled(ask)


@pytest.mark.parametrize(
    "answer",
    [
        None,
        [VECTORS],
        sdk.Embeddings(None),  # type: ignore[arg-type]
        sdk.Embeddings(VECTORS[:1], REPORTED),
        sdk.Embeddings((*VECTORS, [1.0]), REPORTED),
        sdk.Embeddings(([1.0], [])),
        sdk.Embeddings(([1.0], ["1"])),  # type: ignore[list-item]
        sdk.Embeddings(([1.0], "12")),  # type: ignore[arg-type]
        sdk.Embeddings(([1.0], b"1234")),
        sdk.Embeddings(([1.0], [float("nan")])),
        sdk.Embeddings(([1.0], [1e39])),
        sdk.Embeddings(VECTORS, "7"),  # type: ignore[arg-type]
        sdk.Embeddings(VECTORS, sdk.Usage(-1, 0)),
    ],
    ids=range(13),
)
async def test_what_are_no_vectors_is_a_bad_response(ask: Ask, answer: Any) -> None:
    scene = scene_of(answer)

    _, fault = await scene.hear(ask)

    assert isinstance(fault, BadProviderResponse)
    assert scene.settled(ask) is not None


async def test_numbers_of_any_sequence_are_fine(ask: Ask) -> None:
    events, fault = await scene_of(sdk.Embeddings((array("d", [0.5]), (1, 2)))).hear(ask)

    assert fault is None
    assert isinstance(events[0], Vectors)
    assert [[0.5], [1.0, 2.0]] == [list(vector) for vector in events[0].vectors]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"texts": ()}, "texts"),
        ({"texts": ("Hi", "")}, "texts"),
        ({"texts": ("x",) * 2_049}, "texts"),
        ({"texts": ("x" * 1_000_000, "y" * 1_000_001)}, "texts"),
        ({"dimensions": 0}, "dimensions"),
        ({"model": ""}, "model"),
    ],
)
async def test_a_request_that_breaks_a_rule_is_refused(
    ada: UUID, change: dict[str, Any], field: str
) -> None:
    scene = scene_of()

    _, fault = await scene.hear(asking(ada, **change))

    assert isinstance(fault, InvalidArgument)
    assert [field] == [violation.field for violation in fault.violations]
    assert ({}, []) == (scene.ledger.books.rows, wanted_of(scene))


async def test_a_provider_that_makes_none_says_so_before_anything_is_held(ask: Ask) -> None:
    scene = Scene()

    _, fault = await scene.hear(ask)

    assert isinstance(fault, InvalidArgument)
    assert "model: names a model of 'acme', which makes no embeddings" == fault.sentence
    assert {} == scene.ledger.books.rows
    assert 0 == scene.entry.bulkhead.running


async def test_scopes_names_places_and_breakers_hold_as_for_replies(ask: Ask) -> None:
    scene = scene_of()
    _, foreign = await scene.hear(replace(ask, scopes=frozenset({"model:acme/large"})))
    _, unknown = await scene.hear(replace(asking(ask.owner_id, model="tiny"), provider=""))
    scene.entry.bulkhead.resize(0)
    scene.generation.limits = replace(scene.generation.limits, patience_seconds=0.0)
    _, busy = await scene.hear(ask)
    scene.entry.bulkhead.resize(1)
    for _ in range(FAILURES_TO_OPEN):
        scene.entry.breaker.fail()
    _, opened = await scene.hear(ask)

    assert [ScopeMissing, ModelNotFound, TooBusy, CircuitOpen] == [
        type(fault) for fault in (foreign, unknown, busy, opened)
    ]
    assert [] == wanted_of(scene)


async def test_what_says_that_nothing_was_made_is_tried_again(ask: Ask) -> None:
    scene = scene_of(sdk.Overloaded("Full.", retry_after=0.01), sdk.Embeddings(VECTORS, REPORTED))

    _, fault = await scene.hear(ask)

    assert fault is None
    row = scene.ledger.books.rows[ask.usage_id].settlement
    assert row is not None
    assert ["overloaded", "stop"] == [attempt.outcome for attempt in row.attempts]


async def test_a_failure_is_told_and_nobody_else_is_asked(ask: Ask) -> None:
    """Vectors of another model are no substitute."""
    scene = scene_of(sdk.BadRequest("Too many dimensions."))
    scene.entry.config = Config(fallbacks=("acme/large",))

    _, fault = await scene.hear(ask)

    assert isinstance(fault, RequestRefused)
    assert ("bad_request", None, None) == scene.settled(ask)
    assert 1 == len(wanted_of(scene))

    scene = scene_of(sdk.BackendTimeout("Late."))
    scene.entry.config = Config(fallbacks=("acme/large",))
    _, fault = await scene.hear(ask)
    assert isinstance(fault, ProviderTimeout)
    assert ["small"] == [asked.model for asked in wanted_of(scene)]


async def test_a_bug_of_a_plugin_is_a_failure_of_its_provider(ask: Ask) -> None:
    _, fault = await scene_of(ValueError("secret")).hear(ask)

    assert isinstance(fault, ProviderFailed)
    assert "secret" not in fault.sentence


async def test_a_silent_vendor_is_waited_for_as_long_as_the_caller_waits(ask: Ask) -> None:
    scene = scene_of(lambda: asyncio.sleep(30))

    async with asyncio.timeout(10):
        _, fault = await scene.hear(replace(ask, seconds=1.0))

    assert isinstance(fault, ProviderTimeout | DeadlineExceeded)
    assert isinstance(scene.provider, Embedder)
    assert 1 == scene.provider.left
    assert scene.settled(ask) is not None


async def test_who_hangs_up_stops_the_vendor_and_the_call_is_settled(ask: Ask) -> None:
    asked = asyncio.Event()

    async def hang() -> None:
        asked.set()
        await asyncio.sleep(30)

    scene = scene_of(hang)
    reply = await scene.generation.begin(ask)
    async with asyncio.timeout(10):
        await asked.wait()
        reply.stop()
        await scene.generation.aclose(10)

    assert isinstance(scene.provider, Embedder)
    assert 1 == scene.provider.left
    assert ("stopped", None, None) == scene.settled(ask)
