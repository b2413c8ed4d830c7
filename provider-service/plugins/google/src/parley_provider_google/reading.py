"""Reads a reply of `generateContent`, streamed or whole."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import orjson
from parley_provider_sdk import (
    ContentRefused,
    Finished,
    FinishReason,
    ReasoningDelta,
    ReplyRequest,
    TextDelta,
    TokenLogprob,
)
from parley_provider_sdk.failures import failure
from parley_provider_sdk.reading import Reading, estimate
from typing_extensions import override

from parley_provider_google import errors, signatures, translate
from parley_provider_google.contents import MADE
from parley_provider_google.cutter import StreamCutter

# Not of this vendor's wire, but sent by servers that speak several.
_DONE = b"[DONE]"
_COUNTS = (
    "promptTokenCount",
    "toolUsePromptTokenCount",
    "candidatesTokenCount",
    "thoughtsTokenCount",
    "cachedContentTokenCount",
)
_UNSAID = ("", "FINISH_REASON_UNSPECIFIED")


class ContentReading(Reading):
    """The state of one reply. Its stream has no mark of its end: a reason, and a proper close."""

    def __init__(self, request: ReplyRequest, secret: str) -> None:
        super().__init__(request, StreamCutter())
        self._secret = secret
        self._word = ""
        self._made = ""
        self._called = 0
        self._counts: dict[str, int] = {}
        # The text that was said last is not signed.
        self._is_loose = False

    @override
    def read(self, event: bytes) -> None:
        if event == _DONE:
            self.done = True
        else:
            self._read(orjson.loads(event))

    @override
    def read_whole(self, body: bytes) -> None:
        answer = orjson.loads(body)
        # A server that does not know `alt=sse` sends what would be the events as one list.
        for one in answer if isinstance(answer, list) else [answer]:
            self._read(one)
        self.done = bool(self._word)

    @override
    def reason(self) -> FinishReason | None:
        if not self._word:
            return None
        return translate.finish_reason(self._word, called=self._called > 0)

    @override
    def end(self) -> Finished:
        """Returns the end; counts that the vendor left out are estimated."""
        usage = self.usage
        if usage and not (usage.input_tokens and (usage.output_tokens or not self.output)):
            known = {
                "input_tokens": usage.input_tokens,
                "output_tokens": usage.output_tokens,
                "cached_input_tokens": usage.cached_input_tokens,
            }
            known = {name: count for name, count in known.items() if count}
            self.usage = estimate(self.request, self.output, known)
        return super().end()

    def _read(self, answer: Any) -> None:
        if isinstance(answer, list):
            # Only errors come so within a stream.
            (answer,) = answer
        if error := errors.error_of(answer):
            raise errors.from_event(error, self._secret)
        self._made = self._made or answer.get("responseId") or ""
        candidates = answer.get("candidates") or ()
        for candidate in candidates:
            if not candidate.get("index"):
                self._read_candidate(candidate)
        if not candidates:
            self._read_feedback(answer.get("promptFeedback") or {})
        self._count(answer.get("usageMetadata"))

    def _read_feedback(self, feedback: Mapping[str, Any]) -> None:
        if word := feedback.get("blockReason"):
            said = feedback.get("blockReasonMessage") or f"{word}."
            raise failure(ContentRefused, said=said, secret=self._secret)

    def _read_candidate(self, candidate: Mapping[str, Any]) -> None:
        content = candidate.get("content") or {}
        for part in content.get("parts") or ():
            self._read_part(part)
        if told := candidate.get("logprobsResult"):
            self._read_logprobs(told)
        word = str(candidate.get("finishReason") or "")
        if word not in _UNSAID:
            self._word = word

    def _read_logprobs(self, told: Mapping[str, Any]) -> None:
        chosen, places = told.get("chosenCandidates") or (), told.get("topCandidates") or ()
        for number, one in enumerate(chosen):
            place = places[number] if number < len(places) else {}
            top = tuple(_token(other) for other in place.get("candidates") or ())
            self.weigh([replace(_token(one), top=top)])

    def _read_part(self, part: Mapping[str, Any]) -> None:
        signature = part.get(signatures.FIELD) or ""
        if not isinstance(signature, str):
            raise TypeError
        if call := part.get("functionCall"):
            self._read_call(call, signature)
        elif part.get("thought"):
            self.think(part.get("text") or "")
            if signature:
                self.attach(ReasoningDelta, signatures.kept(signature))
        elif "text" in part or part.keys() == {signatures.FIELD}:
            self._read_text(part.get("text") or "", signature)

    def _read_text(self, text: object, signature: str) -> None:
        if not signature:
            self.say(text)
            self._is_loose = self._is_loose or bool(text)
            return
        if self._is_loose:
            # The vendor forbids to join what it signed with what it did not.
            self.attach(TextDelta, signatures.UNSIGNED)
        self.say(text)
        self.attach(TextDelta, signatures.kept(signature))
        self._is_loose = False

    def _read_call(self, call: Mapping[str, Any], signature: str) -> None:
        name = call.get("name") or ""
        call_id = call.get("id") or self._id()
        if not (isinstance(name, str) and isinstance(call_id, str)):
            raise TypeError
        self.call(
            self._called,
            call_id=call_id,
            name=name,
            arguments=orjson.dumps(call.get("args") or {}).decode(),
            metadata=signatures.kept(signature) if signature else b"",
        )
        self._called += 1

    def _id(self) -> str:
        """Returns an id for a call without one, the same whenever the same answer is read."""
        return f"{MADE}{self._made or len(self.request.messages)}-{self._called}"

    def _count(self, counts: object) -> None:
        if not isinstance(counts, dict):
            return
        for name in _COUNTS:
            count = counts.get(name)
            if isinstance(count, int) and count > self._counts.get(name, 0):
                self._counts[name] = count
        if self._counts:
            self.usage = translate.usage(self._counts)


def _token(said: Mapping[str, Any]) -> TokenLogprob:
    # What is 0 or empty the vendor leaves out.
    return TokenLogprob(said.get("token") or "", float(said.get("logProbability") or 0))
