"""The contract lets an honest provider pass, and each wrong one fails at the test meant for it."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pytest
from parley_provider_sdk import (
    AuthenticationFailed,
    BackendTimeout,
    BadRequest,
    BadResponse,
    Finished,
    FinishReason,
    Health,
    ModelInfo,
    ModelNotFound,
    ProviderError,
    RateLimited,
    ReasoningDelta,
    ReasoningPart,
    ReplyEvent,
    ReplyRequest,
    ReplyStream,
    TextDelta,
    TextPart,
    ToolCallDelta,
    ToolCallPart,
    Usage,
    UsageUpdate,
)
from parley_provider_sdk.testing import ProviderContract, Reply, VendorPeer, fold
from typing_extensions import override

pytestmark = pytest.mark.unit

SECRET = "sk-secret-of-the-tests"
END = Finished(FinishReason.STOP, Usage(1, 3))


@dataclass
class Desk:
    """A peer without a wire: the provider reads its script and reports its hanging up."""

    deltas: Sequence[str] = ()
    failure: type[ProviderError] | None = None
    then: str = "end"

    failures = (AuthenticationFailed, BadRequest, RateLimited)
    retry_after = 7.0

    def __post_init__(self) -> None:
        self.left = asyncio.Event()

    def _script(self, deltas: Sequence[str], then: str) -> str:
        self.deltas, self.failure, self.then = deltas, None, then
        return "Go."

    def says(self, deltas: Sequence[str]) -> str:
        return self._script(deltas, "end")

    def fails(self, failure: type[ProviderError]) -> str:
        self.failure = failure
        return "Go."

    def breaks_off(self, deltas: Sequence[str]) -> str:
        return self._script(deltas, "break")

    def falls_silent(self, deltas: Sequence[str]) -> str:
        return self._script(deltas, "silence")

    async def hung_up(self) -> None:
        await self.left.wait()

    def fails_midway(self, deltas: Sequence[str]) -> str:
        return self._script(deltas, "fail")

    def dribbles(self, deltas: Sequence[str]) -> str:
        return self._script(deltas, "silence")

    def splits(self, deltas: Sequence[str]) -> str:
        return self.says(deltas)

    def adds_unknown(self, deltas: Sequence[str]) -> str:
        return self.says(deltas)

    def omits_usage(self, deltas: Sequence[str]) -> str:
        return self.says(deltas)

    def thinks(self, reasoning: Sequence[str], deltas: Sequence[str]) -> str:
        return self.says(deltas)

    def calls(self, calls: Sequence[ToolCallPart]) -> str:
        return self.says(())

    def talks_nonsense(self) -> str:
        return self._script((), "nonsense")

    def sends_too_much(self) -> str:
        return self._script((), "nonsense")

    def says_many(self, count: int) -> str:
        return self.says(("word ",) * count)

    def received(self) -> Any:
        return None


class Honest:
    """Keeps to the contract."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk

    async def chat_completion(self, request: ReplyRequest) -> ReplyStream:
        if request.model != "desk-1":
            raise ModelNotFound("There is no such model.")
        if self.desk.failure:
            raise self.failed(self.desk.failure)
        try:
            for delta in self.desk.deltas:
                yield TextDelta(delta)
            await self.rest(request)
            yield END
        finally:
            self.hang_up()

    def hang_up(self) -> None:
        self.desk.left.set()

    def failed(self, failure: type[ProviderError]) -> ProviderError:
        return failure("It failed.", retry_after=7.0)

    async def rest(self, request: ReplyRequest) -> None:
        if self.desk.then == "break":
            raise BadResponse("It broke off.")
        if self.desk.then == "silence":
            await self.silence(min(request.limits.idle, request.limits.first_token))

    async def silence(self, limit: float) -> None:
        await asyncio.sleep(limit)
        raise BackendTimeout("It took too long.")

    async def list_models(self) -> Sequence[ModelInfo]:
        return [ModelInfo("desk-1")]

    async def health_check(self) -> Health:
        return Health(healthy=True)

    async def aclose(self) -> None:
        """Has nothing to close."""


