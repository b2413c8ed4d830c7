"""Reads a reply of `/v1/messages`, streamed or whole."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from parley_provider_sdk import Finished, FinishReason, ReasoningDelta, ReplyRequest
from parley_provider_sdk.failures import error_in
from parley_provider_sdk.reading import Reading, SSECutter, estimate
from typing_extensions import override

from parley_provider_anthropic import blocks, errors, translate

# What follows the last event at servers that speak another wire besides.
_DONE = b"[DONE]"
_COUNTS = (
    "input_tokens",
    "cache_creation_input_tokens",
    "cache_read_input_tokens",
    "output_tokens",
)
# What was written to the cache, by how long it is kept.
_WRITES = ("ephemeral_5m_input_tokens", "ephemeral_1h_input_tokens")


@dataclass(slots=True)
class _Block:
    """The block of content that is open."""

    kind: object
    # Which block of the reply it is; the wire's own numbers some servers leave out, or repeat.
    number: int
    signature: str = ""
    # The arguments of a call, when they came with its beginning.
    input: object = None
    # Whether arguments came after it.
    has_more: bool = False


class MessagesReading(Reading):
    """The state of one reply.

    The mark of its end is `message_stop`. A server that leaves it out and closes properly has
    ended too, provided that it said why it stopped, which comes after all that it has to say.
    """

    def __init__(self, request: ReplyRequest, secret: str, origin: str) -> None:
        """`origin` is the server that replies, and wants back the reasoning in it."""
        super().__init__(request, SSECutter())
        self._secret = secret
        self._origin = origin
        self._block: _Block | None = None
        self._opened = 0
        self._word: object = None
        self._counts: dict[str, int] = {}
        self._is_counted = False

    @override
    def read(self, event: bytes) -> None:
        if event == _DONE:
            return
        data = orjson.loads(event)
        match data.get("type"):
            case "message_start":
                self._count((data.get("message") or {}).get("usage"))
            case "message_delta":
                self._read_end(data.get("delta") or {}, data.get("usage"))
            case "message_stop":
                self._close()
                self.done = True
            case _:
                self._read_block(data)

    @override
    def read_whole(self, body: bytes) -> None:
        message = orjson.loads(body)
        if "error" in message and (error := error_in(message)):
            raise errors.from_event(error, self._secret)
        for block in message["content"]:
            self._open(block)
        self._read_end(message, message.get("usage"))
        self.done = True

    @override
    def reason(self) -> FinishReason | None:
        return None if self._word is None else translate.finish_reason(self._word)

    @override
    def end(self) -> Finished:
        end = super().end()
        if self._is_asked_counted and self._is_counted:
            return end
        # What was asked is counted at the beginning, what was answered at the end; some servers
        # leave out the one or the other.
        known, facts = translate.usage(self._counts), dict[str, int]()
        if self._is_asked_counted:
            facts["input_tokens"] = known.input_tokens
            facts["cached_input_tokens"] = known.cached_input_tokens
            facts["cache_write_tokens"] = known.cache_write_tokens
            facts["long_cache_write_tokens"] = known.long_cache_write_tokens
        if self._is_counted:
            facts["output_tokens"] = known.output_tokens
            facts["reasoning_tokens"] = known.reasoning_tokens
        usage = estimate(self.request, self.output, facts)
        return Finished(end.reason, usage, end.stop_sequence)

    @property
    def _is_asked_counted(self) -> bool:
        return "input_tokens" in self._counts

    def _read_block(self, data: Mapping[str, Any]) -> None:
        kind, error = data.get("type"), error_in(data)
        if error or kind == "error":
            raise errors.from_event(error, self._secret)
        match kind:
            case "content_block_start":
                self._open(data["content_block"])
            case "content_block_delta":
                self._read_delta(data["delta"])
            case "content_block_stop":
                self._close()

    def _read_end(self, delta: Mapping[str, Any], usage: Any) -> None:
        self._close()
        if delta.get("stop_reason") is not None:
            self._word = delta["stop_reason"]
            self.stop_sequence = str(delta.get("stop_sequence") or "")
        self._is_counted |= isinstance(usage, dict) and "output_tokens" in usage
        self._count(usage)

    def _open(self, block: Mapping[str, Any]) -> None:
        self._close()
        kind = block.get("type")
        self._opened += 1
        self._block = _Block(kind, self._opened)
        match kind:
            case "text":
                self.say(block.get("text") or "")
            case "thinking":
                self._block.signature = block.get("signature") or ""
                self.think(block.get("thinking") or "")
            case "redacted_thinking":
                self.attach(ReasoningDelta, blocks.redacted(block["data"], self._origin))
            case "tool_use":
                self._block.input = block.get("input")
                call_id, name = block.get("id") or "", block.get("name") or ""
                self.call(self._opened, call_id=call_id, name=name)

    def _read_delta(self, delta: Mapping[str, Any]) -> None:
        match delta.get("type"):
            case "text_delta":
                self.say(delta["text"])
            case "thinking_delta":
                self.think(delta["thinking"])
            case "signature_delta" if self._block:
                self._block.signature = delta["signature"]
            case "input_json_delta" if self._block and self._block.kind == "tool_use":
                self._read_arguments(delta["partial_json"], self._block)

    def _read_arguments(self, text: str, block: _Block) -> None:
        # The first of them is empty: the wire's way of saying that more will come.
        if text:
            block.has_more = True
            self.call(block.number, arguments=text)

    def _close(self) -> None:
        block, self._block = self._block, None
        if block is None:
            return
        if block.kind == "thinking":
            self.attach(ReasoningDelta, blocks.signed(block.signature, self._origin))
        elif block.kind == "tool_use" and not block.has_more:
            # A call without arguments sends none, or all of them with its beginning.
            self.call(block.number, arguments=orjson.dumps(block.input or {}).decode())

    def _count(self, usage: Any) -> None:
        """Takes in counts, which grow. Servers leave some out or send null; those stay."""
        if not isinstance(usage, dict):
            return
        details = usage.get("output_tokens_details")
        said = {name: usage.get(name) for name in _COUNTS}
        said["thinking_tokens"] = details.get("thinking_tokens") if isinstance(details, dict) else 0
        writes = usage.get("cache_creation")
        said |= {name: writes.get(name) for name in _WRITES} if isinstance(writes, dict) else {}
        for name, count in said.items():
            if isinstance(count, int):
                self._counts[name] = max(count, self._counts.get(name, 0))
        if self._is_asked_counted:
            self.usage = translate.usage(self._counts)
