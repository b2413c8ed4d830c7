"""Plays a script at a believable pace."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from itertools import islice
from typing import TYPE_CHECKING

from parley_provider_sdk import (
    BackendTimeout,
    BadResponse,
    Finished,
    FinishReason,
    Health,
    ModelInfo,
    ModelNotFound,
    ReasoningDelta,
    ReplyRequest,
    ReplyStream,
    TextDelta,
    Usage,
    UsageSource,
)

from parley_provider_demo.answers import count_words, input_words
from parley_provider_demo.commands import Script, script

if TYPE_CHECKING:
    from parley_provider_demo.settings import DemoSettings

MODELS = (
    ModelInfo("demo", "Demo", capabilities=frozenset({"text"})),
    ModelInfo("demo-reasoning", "Demo that thinks", capabilities=frozenset({"text", "reasoning"})),
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
        await _wait(play.delay, request.limits.first_token)
        if play.failure:
            raise play.failure
        thoughts = "".join(play.reasoning)
        words = list(play.words)
        said = words if request.max_tokens is None else words[: request.max_tokens]
        async for thought in self._paced(play.reasoning, request):
            yield ReasoningDelta(thought)
        async for text in self._said(play, said, request):
            yield TextDelta(text)
        reason = FinishReason.STOP if len(said) == len(words) else FinishReason.LENGTH
        yield Finished(reason, _usage(request, thoughts, said))

    async def list_models(self) -> Sequence[ModelInfo]:
        return MODELS

    async def health_check(self) -> Health:
        return Health(healthy=True, detail="The demo is always well.")

    async def aclose(self) -> None:
        """Lets go of nothing: there is no connection."""

    async def _said(
        self, play: Script, words: Sequence[str], request: ReplyRequest
    ) -> AsyncIterator[str]:
        if play.cut is not None:
            async for word in self._paced(islice(words, play.cut), request):
                yield word
            raise BadResponse(f"Demo broke off after {play.cut} words, as it was asked to.")
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


def _usage(request: ReplyRequest, thoughts: str, said: Sequence[str]) -> Usage:
    thought = count_words(thoughts)
    return Usage(
        input_tokens=input_words(request),
        output_tokens=thought + count_words("".join(said)),
        reasoning_tokens=thought,
        source=UsageSource.COUNTED,
    )
