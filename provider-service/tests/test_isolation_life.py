"""Plugins in threads of their own: made, asked and let go without holding up anybody."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator
from typing import Any

import parley_provider_sdk as sdk
import pytest
from parley_provider_service.adapters.isolation import Closed, Hangs, isolated
from typing_extensions import override

from .fakes import ScriptedProvider, wait
from .threads import ASK, Isolate, becomes, becomes_idle, isolating, texts, threads

pytestmark = pytest.mark.unit


@pytest.fixture
async def isolate() -> AsyncIterator[Isolate]:
    async with isolating() as isolate:
        yield isolate


async def test_questions_are_answered_and_failures_keep_their_class(isolate: Isolate) -> None:
    here = isolate(ScriptedProvider())
    assert ["small", "large"] == [one.name for one in await here.list_models()]
    assert sdk.Health(healthy=True, detail="Well.") == await here.health_check()

    broken = isolate(ScriptedProvider(listed=sdk.QuotaExhausted("x"), health=SystemExit(3)))
    with pytest.raises(sdk.QuotaExhausted):
        await broken.list_models()
    with pytest.raises(SystemExit):
        await broken.health_check()
    with pytest.raises(sdk.QuotaExhausted):
        await broken.list_models()


async def test_a_question_that_is_given_up_is_given_up_in_there(isolate: Isolate) -> None:
    here = isolate(ScriptedProvider(health=wait(600)))
    task = asyncio.create_task(here.health_check())
    await asyncio.sleep(0.05)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    await becomes_idle(here)


@pytest.mark.parametrize("failure", [ValueError("x"), SystemExit(3), TimeoutError("its own")])
async def test_what_its_making_raises_is_raised_and_its_thread_ends(
    failure: BaseException,
) -> None:
    def create() -> sdk.Provider:
        raise failure

    with pytest.raises(type(failure)) as caught:
        isolated("apart", create)

    assert not isinstance(caught.value, Hangs)
    await becomes(lambda: set() == threads())


async def test_one_whose_making_hangs_is_given_up_and_its_thread_ends_when_it_can() -> None:
    gate, began = threading.Event(), time.monotonic()

    def create() -> sdk.Provider:
        gate.wait(30)
        return ScriptedProvider()

    with pytest.raises(Hangs):
        isolated("apart", create, 0.1)
    took = time.monotonic() - began
    gate.set()

    assert took < 3
    await becomes(lambda: set() == threads())


class Choosy(ScriptedProvider):
    """Says what it does not take, and how often it was asked."""

    refused: Any = frozenset({"seed"})
    questions: int = 0

    def unsupported_parameters(self, model: str) -> Any:
        self.questions += 1
        return self.refused() if callable(self.refused) else self.refused


class Counter(ScriptedProvider):
    """Counts."""

    async def count_tokens(self, request: sdk.ReplyRequest) -> int:
        return 42


class Embedder(ScriptedProvider):
    """Makes vectors, in a while."""

    begun: int = 0
    left: int = 0

    async def embed(self, request: sdk.EmbeddingRequest) -> sdk.Embeddings:
        self.begun += 1
        try:
            await asyncio.sleep(30 if request.model == "slow" else 0)
        except asyncio.CancelledError:
            self.left += 1
            raise
        return sdk.Embeddings([[1.0]])


class Both(Choosy, Counter):
    """Does both."""


class All(Both, Embedder):
    """Does all."""


@pytest.mark.parametrize("kind", [ScriptedProvider, Choosy, Counter, Embedder, Both, All])
async def test_what_a_plugin_can_do_besides_it_can_do_in_there(isolate: Isolate, kind: Any) -> None:
    provider = kind()
    here: object = isolate(provider)

    assert isinstance(here, sdk.Provider)
    assert isinstance(provider, sdk.Selective) is isinstance(here, sdk.Selective)
    assert isinstance(provider, sdk.TokenCounter) is isinstance(here, sdk.TokenCounter)
    if isinstance(here, sdk.Selective):
        assert frozenset({"seed"}) == here.unsupported_parameters("small")
    if isinstance(here, sdk.TokenCounter):
        assert 42 == await here.count_tokens(ASK)
    assert isinstance(provider, sdk.Embedder) is isinstance(here, sdk.Embedder)
    if isinstance(here, sdk.Embedder):
        made = await here.embed(sdk.EmbeddingRequest("small", ["Hi"]))
        assert sdk.Embeddings([[1.0]]) == made


async def test_providers_that_can_do_the_same_are_of_one_kind(isolate: Isolate) -> None:
    """A new kind for each configuration would stay for ever, wherever kinds are remembered."""
    kinds = [type(isolate(kind())) for kind in (All, All, Both, ScriptedProvider)]

    assert kinds[0] is kinds[1]
    assert 3 == len(set(kinds))


async def test_who_waits_no_more_for_vectors_stops_the_making(isolate: Isolate) -> None:
    provider = Embedder()
    here: Any = isolate(provider)

    asking = asyncio.create_task(here.embed(sdk.EmbeddingRequest("slow", ["Hi"])))
    await becomes(lambda: provider.begun == 1)
    asking.cancel()
    await asyncio.wait([asking])

    await becomes(lambda: provider.left == 1)


async def test_what_a_model_does_not_take_is_asked_once(isolate: Isolate) -> None:
    provider = Choosy()
    here: Any = isolate(provider)
    for _ in range(10):
        for model in ("small", "large"):
            here.unsupported_parameters(model)

    assert 2 == provider.questions


async def test_a_plugin_that_is_slow_to_say_it_does_not_hold_up_everybody(
    isolate: Isolate,
) -> None:
    gate, provider = threading.Event(), Choosy()
    provider.refused = lambda: gate.wait(30) and frozenset({"seed"})
    here: Any = isolate(provider)
    began = time.monotonic()
    answers = {here.unsupported_parameters(f"model {number}") for number in range(200)}
    took = time.monotonic() - began
    gate.set()

    assert {frozenset()} == answers
    assert took < 3  # each alone waits a twentieth of a second
    await becomes(lambda: {"seed"} == here.unsupported_parameters("model 199"))


async def test_what_is_known_of_models_is_not_kept_without_end(isolate: Isolate) -> None:
    here: Any = isolate(Choosy())
    for number in range(2_500):
        here.unsupported_parameters(f"model {number}")

    assert len(here._asked) <= 1_000


async def test_letting_go_lets_the_plugin_go_and_ends_its_thread(isolate: Isolate) -> None:
    provider = ScriptedProvider()
    here = isolate(provider)
    await here.aclose()

    assert provider.closed
    assert set() == threads()


async def test_one_that_fails_in_letting_go_ends_its_thread_all_the_same(isolate: Isolate) -> None:
    class Clinging(ScriptedProvider):
        @override
        async def aclose(self) -> None:
            raise ValueError("x")

    here = isolate(Clinging())
    with pytest.raises(ValueError, match="x"):
        await here.aclose()

    assert set() == threads()


async def test_what_a_plugin_left_running_is_ended_with_it(isolate: Isolate) -> None:
    ended, running = [], []

    async def background() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("task")

    class Busy(ScriptedProvider):
        @override
        async def health_check(self) -> Any:
            running.append(asyncio.create_task(background()))
            return await super().health_check()

    here = isolate(Busy())
    await here.health_check()
    await here.aclose()

    assert (["task"], set()) == (ended, threads())


async def test_who_asks_one_that_was_let_go_is_told_at_once(isolate: Isolate) -> None:
    here: Any = isolate(Both())
    await here.aclose()

    for ask in (here.list_models, here.health_check, here.aclose, lambda: texts(here)):
        with pytest.raises(Closed):
            await ask()
    with pytest.raises(Closed):
        here.unsupported_parameters("small")


async def test_who_is_waiting_when_it_is_let_go_is_told(isolate: Isolate) -> None:
    here = isolate(ScriptedProvider([sdk.TextDelta("Hi"), wait(600)], health=wait(600)))
    checking = asyncio.create_task(here.health_check())
    listening = asyncio.create_task(texts(here))
    await asyncio.sleep(0.05)

    await here.home.aclose()

    async with asyncio.timeout(5):
        outcomes = await asyncio.gather(checking, listening, return_exceptions=True)
    assert [asyncio.CancelledError] * 2 == [type(one) for one in outcomes]
