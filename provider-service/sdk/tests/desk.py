"""An honest provider without a wire, and the vendor beside it whose script it reads."""

import asyncio
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from parley_provider_sdk import (
    AuthenticationFailed,
    BackendTimeout,
    BadRequest,
    BadResponse,
    EmbeddingRequest,
    Embeddings,
    Finished,
    FinishReason,
    Health,
    Logprobs,
    ModelInfo,
    ModelNotFound,
    Overloaded,
    ProviderError,
    RateLimited,
    ReasoningDelta,
    ReplyRequest,
    ReplyStream,
    TextDelta,
    TokenLogprob,
    ToolCallDelta,
    ToolCallPart,
    Usage,
)

SECRET = "sk-secret-of-the-tests"
END = Finished(FinishReason.STOP, Usage(1, 3))


@dataclass
class Desk:
    """A peer without a wire: the provider reads its script and reports its hanging up."""

    deltas: Sequence[str] = ()
    reasoning: Sequence[str] = ()
    tools: Sequence[ToolCallPart] = ()
    failure: type[ProviderError] | None = None
    then: str = "end"

    failures = (AuthenticationFailed, BadRequest, RateLimited)
    retry_after = 7.0

    def __post_init__(self) -> None:
        self.left = asyncio.Event()
        self.asked = asyncio.Event()

    def _script(self, deltas: Sequence[str], then: str) -> str:
        self.deltas, self.failure, self.then = deltas, None, then
        self.reasoning, self.tools = (), ()
        return "Go."

    def says(self, deltas: Sequence[str]) -> str:
        return self._script(deltas, "end")

    def says_many(self, count: int) -> str:
        return self.says(("word ",) * count)

    def fails(self, failure: type[ProviderError]) -> str:
        self.failure = failure
        return "Go."

    def fails_midway(self, deltas: Sequence[str]) -> str:
        return self._script(deltas, "fail")

    def breaks_off(self, deltas: Sequence[str]) -> str:
        return self._script(deltas, "break")

    def falls_silent(self, deltas: Sequence[str]) -> str:
        return self._script(deltas, "silence")

    async def reached(self) -> None:
        await self.asked.wait()

    async def hung_up(self) -> None:
        await self.left.wait()

    def thinks(self, reasoning: Sequence[str], deltas: Sequence[str]) -> str:
        self._script(deltas, "end")
        self.reasoning = reasoning
        return "Go."

    def calls(self, calls: Sequence[ToolCallPart]) -> str:
        self._script((), "end")
        self.tools = calls
        return "Go."


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
            for thought in self.desk.reasoning:
                yield ReasoningDelta(thought)
            for number, delta in enumerate(self.desk.deltas):
                if number % 64 == 0:
                    await asyncio.sleep(0)
                for event in self.weighed(self.said(delta), request):
                    yield event
            for index, call in enumerate(self.desk.tools):
                yield self.called(index, call)
            await self.rest(request)
            yield Finished(FinishReason.TOOL, Usage(1, 3)) if self.desk.tools else END
        finally:
            self.hang_up()

    def weighed(self, said: TextDelta, request: ReplyRequest) -> Sequence[TextDelta | Logprobs]:
        if request.top_logprobs is None:
            return [said]
        likely = TokenLogprob(said.text, -0.5, top=(TokenLogprob(said.text, -0.5),))
        return [said, Logprobs((likely,))]

    def said(self, delta: str) -> TextDelta:
        return TextDelta(delta)

    def called(self, index: int, call: ToolCallPart) -> ToolCallDelta:
        return ToolCallDelta(index, call.tool_call_id, call.name, call.arguments)

    def hang_up(self) -> None:
        self.desk.left.set()

    def failed(self, failure: type[ProviderError]) -> ProviderError:
        return failure("It failed.", retry_after=7.0)

    async def rest(self, request: ReplyRequest) -> None:
        if self.desk.then == "break":
            raise BadResponse("It broke off.")
        if self.desk.then == "fail":
            raise Overloaded("It was too much.")
        if self.desk.then == "silence":
            limits = request.limits
            await self.silence(min(limits.idle, limits.first_token, limits.whole))

    async def silence(self, limit: float) -> None:
        await asyncio.sleep(limit)
        raise BackendTimeout("It took too long.")

    async def embed(self, request: EmbeddingRequest) -> Embeddings:
        if request.model != "desk-vectors":
            raise ModelNotFound("There is no such model.")
        if self.desk.failure:
            raise self.failed(self.desk.failure)
        try:
            if self.desk.then == "silence":
                self.desk.asked.set()
                await self.silence(60)
        finally:
            self.hang_up()
        vectors = [self.vector(text, request.dimensions or 16) for text in request.texts]
        return Embeddings(vectors, self.counted(len(vectors)))

    def vector(self, text: str, size: int) -> Sequence[float]:
        return [float(byte) for byte in hashlib.sha256(text.encode()).digest()[:size]]

    def counted(self, texts: int) -> Usage | None:
        return Usage(texts, 0)

    async def list_models(self) -> Sequence[ModelInfo]:
        return [ModelInfo("desk-1")]

    async def health_check(self) -> Health:
        return Health(healthy=True)

    async def aclose(self) -> None:
        """Has nothing to close."""
