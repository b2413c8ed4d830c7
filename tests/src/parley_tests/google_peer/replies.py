"""The bytes of a reply on the vendor's wire, streamed and whole."""

from __future__ import annotations

import json
import zlib
from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import orjson
from parley_provider_sdk.testing import Script

_ID = "peer-response"
_COUNTED = (
    b'"usageMetadata":{"promptTokenCount":%d,"candidatesTokenCount":%d%s,"totalTokenCount":%d,'
)
_DETAILS = b'"promptTokensDetails":[{"modality":"TEXT","tokenCount":%d}]},'
_ODD = b': comment\n\nevent: novelty\ndata: {"novelty":{"parts":[1]}}\n\n'
# In place of a finish reason: nothing is said, because a filter refused the prompt.
BLOCKED = "PROMPT_BLOCKED"


def signature_of(part: Mapping[str, Any]) -> str:
    """Returns the signature of a part, which is that of its content and of no other."""
    call = part.get("functionCall")
    if call:
        said = json.dumps([call.get("name"), call.get("args") or {}], sort_keys=True)
    else:
        # Thoughts are summaries; the signature is of what was really thought.
        said = "thought" if part.get("thought") else f"text {part.get('text') or ''}"
    return b64encode(f"peer-signature-{zlib.crc32(said.encode()):08x}".encode()).decode()


