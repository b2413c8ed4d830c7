"""The contract lets an honest provider pass, and each wrong one fails at the test meant for it."""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, ClassVar

import pytest
from parley_provider_sdk import (
    Finished,
    FinishReason,
    Health,
    ModelInfo,
    ProviderError,
    ReasoningDelta,
    ReplyRequest,
    ReplyStream,
    TextDelta,
    ToolCallDelta,
    ToolCallPart,
    Usage,
    UsageUpdate,
)
from parley_provider_sdk.testing import ProviderContract, ScriptedVendor
from typing_extensions import override

from .desk import END, SECRET, Desk, Honest

pytestmark = pytest.mark.unit

logger = logging.getLogger(__name__)


class TestHonest(ProviderContract):
    model = "desk-1"
    embedding_model = "desk-vectors"
    secret = SECRET
    patience = 0.5
    exempt: ClassVar[Mapping[str, str]] = MappingProxyType(
        {
            "wire": "the desk has none; test_contract_wire.py has",
            "omitted_usage": "the desk always counts",
        }
    )

    @pytest.fixture
    def peer(self) -> ScriptedVendor:
        return Desk()

    @pytest.fixture
    def provider(self, peer: ScriptedVendor) -> Honest:
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


class CountsNothing(Honest):
    @override
    async def chat_completion(self, request: ReplyRequest) -> ReplyStream:
        yield Finished(FinishReason.STOP, Usage(0, 0))


class CountsWritesBeside(Honest):
    @override
    async def chat_completion(self, request: ReplyRequest) -> ReplyStream:
        yield Finished(FinishReason.STOP, Usage(5, 1, 3, cache_write_tokens=3))


class CountsMoreThanItWrites(Honest):
    @override
    async def chat_completion(self, request: ReplyRequest) -> ReplyStream:
        usage = Usage(5, 1, cache_write_tokens=3, long_cache_write_tokens=4)
        yield Finished(FinishReason.STOP, usage)


class SharesState(Honest):
    @override
    async def chat_completion(self, request: ReplyRequest) -> ReplyStream:
        self.text = ""
        for delta in self.desk.deltas:
            self.text += delta
            await asyncio.sleep(0)
        yield TextDelta(self.text)
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


class SwallowsCancellation(Honest):
    @override
    async def silence(self, limit: float) -> None:
        try:
            await asyncio.sleep(limit)
        except asyncio.CancelledError:
            self.hang_up()


class LosesTextBeforeAFailure(Honest):
    @override
    async def chat_completion(self, request: ReplyRequest) -> ReplyStream:
        for event in [event async for event in super().chat_completion(request)]:
            yield event


class EndsWellAfterAFailure(Honest):
    @override
    async def chat_completion(self, request: ReplyRequest) -> ReplyStream:
        try:
            async for event in super().chat_completion(request):
                yield event
        except ProviderError:
            yield END


class JustStops(Honest):
    @override
    async def chat_completion(self, request: ReplyRequest) -> ReplyStream:
        try:
            async for event in super().chat_completion(request):
                yield event
        except ProviderError:
            return


class LogsItsKey(Honest):
    @override
    def failed(self, failure: type[ProviderError]) -> ProviderError:
        logger.debug("It failed with %s.", SECRET)
        return super().failed(failure)


class LogsWhatIsSaid(Honest):
    @override
    def said(self, delta: str) -> TextDelta:
        logger.debug("said", extra={"fields": {"delta": delta}})
        return super().said(delta)


class BlocksTheLoop(Honest):
    @override
    async def rest(self, request: ReplyRequest) -> None:
        time.sleep(0.2)  # noqa: ASYNC251  (this is what is wrong with it)


class BlocksTheLoopInATask(Honest):
    @override
    async def rest(self, request: ReplyRequest) -> None:
        async def block() -> None:
            time.sleep(0.2)  # noqa: ASYNC251  (this is what is wrong with it)

        await asyncio.create_task(block())


class NeverPauses(Honest):
    @override
    async def chat_completion(self, request: ReplyRequest) -> ReplyStream:
        for delta in self.desk.deltas:
            time.sleep(1e-5)  # noqa: ASYNC251  (this is what is wrong with it)
            yield TextDelta(delta)
        yield END


class HoardsEvents(Honest):
    @override
    async def chat_completion(self, request: ReplyRequest) -> ReplyStream:
        kept = []
        async for event in super().chat_completion(request):
            kept.append(event)
            yield event


class ReadsAhead(Honest):
    @override
    async def chat_completion(self, request: ReplyRequest) -> ReplyStream:
        for delta in self.desk.deltas[:20_000]:
            yield TextDelta(delta)
        for event in [TextDelta(f"{delta} {self}") for delta in self.desk.deltas[20_000:]]:
            yield event
        yield END


class SaysTooLittle(Honest):
    @override
    async def chat_completion(self, request: ReplyRequest) -> ReplyStream:
        for delta in self.desk.deltas[:1000]:
            yield TextDelta(delta)
        yield END


class CutsArguments(Honest):
    @override
    def called(self, index: int, call: ToolCallPart) -> ToolCallDelta:
        return ToolCallDelta(index, call.tool_call_id, call.name, '{"a": 1}')


class CallsUnderOneId(Honest):
    @override
    def called(self, index: int, call: ToolCallPart) -> ToolCallDelta:
        return ToolCallDelta(index, "the id", call.name, call.arguments)


class InventsIds(Honest):
    @override
    def called(self, index: int, call: ToolCallPart) -> ToolCallDelta:
        return ToolCallDelta(index, f"mine-{index}", call.name, call.arguments)


