"""Plays a script at a believable pace."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from typing import TYPE_CHECKING

from parley_provider_sdk import (
    BackendTimeout,
    Finished,
    FinishReason,
    Health,
    ModelInfo,
    ModelNotFound,
    ReasoningDelta,
    ReplyRequest,
    ReplyStream,
    TextDelta,
    ToolCallDelta,
    Usage,
    UsageSource,
)

from parley_provider_demo.answers import count_words, input_words
from parley_provider_demo.commands import Script, script

if TYPE_CHECKING:
    from parley_provider_demo.settings import DemoSettings

MODELS = (
    ModelInfo("demo", "Demo", capabilities=frozenset({"text", "tools"})),
    ModelInfo(
        "demo-reasoning", "Demo that thinks", capabilities=frozenset({"text", "tools", "reasoning"})
    ),
)
# A reply without pace lets others run after so many words.
_BREATH = 64


class DemoProvider:
    def __init__(self, settings: DemoSettings) -> None:
        self._pace = settings.pace

    async def chat_completion(self, request: ReplyRequest) -> ReplyStream:
        names = [model.name for model in MODELS]
        if request.model not in names:
            raise ModelNotFound(f"Demo has no model '{request.model}', only {' and '.join(names)}.")
        play = script(request)
        limits = request.limits
        await _wait(play.delay, limits.first_token if request.stream else limits.whole)
        if play.failure:
            raise play.failure
        thoughts = "".join(play.reasoning)
        words = list(play.words)
        said = words if request.max_tokens is None else words[: request.max_tokens]
        async for thought in self._paced(play.reasoning, request):
            yield ReasoningDelta(thought)
        async for text in self._said(play, said, request):
            yield TextDelta(text)
        if play.breaks:
            raise play.breaks
        for index, call in enumerate(play.calls):
            yield ToolCallDelta(index, call.tool_call_id, call.name, call.arguments)
        yield Finished(_reason(play, len(words) - len(said)), _usage(request, thoughts, said, play))

    async def list_models(self) -> Sequence[ModelInfo]:
        return MODELS

    async def health_check(self) -> Health:
        return Health(healthy=True, detail="The demo is always well.")

    async def aclose(self) -> None:
        """Lets go of nothing: there is no connection."""

    async def _said(
        self, play: Script, words: Sequence[str], request: ReplyRequest
    ) -> AsyncIterator[str]:
        if play.hold:
            yield words[0]
            await _wait(play.hold, request.limits.idle)
            words = words[1:]
        async for word in self._paced(words, request):
            yield word

    async def _paced(self, words: Iterable[str], request: ReplyRequest) -> AsyncIterator[str]:
        if not request.stream:
            whole = "".join(words)
            if whole:
                yield whole
            return
        clock = asyncio.get_running_loop().time
        begin = clock()
        for number, word in enumerate(words):
            # Measured from the beginning, so that many small waits do not add up to a slow reply.
            ahead = begin + number / self._pace - clock() if self._pace else 0
            if ahead > 0 or number % _BREATH == _BREATH - 1:
                await asyncio.sleep(max(ahead, 0))
            yield word


async def _wait(seconds: float, limit: float) -> None:
    await asyncio.sleep(min(seconds, limit))
    if seconds > limit:
        raise BackendTimeout(f"Demo said nothing for {limit:g} s.")


def _reason(play: Script, left: int) -> FinishReason:
    if left:
        return FinishReason.LENGTH
    return FinishReason.TOOL if play.calls else FinishReason.STOP


def _usage(request: ReplyRequest, thoughts: str, said: Sequence[str], play: Script) -> Usage:
    thought = count_words(thoughts)
    called = sum(count_words(f"{call.name} {call.arguments}") for call in play.calls)
    return Usage(
        input_tokens=input_words(request),
        output_tokens=thought + count_words("".join(said)) + called,
        reasoning_tokens=thought,
        source=UsageSource.COUNTED,
    )
