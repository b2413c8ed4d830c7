"""Reads a reply of Acme's, streamed or whole."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from parley_provider_sdk import FinishReason, ReasoningDelta, ReplyRequest
from parley_provider_sdk.reading import Reading, SSECutter
from typing_extensions import override

from parley_provider_acme import errors, translate


class AcmeReading(Reading):
    """The state of one reply."""

    def __init__(self, request: ReplyRequest, secret: str) -> None:
        super().__init__(request, SSECutter())
        self._secret = secret
        self._why: str | None = None

    @override
    def read(self, event: bytes) -> None:
        said = json.loads(event)
        match said["type"]:
            case "text" | "thought" | "call":
                self._read_piece(said, said["type"])
            case "error":
                raise errors.from_event(said["error"], self._secret)
            case "end":
                self._read_end(said)

    @override
    def read_whole(self, body: bytes) -> None:
        reply = json.loads(body)
        for piece in reply["pieces"]:
            self._read_piece(piece, piece["kind"])
        self._read_end(reply)

    @override
    def reason(self) -> FinishReason | None:
        if self._why is None:
            return None
        return translate.REASONS.get(self._why, FinishReason.OTHER)

    def _read_piece(self, said: Mapping[str, Any], kind: str) -> None:
        metadata = translate.seal_to_metadata(said.get("seal", ""))
        if kind == "text":
            self.say(said["text"])
        elif kind == "thought":
            self.think(said["text"])
            if metadata:
                self.attach(ReasoningDelta, metadata)
        elif kind == "call":
            self.call(
                said["id"],
                call_id=said["id"],
                name=said.get("tool", ""),
                arguments=said.get("input", ""),
                metadata=metadata,
            )

    def _read_end(self, said: Mapping[str, Any]) -> None:
        self._why = said["why"]
        if "tokens" in said:
            self.usage = translate.usage(said["tokens"])
        self.done = True