class SpeaksItsThoughts(Honest):
    @override
    async def chat_completion(self, request: ReplyRequest) -> ReplyStream:
        async for event in super().chat_completion(request):
            yield TextDelta(event.text) if isinstance(event, ReasoningDelta) else event


class ListsNames(Honest):
    @override
    async def list_models(self) -> Sequence[ModelInfo]:
        names: Any = ["desk-1"]
        return names  # type: ignore[no-any-return]


class LacksAMethod:
    """Is no provider at all."""


CONTRACT = TestHonest()
Test = Callable[..., Any]
WRONG: list[tuple[type[Honest], Test, tuple[Any, ...]]] = [
    (EndsTwice, CONTRACT.test_text_comes_whole_and_in_order, ()),
    (NeverEnds, CONTRACT.test_text_comes_whole_and_in_order, ()),
    (GoesOnAfterItsEnd, CONTRACT.test_text_comes_whole_and_in_order, ()),
    (BreaksCharacters, CONTRACT.test_text_comes_whole_and_in_order, ()),
    (TrimsWhatNobodyWatches, CONTRACT.test_unwatched_reply_is_the_same, ()),
    (CountsDown, CONTRACT.test_usage_is_there_and_never_shrinks, ()),
    (CountsNothing, CONTRACT.test_usage_is_there_and_never_shrinks, ()),
    (CountsWritesBeside, CONTRACT.test_usage_is_there_and_never_shrinks, ()),
    (CountsMoreThanItWrites, CONTRACT.test_usage_is_there_and_never_shrinks, ()),
    (SharesState, CONTRACT.test_replies_run_side_by_side, ()),
    (StaysOnTheLine, CONTRACT.test_cancelling_hangs_up, ()),
    (StaysOnTheLine, CONTRACT.test_closing_hangs_up, ()),
    (SwallowsCancellation, CONTRACT.test_cancelling_hangs_up, ()),
    (LeavesATaskBehind, CONTRACT.test_cancelling_hangs_up, ()),
    (WaitsForEver, CONTRACT.test_silence_is_a_timeout, (True,)),
    (WaitsForEver, CONTRACT.test_stall_is_a_timeout, ()),
    (CallsACutComplete, CONTRACT.test_cut_stream_is_never_complete, (3,)),
    (EndsWellAfterAFailure, CONTRACT.test_failure_in_the_middle_keeps_what_came, ()),
    (JustStops, CONTRACT.test_failure_in_the_middle_keeps_what_came, ()),
    (LosesTextBeforeAFailure, CONTRACT.test_failure_in_the_middle_keeps_what_came, ()),
    (ForgetsTheWait, CONTRACT.test_failures_have_their_class, (True,)),
    (KnowsOneFailureOnly, CONTRACT.test_failures_have_their_class, (True,)),
    (ShowsItsKey, CONTRACT.test_failures_have_their_class, (True,)),
    (ShowsItsKeyBehind, CONTRACT.test_failures_have_their_class, (True,)),
    (TakesAnyModel, CONTRACT.test_unknown_model_is_not_found, ()),
    (ListsTwice, CONTRACT.test_models_include_ours, ()),
    (ListsNames, CONTRACT.test_models_include_ours, ()),
    (IsUnwell, CONTRACT.test_health_is_good, ()),
    (CutsArguments, CONTRACT.test_tool_calls_come_whole, ()),
    (CallsUnderOneId, CONTRACT.test_tool_calls_come_whole, ()),
    (InventsIds, CONTRACT.test_tool_calls_keep_their_ids, ()),
    (SpeaksItsThoughts, CONTRACT.test_reasoning_is_told_from_text, ()),
    (HoardsEvents, CONTRACT.test_memory_stays_flat, ()),
    (ReadsAhead, CONTRACT.test_memory_stays_flat, ()),
    (SaysTooLittle, CONTRACT.test_memory_stays_flat, ()),
    (BlocksTheLoop, CONTRACT.test_the_event_loop_is_never_blocked, ()),
    (BlocksTheLoopInATask, CONTRACT.test_the_event_loop_is_never_blocked, ()),
    (NeverPauses, CONTRACT.test_the_event_loop_is_never_blocked, ()),
]


@pytest.mark.parametrize(
    ("wrong", "test", "arguments"),
    WRONG,
    ids=[f"{row[0].__name__}-{row[1].__name__}" for row in WRONG],
)
async def test_a_wrong_provider_is_caught(
    wrong: type[Honest], test: Test, arguments: tuple[Any, ...]
) -> None:
    desk = Desk()
    provider = wrong(desk)
    with pytest.raises((AssertionError, pytest.fail.Exception)):
        await test(provider, desk, *arguments)
    if task := getattr(provider, "task", None):
        task.cancel()


@pytest.mark.parametrize("wrong", [LogsItsKey, LogsWhatIsSaid])
async def test_a_wrong_log_is_caught(wrong: type[Honest], caplog: pytest.LogCaptureFixture) -> None:
    desk = Desk()
    with pytest.raises(AssertionError, match="Logged are"):
        await CONTRACT.test_nothing_private_is_logged(wrong(desk), desk, caplog)


async def test_what_is_no_provider_is_caught() -> None:
    none: Any = LacksAMethod()
    with pytest.raises(AssertionError):
        await CONTRACT.test_it_has_every_method(none)


async def test_a_key_that_shows_is_caught_and_not_shown_again() -> None:
    with pytest.raises(AssertionError, match="credential shows in a ShowsItself") as caught:
        await CONTRACT.test_nothing_shows_the_key(ShowsItself(Desk()))
    assert SECRET not in str(caught.value)
