"""Reads a reply of `/chat/completions`, streamed or whole.

OpenAI's form is the one that is read first. What the servers of others do differently is read too,
as long as it can only mean one thing: content in parts, calls without index or id, counts in
several places, other words for the end, no mark at the end.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any
from uuid import uuid4

import orjson
from parley_provider_sdk import (
    BackendError,
    FinishReason,
    Overloaded,
    ProviderError,
    ReplyRequest,
)
from parley_provider_sdk.failures import failure
from parley_provider_sdk.reading import Reading, SSECutter
from typing_extensions import override

from parley_provider_openai import errors
from parley_provider_openai.chat import translate
from parley_provider_openai.wire import DONE, parsed, token

# Words for an end that is none.
_FAILED: Mapping[str, type[ProviderError]] = MappingProxyType(
    {"error": BackendError, "insufficient_system_resource": Overloaded}
)


class CompletionReading(Reading):
    """The state of one reply."""

    def __init__(self, request: ReplyRequest, secret: str) -> None:
        super().__init__(request, SSECutter())
        self._secret = secret
        self._ids: list[tuple[object, str]] = []
        self._word: str | None = None
        self._refused = False

    @override
    def read(self, event: bytes) -> None:
        if event.startswith(DONE):
            self.done = True
        else:
            self._read(parsed(event), "delta")

    @override
    def read_whole(self, body: bytes) -> None:
        answer = parsed(body)
        self._read(answer, "message")
        # It is whole, so it has ended, whether it says why or not.
        self.done = any("message" in choice for choice in answer.get("choices") or ())

    @override
    def reason(self) -> FinishReason | None:
        if self._word is None:
            return None
        return translate.finish_reason(self._word, refused=self._refused, called=bool(self._ids))

    def _read(self, answer: Any, field: str) -> None:
        if ("error" in answer or "choices" not in answer) and (error := errors.error_of(answer)):
            raise errors.from_event(error, self._secret)
        for choice in answer.get("choices") or ():
            if choice.get("index"):
                continue  # one was asked for; some servers send more
            self._read_choice(choice, field)
        # Null in every event but the last; servers that count in each send growing counts.
        if answer.get("usage") is not None:
            self._read_usage(answer["usage"])

    def _read_choice(self, choice: Mapping[str, Any], field: str) -> None:
        said = choice.get(field)
        if said:
            self._read_said(said)
        if choice.get("logprobs"):
            self._read_logprobs(choice["logprobs"])
        if choice.get("finish_reason"):
            self._read_end(str(choice["finish_reason"]), choice.get("stop_reason"))
        if "usage" in choice:
            self._read_usage(choice["usage"])

    def _read_usage(self, counts: object) -> None:
        self.usage = translate.larger(self.usage, translate.usage(counts))

    def _read_logprobs(self, said: Mapping[str, Any]) -> None:
        for field in ("content", "refusal"):
            self.weigh([token(one) for one in said.get(field) or ()])

    def _read_end(self, word: str, stopped: object) -> None:
        self._word = word
        if isinstance(stopped, str) and stopped in self.request.stop:
            # OpenAI does not say which text it was; some servers do.
            self.stop_sequence = stopped
        if kind := _FAILED.get(word):
            raise failure(kind)

    def _read_said(self, said: Mapping[str, Any]) -> None:
        # What compatible servers call it; OpenAI keeps its reasoning to itself on this wire.
        thought = said.get("reasoning_content") or said.get("reasoning")
        if thought:
            self.think(thought)
        content = said.get("content")
        if content:
            self._read_content(content)
        refusal = said.get("refusal")
        if refusal:
            self._refused = True
            self.say(refusal)
        for position, call in enumerate(said.get("tool_calls") or ()):
            self._read_call(call, position)

    def _read_content(self, content: object) -> None:
        if isinstance(content, list):
            for part in content:
                self._read_part(part)
        else:
            self.say(content)

    def _read_part(self, part: Mapping[str, Any]) -> None:
        """Reads content in parts: text, and reasoning that is text or parts again."""
        if part.get("type") == "thinking":
            thought = part["thinking"]
            pieces = [{"text": thought}] if isinstance(thought, str) else thought
            for piece in pieces:
                self.think(piece.get("text") or "")
        else:
            self.say(part.get("text") or "")

    def _read_call(self, call: Mapping[str, Any], position: int) -> None:
        function = call.get("function") or {}
        name, call_id = function.get("name") or "", call.get("id") or ""
        index = self._index(call, position, is_named=bool(name))
        if name and not call_id:
            # The result must name its call, so a call without an id gets one.
            call_id = f"call_{uuid4().hex}"
        arguments = function.get("arguments") or ""
        if not isinstance(arguments, str):
            # Some servers send the object itself in place of its text.
            arguments = orjson.dumps(arguments).decode()
        self.call(index, call_id=call_id, name=name, arguments=arguments)

    def _index(self, call: Mapping[str, Any], position: int, *, is_named: bool) -> int:
        """Counts the calls from 0. Some servers give each the same index and tell them by id."""
        key, call_id = call.get("index"), call.get("id") or ""
        # Without either, a name begins the next call.
        is_new = key is None and not call_id and is_named
        key = position if key is None else key
        for index in reversed(range(len(self._ids))):
            known, known_id = self._ids[index]
            if not is_new and known == key and call_id in ("", known_id):
                return index
        self._ids.append((key, call_id))
        return len(self._ids) - 1