class TestHonest(ProviderContract):
    model = "desk-1"
    secret = SECRET
    patience = 0.5

    @pytest.fixture
    def peer(self) -> VendorPeer:
        return Desk()

    @pytest.fixture
    def provider(self, peer: VendorPeer) -> Honest:
        assert isinstance(peer, Desk)
        return Honest(peer)


class EndsTwice(Honest):
    @override
    async def chat_completion(self, request: ReplyRequest) -> ReplyStream:
        async for event in super().chat_completion(request):
            yield event
        yield END


class NeverEnds(Honest):
    @override
    async def chat_completion(self, request: ReplyRequest) -> ReplyStream:
        async for event in super().chat_completion(request):
            if event is not END:
                yield event


class GoesOnAfterItsEnd(Honest):
    @override
    async def chat_completion(self, request: ReplyRequest) -> ReplyStream:
        yield END
        for delta in self.desk.deltas:
            yield TextDelta(delta)


class BreaksCharacters(Honest):
    @override
    async def chat_completion(self, request: ReplyRequest) -> ReplyStream:
        for delta in self.desk.deltas:
            for byte in delta.encode():
                yield TextDelta(bytes([byte]).decode(errors="replace"))
        yield END


class TrimsWhatNobodyWatches(Honest):
    @override
    async def chat_completion(self, request: ReplyRequest) -> ReplyStream:
        text = "".join(self.desk.deltas)
        yield TextDelta(text if request.stream else text.strip("GEndgr. "))
        yield END


class CountsDown(Honest):
    @override
    async def chat_completion(self, request: ReplyRequest) -> ReplyStream:
        yield UsageUpdate(Usage(1, 9))
        yield END


class SharesState(Honest):
    @override
    async def chat_completion(self, request: ReplyRequest) -> ReplyStream:
        self.said = ""
        for delta in self.desk.deltas:
            self.said += delta
            await asyncio.sleep(0)
        yield TextDelta(self.said)
        yield END


class StaysOnTheLine(Honest):
    @override
    def hang_up(self) -> None:
        """Keeps the connection."""


class LeavesATaskBehind(Honest):
    @override
    async def silence(self, limit: float) -> None:
        self.task = asyncio.create_task(asyncio.sleep(3))
        await super().silence(limit)


class WaitsForEver(Honest):
    @override
    async def silence(self, limit: float) -> None:
        await super().silence(60)


class CallsACutComplete(Honest):
    @override
    async def rest(self, request: ReplyRequest) -> None:
        """Takes the end of the connection for the end of the reply."""


class ForgetsTheWait(Honest):
    @override
    def failed(self, failure: type[ProviderError]) -> ProviderError:
        return failure("It failed.")


class KnowsOneFailureOnly(Honest):
    @override
    def failed(self, failure: type[ProviderError]) -> ProviderError:
        return ProviderError("It failed.")


class ShowsItsKey(Honest):
    @override
    def failed(self, failure: type[ProviderError]) -> ProviderError:
        return failure(f"It failed with {SECRET}.", retry_after=7.0)


class ShowsItsKeyBehind(Honest):
    @override
    def failed(self, failure: type[ProviderError]) -> ProviderError:
        error = failure("It failed.", retry_after=7.0)
        error.__cause__ = ValueError(f"header 'Bearer {SECRET}'")
        return error


class ShowsItself(Honest):
    @override
    def __repr__(self) -> str:
        return f"Provider(key={SECRET!r})"


class TakesAnyModel(Honest):
    @override
    async def chat_completion(self, request: ReplyRequest) -> ReplyStream:
        yield END


class ListsTwice(Honest):
    @override
    async def list_models(self) -> Sequence[ModelInfo]:
        return [ModelInfo("desk-1"), ModelInfo("desk-1")]


class IsUnwell(Honest):
    @override
    async def health_check(self) -> Health:
        return Health(healthy=False)