def prompt_tokens(body: Mapping[str, Any]) -> int:
    """Counts the input as the peer does: four for each turn and one for four characters."""
    turns = [
        *body["contents"],
        *([body["systemInstruction"]] if "systemInstruction" in body else []),
    ]
    counted = sum(4 + len(text_of(turn)) // 4 for turn in turns)
    return counted + sum(len(json.dumps(tool)) // 4 for tool in body.get("tools") or ())


def text_of(turn: Mapping[str, Any]) -> str:
    """Returns the text of a turn."""
    return "".join(part.get("text") or "" for part in turn["parts"])


class Reply:
    """What is said in answer to a request, as chunks with counts that grow."""

    def __init__(
        self, model: str, body: Mapping[str, Any], texts: Sequence[str], script: Script
    ) -> None:
        self._prompt = prompt_tokens(body)
        config = body.get("generationConfig") or {}
        # How many others are told in each token's place; None tells nothing.
        self._top = config.get("logprobs", 0) if config.get("responseLogprobs") else None
        self._texts = texts
        self._script = script
        self._tail = b'"modelVersion":%s,"responseId":"%s"}' % (
            orjson.dumps(model),
            _ID.encode(),
        )

    def events(self) -> list[bytes]:
        """Returns the stream: the opening chunk, one for each reasoning and text, and the end."""
        if self._script.finish_reason == BLOCKED:
            return [self._event(self._blocked())]
        thoughts = [self._chunk([part], thoughts=n) for n, part in enumerate(self._thoughts(), 1)]
        spoken = [
            self._chunk([self._text(text)], texts=number, said=[text])
            for number, text in enumerate(self._texts, 1)
        ]
        chunks = [self._chunk([{"text": ""}], thoughts=0), *thoughts, *spoken]
        made = [self._event(chunk) for chunk in chunks]
        return [*made, *(self._event(chunk) for chunk in self._ending())]

    def whole(self) -> bytes:
        """Returns the reply in one piece, with the same parts as the stream's taken together."""
        if self._script.finish_reason == BLOCKED:
            return self._blocked()
        parts: list[dict[str, Any]] = [*self._joined_thoughts()]
        if self._texts:
            parts.append(self._text("".join(self._texts)))
        parts += [*self._calls(), *self._signed_end()]
        said = len(self._texts) + len(self._script.calls)
        return self._chunk(parts, texts=said, said=self._texts, reason=self._reason())

    def _ending(self) -> Iterator[bytes]:
        said = len(self._texts)
        for call in self._calls():
            said += 1  # A call counts as one token.
            yield self._chunk([call], texts=said)
        yield self._chunk(
            [*self._signed_end()] or [{"text": ""}], texts=said, reason=self._reason()
        )

    def _reason(self) -> str:
        return self._script.finish_reason or "STOP"

    def _thoughts(self) -> Iterator[dict[str, Any]]:
        for number, text in enumerate(self._script.reasoning, 1):
            part: dict[str, Any] = {"text": text, "thought": True}
            if number == len(self._script.reasoning):
                part["thoughtSignature"] = signature_of(part)
            yield part

    def _joined_thoughts(self) -> Iterator[dict[str, Any]]:
        if self._script.reasoning:
            part: dict[str, Any] = {"text": "".join(self._script.reasoning), "thought": True}
            yield {**part, "thoughtSignature": signature_of(part)}

    def _calls(self) -> Iterator[dict[str, Any]]:
        """Arguments come whole: this wire has them as an object. The first call is signed."""
        for number, call in enumerate(self._script.calls):
            arguments = json.loads(call.get("arguments") or "{}")
            made: dict[str, Any] = {"name": call["name"], "args": arguments}
            if call.get("tool_call_id"):
                made["id"] = call["tool_call_id"]
            part: dict[str, Any] = {"functionCall": made}
            if not number:
                part["thoughtSignature"] = signature_of(part)
            yield part

    def _signed_end(self) -> Iterator[dict[str, Any]]:
        """What was thought before a text is signed in an empty part after it."""
        if self._script.reasoning and self._texts and not self._script.calls:
            yield {"text": "", "thoughtSignature": signature_of({"text": ""})}

    def _text(self, text: str) -> dict[str, Any]:
        return {"text": text, "novelty": {"a": 1}} if self._script.unknown else {"text": text}

    def _blocked(self) -> bytes:
        ratings = [{"category": "HARM_CATEGORY_DANGEROUS_CONTENT", "probability": "HIGH"}]
        feedback = {"blockReason": "SAFETY", "safetyRatings": ratings}
        return (
            b'{"promptFeedback":' + orjson.dumps(feedback) + b"," + self._counts(0, 0) + self._tail
        )

    def _chunk(
        self,
        parts: Sequence[Mapping[str, Any]],
        *,
        thoughts: int | None = None,
        texts: int = 0,
        said: Sequence[str] = (),
        reason: str = "",
    ) -> bytes:
        thought = len(self._script.reasoning) if thoughts is None else thoughts
        candidate = b'{"content":{"parts":' + orjson.dumps(parts) + b',"role":"model"},'
        if reason:
            candidate += b'"finishReason":' + orjson.dumps(reason) + b","
        if self._top is not None and said:
            candidate += b'"logprobsResult":' + orjson.dumps(_logprobs(said, self._top)) + b","
        if self._script.unknown:
            candidate += b'"novelty":[{}],'
        head = b'{"candidates":[' + candidate + b'"index":0}],'
        if self._script.unknown:
            head += b'"novelty":"?",'
        return head + self._counts(thought, texts) + self._tail

    def _counts(self, thoughts: int, texts: int) -> bytes:
        if not self._script.usage:
            return b""
        thought = b',"thoughtsTokenCount":%d' % thoughts if thoughts else b""
        total = self._prompt + thoughts + texts
        return _COUNTED % (self._prompt, texts, thought, total) + _DETAILS % self._prompt

    def _event(self, chunk: bytes) -> bytes:
        # Google ends its lines with both characters.
        event = b"data: " + chunk + b"\r\n\r\n"
        return event + _ODD if self._script.unknown else event


def _logprobs(texts: Sequence[str], top: int) -> dict[str, Any]:
    ranks = [[_candidate(text, rank) for rank in range(top)] for text in texts]
    chosen = [_candidate(text, 0) for text in texts]
    return {"topCandidates": [{"candidates": one} for one in ranks], "chosenCandidates": chosen}


def _candidate(text: str, rank: int) -> dict[str, Any]:
    token = f"{text}{rank}" if rank else text
    seed = zlib.crc32(token.encode()) & 0xFFFF
    return {"token": token, "tokenId": seed, "logProbability": -0.25 * (rank + 1)}
