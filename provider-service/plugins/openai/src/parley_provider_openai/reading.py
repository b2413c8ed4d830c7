"""Reads a reply of `/chat/completions`, streamed or whole."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
from parley_provider_sdk import FinishReason, ReplyRequest
from parley_provider_sdk.reading import Reading, SSECutter
from typing_extensions import override

from parley_provider_openai import errors, translate

_DONE = b"[DONE]"


class CompletionReading(Reading):
    """The state of one reply."""

    def __init__(self, request: ReplyRequest, secret: str) -> None:
        super().__init__(request, SSECutter())
        self._secret = secret
        self._ids: list[tuple[object, str]] = []
        self._word: object = None
        self._refused = False

    @override
    def read(self, event: bytes) -> None:
        if event == _DONE:
            self.done = True
        else:
            self._read(orjson.loads(event), "delta")

    @override
    def read_whole(self, body: bytes) -> None:
        self._read(orjson.loads(body), "message")
        self.done = self._word is not None

    @override
    def reason(self) -> FinishReason | None:
        if self._word is None:
            return None
        return translate.finish_reason(self._word, refused=self._refused)

    def _read(self, answer: Any, field: str) -> None:
        if "error" in answer and (error := errors.error_of(answer)):
            raise errors.from_event(error, self._secret)
        for choice in answer.get("choices") or ():
            said = choice.get(field)
            if said:
                self._read_said(said)
            if choice.get("finish_reason") is not None:
                self._word = choice["finish_reason"]
        # Null in every event but the last; servers that count in each send growing counts.
        if answer.get("usage") is not None:
            self.usage = translate.usage(answer["usage"])

    def _read_said(self, said: Mapping[str, Any]) -> None:
        self.say(said.get("content") or "")
        # What compatible servers call it; OpenAI keeps its reasoning to itself on this wire.
        self.think(said.get("reasoning_content") or said.get("reasoning") or "")
        refusal = said.get("refusal")
        if refusal:
            self._refused = True
            self.say(refusal)
        for position, call in enumerate(said.get("tool_calls") or ()):
            self._read_call(call, position)

    def _read_call(self, call: Mapping[str, Any], position: int) -> None:
        function = call.get("function") or {}
        call_id = call.get("id") or ""
        key = call.get("index")
        self.call(
            self._key(position if key is None else key, call_id),
            call_id=call_id,
            name=function.get("name") or "",
            arguments=function.get("arguments") or "",
        )

    def _key(self, key: object, call_id: str) -> int:
        """Counts the calls from 0. Some servers give each the same index and tell them by id."""
        for index in reversed(range(len(self._ids))):
            known, known_id = self._ids[index]
            if known == key and call_id in ("", known_id):
                return index
        self._ids.append((key, call_id))
        return len(self._ids) - 1