CONTRACT = TestHonest()
WRONG: list[tuple[type[Honest], Callable[..., Any], tuple[Any, ...]]] = [
    (EndsTwice, CONTRACT.test_text_comes_whole_and_in_order, ()),
    (NeverEnds, CONTRACT.test_text_comes_whole_and_in_order, ()),
    (GoesOnAfterItsEnd, CONTRACT.test_text_comes_whole_and_in_order, ()),
    (BreaksCharacters, CONTRACT.test_text_comes_whole_and_in_order, ()),
    (TrimsWhatNobodyWatches, CONTRACT.test_unwatched_reply_is_the_same, ()),
    (CountsDown, CONTRACT.test_usage_is_there_and_never_shrinks, ()),
    (SharesState, CONTRACT.test_replies_run_side_by_side, ()),
    (StaysOnTheLine, CONTRACT.test_cancelling_hangs_up, ()),
    (StaysOnTheLine, CONTRACT.test_closing_hangs_up, ()),
    (LeavesATaskBehind, CONTRACT.test_cancelling_hangs_up, ()),
    (WaitsForEver, CONTRACT.test_silence_is_a_timeout, ()),
    (WaitsForEver, CONTRACT.test_stall_is_a_timeout, ()),
    (CallsACutComplete, CONTRACT.test_cut_stream_is_never_complete, (3,)),
    (ForgetsTheWait, CONTRACT.test_failures_have_their_class, (True,)),
    (KnowsOneFailureOnly, CONTRACT.test_failures_have_their_class, (True,)),
    (ShowsItsKey, CONTRACT.test_failures_have_their_class, (True,)),
    (ShowsItsKeyBehind, CONTRACT.test_failures_have_their_class, (True,)),
    (TakesAnyModel, CONTRACT.test_unknown_model_is_not_found, ()),
]


@pytest.mark.parametrize(
    ("wrong", "test", "arguments"),
    WRONG,
    ids=[f"{row[0].__name__}-{row[1].__name__}" for row in WRONG],
)
async def test_a_wrong_provider_is_caught(
    wrong: type[Honest], test: Callable[..., Any], arguments: tuple[Any, ...]
) -> None:
    desk = Desk()
    provider = wrong(desk)
    with pytest.raises((AssertionError, TimeoutError, pytest.fail.Exception)):
        await test(provider, desk, *arguments)
    if task := getattr(provider, "task", None):
        task.cancel()


@pytest.mark.parametrize(
    ("wrong", "test"),
    [
        (ShowsItself, CONTRACT.test_it_has_every_method),
        (ListsTwice, CONTRACT.test_models_include_ours),
        (IsUnwell, CONTRACT.test_health_is_good),
    ],
)
async def test_a_wrong_answer_is_caught(wrong: type[Honest], test: Callable[..., Any]) -> None:
    with pytest.raises(AssertionError):
        await test(wrong(Desk()))


def said(*events: ReplyEvent) -> ReplyStream:
    async def stream() -> ReplyStream:
        for event in events:
            yield event

    return stream()


async def test_a_folded_reply_has_its_parts_put_together() -> None:
    reply = await fold(
        said(
            ReasoningDelta("h"),
            ReasoningDelta("m"),
            TextDelta("Yes."),
            ToolCallDelta(0, "c1", "add"),
            ToolCallDelta(0, arguments='{"a"'),
            ToolCallDelta(1, "c2", "now", "{}", b"2"),
            ToolCallDelta(0, arguments=":1}", provider_metadata=b"1"),
            END,
        )
    )
    calls = (ToolCallPart("c1", "add", '{"a":1}', b"1"), ToolCallPart("c2", "now", "{}", b"2"))
    parts = (ReasoningPart("hm"), TextPart("Yes."), *calls)
    assert reply == Reply("Yes.", "hm", calls, FinishReason.STOP, END.usage, parts)


async def test_tool_calls_are_counted_without_gaps() -> None:
    with pytest.raises(AssertionError, match="counted from 0"):
        await fold(said(ToolCallDelta(1, "c1", "add"), END))
