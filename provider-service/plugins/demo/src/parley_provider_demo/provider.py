"""Plays a script at a believable pace."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from typing import TYPE_CHECKING

from parley_provider_sdk import (
    BackendTimeout,
    EmbeddingRequest,
    Embeddings,
    Finished,
    FinishReason,
    Health,
    Logprobs,
    Message,
    ModelInfo,
    ModelNotFound,
    ReasoningDelta,
    ReplyEvent,
    ReplyRequest,
    ReplyStream,
    Role,
    TextDelta,
    TextPart,
    ToolCallDelta,
    ToolCallPart,
    Usage,
    UsageSource,
)

from parley_provider_demo.answers import count_words, input_words, seal
from parley_provider_demo.commands import Script, script
from parley_provider_demo.tokens import Said, likelihood, limited
from parley_provider_demo.vectors import vector

if TYPE_CHECKING:
    from parley_provider_demo.settings import DemoSettings

_EMBEDDER = "demo-embedding"
_ANSWERS = frozenset({"text", "images", "tools", "structured_output"})
MODELS = (
    ModelInfo("demo", "Demo", capabilities=_ANSWERS),
    ModelInfo("demo-reasoning", "Demo that thinks", capabilities=_ANSWERS | {"reasoning"}),
    ModelInfo(_EMBEDDER, "Demo that makes vectors", capabilities=frozenset({"embedding"})),
)
# A reply without pace lets others run after so many words.
_BREATH = 64
# Characters of a call's arguments that come at once.
_PIECE = 7


class DemoProvider:
    def __init__(self, settings: DemoSettings) -> None:
        self._pace = settings.pace

    async def chat_completion(self, request: ReplyRequest) -> ReplyStream:
        _check_model(request.model)
        play = script(request)
        limits = request.limits
        await _wait(play.delay, limits.first_token if request.stream else limits.whole)
        if play.failure:
            raise play.failure
        thoughts = "".join(play.reasoning)
        said = limited(list(play.words), request)
        async for thought in self._paced(play.reasoning, request):
            yield ReasoningDelta(thought)
        if thoughts:
            yield ReasoningDelta("", seal(thoughts))
        async for event in self._said(play, said, request):
            yield event
        if play.breaks and said.is_whole:
            raise play.breaks
        calls = play.calls if said.is_whole else ()
        for index, call in enumerate(calls):
            async for delta in self._called(index, call, request):
                yield delta
        usage = _usage(request, thoughts, said.words, calls)
        yield Finished(_reason(said, calls), usage, said.stop_sequence)

    async def embed(self, request: EmbeddingRequest) -> Embeddings:
        """Makes vectors; a text that is a command fails, or waits, as a reply would."""
        if request.model != _EMBEDDER:
            raise ModelNotFound(f"Demo makes vectors with '{_EMBEDDER}' only.")
        made = []
        for number, text in enumerate(request.texts):
            if text.startswith("/"):
                play = script(ReplyRequest("demo", [Message(Role.USER, [TextPart(text)])]))
                await asyncio.sleep(play.delay)
                if play.failure:
                    raise play.failure
            if number % _BREATH == _BREATH - 1:
                await asyncio.sleep(0)
            made.append(vector(text, request.dimensions))
        words = sum(max(1, count_words(text)) for text in request.texts)
        return Embeddings(made, Usage(words, 0, source=UsageSource.COUNTED))

    async def count_tokens(self, request: ReplyRequest) -> int:
        _check_model(request.model)
        return input_words(request)

    async def list_models(self) -> Sequence[ModelInfo]:
        return MODELS

    async def health_check(self) -> Health:
        return Health(healthy=True, detail="The demo is always well.")

    async def aclose(self) -> None:
        """Lets go of nothing: there is no connection."""

    async def _said(
        self, play: Script, said: Said, request: ReplyRequest
    ) -> AsyncIterator[ReplyEvent]:
        words = said.words
        if play.hold and words:
            yield TextDelta(words[0])
            await _wait(play.hold, request.limits.idle)
            words = words[1:]
        top = request.top_logprobs
        if top is not None and not request.stream and said.words:
            yield TextDelta("".join(words))
            yield Logprobs([likelihood(word, top) for word in said.words])
            return
        async for word in self._paced(words, request):
            yield TextDelta(word)
            if top is not None:
                yield Logprobs([likelihood(word, top)])

    async def _called(
        self, index: int, call: ToolCallPart, request: ReplyRequest
    ) -> AsyncIterator[ToolCallDelta]:
        text = call.arguments
        bits = [text[at : at + _PIECE] for at in range(0, len(text), _PIECE)]
        yield ToolCallDelta(index, call.tool_call_id, call.name)
        async for bit in self._paced(bits, request):
            yield ToolCallDelta(index, arguments=bit)

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


def _check_model(model: str) -> None:
    names = [one.name for one in MODELS if "text" in one.capabilities]
    if model not in names:
        raise ModelNotFound(f"Demo has no model '{model}', only {' and '.join(names)}.")


def _reason(said: Said, calls: Sequence[ToolCallPart]) -> FinishReason:
    if said.is_cut:
        return FinishReason.LENGTH
    return FinishReason.TOOL if calls else FinishReason.STOP


def _usage(
    request: ReplyRequest, thoughts: str, said: Sequence[str], calls: Sequence[ToolCallPart]
) -> Usage:
    thought = count_words(thoughts)
    called = sum(count_words(f"{call.name} {call.arguments}") for call in calls)
    return Usage(
        input_tokens=input_words(request),
        output_tokens=thought + count_words("".join(said)) + called,
        reasoning_tokens=thought,
        source=UsageSource.COUNTED,
    )
