"""A reply as it comes in, and the choice that it becomes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from parley.provider.v1 import reply_pb2
from parley.provider.v1.reply_pb2 import (
    Finished,
    GenerateReplyResponse,
    TokenLogprob,
    ToolCallDelta,
    Usage,
)
from parley_gateway.api.dialects.completions.layout import OURS, Kind, Piece, carried
from parley_gateway.api.dialects.opaque import wrapped

Json = dict[str, Any]
STOP = "stop"
CALLS = "tool_calls"
FILTERED = "content_filter"
FINISH_REASONS: Mapping[int, str] = MappingProxyType(
    {
        reply_pb2.FINISH_REASON_STOP: STOP,
        reply_pb2.FINISH_REASON_LENGTH: "length",
        reply_pb2.FINISH_REASON_TOOL: CALLS,
        # Beside the field that says so.
        reply_pb2.FINISH_REASON_REFUSAL: STOP,
        reply_pb2.FINISH_REASON_FILTERED: FILTERED,
        # It is not whole.
        reply_pb2.FINISH_REASON_PAUSED: "length",
    }
)

# Events that bring what a piece says, and those that end a piece.
SAID: Mapping[str, Kind] = MappingProxyType({"text": Kind.TEXT, "reasoning": Kind.REASONING})
ENDED: Mapping[str, Kind] = MappingProxyType(
    {"text_metadata": Kind.TEXT, "reasoning_metadata": Kind.REASONING}
)


class Reply:
    """One reply as far as it has come."""

    def __init__(self, model: str, *, is_legacy: bool = False) -> None:
        # `provider/model` of the one that answers, once that is known.
        self.model = model
        self.is_legacy = is_legacy
        self.pieces: list[Piece] = []
        self.logprobs: list[TokenLogprob] = []
        self.finished: Finished | None = None
        self._calls: dict[int, Piece] = {}
        # The piece that what comes next continues.
        self._open: Piece | None = None

    def add(self, event: GenerateReplyResponse) -> None:
        """Take in an event."""
        kind = event.WhichOneof("event") or ""
        if kind in SAID:
            self.say(SAID[kind], getattr(event, kind))
        elif kind in ENDED:
            self.close(ENDED[kind], getattr(event, kind))
        elif kind == "tool_call":
            self.call(event.tool_call)
        elif kind == "logprobs":
            self.logprobs.extend(event.logprobs.tokens)
        elif kind == "answerer":
            self.model = f"{event.answerer.provider}/{event.answerer.model}"
        elif kind == "finished":
            self.finish(event.finished)

    def say(self, kind: Kind, text: str) -> None:
        """Add text or reasoning."""
        piece = self._open
        if piece is None or piece.kind is not kind:
            piece = self._open = Piece(kind)
            self.pieces.append(piece)
        piece.texts.append(text)

    def close(self, kind: Kind, metadata: bytes) -> None:
        """End a piece of text or reasoning, perhaps one without any."""
        self.say(kind, "")
        self.pieces[-1].metadata = metadata
        self._open = None

    def call(self, delta: ToolCallDelta) -> Piece:
        """Add a part of a call, and return the call."""
        piece = self._calls.get(delta.index)
        if piece is None:
            piece = Piece(Kind.CALL, call_id=delta.tool_call_id, name=delta.name)
            self._calls[delta.index] = piece
            self.pieces.append(piece)
            self._open = None
        piece.texts.append(delta.arguments)
        piece.metadata = delta.provider_metadata or piece.metadata
        return piece

    def finish(self, finished: Finished) -> None:
        """End the reply."""
        self.finished = finished
        if finished.provider:
            self.model = f"{finished.provider}/{finished.model}"

    def of(self, kind: Kind) -> list[Piece]:
        """Return its pieces of a kind."""
        return [piece for piece in self.pieces if piece.kind is kind]

    def text(self, kind: Kind) -> str:
        """Return all of its text or reasoning."""
        return "".join(piece.text for piece in self.of(kind))

    @property
    def refusal(self) -> str | None:
        """What the model said when it refused."""
        is_one = self.finished and self.finished.reason == reply_pb2.FINISH_REASON_REFUSAL
        return (self.text(Kind.TEXT) or None) if is_one else None

    @property
    def finish_reason(self) -> str:
        """Why it ended, in this dialect's words."""
        number = self.finished.reason if self.finished else 0
        if number == reply_pb2.FINISH_REASON_REFUSAL and not self.refusal:
            return FILTERED
        reason = FINISH_REASONS.get(number, STOP)
        if self._calls and reason == STOP:
            reason = CALLS
        return "function_call" if reason == CALLS and self.is_legacy else reason

    def choice(self, index: int) -> Json:
        """Return it as one choice of a completion."""
        return {
            "index": index,
            "message": self.message(),
            "logprobs": {"content": list(map(token, self.logprobs)), "refusal": None}
            if self.logprobs
            else None,
            "finish_reason": self.finish_reason,
        }

    def message(self) -> Json:
        """Return it as a message, which a client may send back as it is."""
        refusal = self.refusal
        text = None if refusal else self.text(Kind.TEXT)
        calls = self.of(Kind.CALL)
        message: Json = {
            "role": "assistant",
            "content": text or (None if calls or refusal else ""),
            "refusal": refusal,
            "annotations": [],
        }
        thoughts = self.of(Kind.REASONING)
        if thought := self.text(Kind.REASONING):
            message["reasoning_content"] = thought
        if any(piece.metadata for piece in thoughts):
            message["reasoning_details"] = list(details(thoughts))
        if calls and self.is_legacy:
            message["function_call"] = function(calls[0]) | carrier_of(calls[0])
        elif calls:
            message["tool_calls"] = [tool_call(piece) for piece in calls]
        carrier = carried(self.pieces)
        if carrier:
            message["extra_content"] = carrier
        return message


def details(thoughts: Sequence[Piece], start: int = 0) -> Iterator[Json]:
    """Yield pieces of reasoning with what their vendor wants back; the first counts as `start`."""
    for number, piece in enumerate(thoughts, start):
        made: Json = {"type": "reasoning", "index": number, "text": piece.text}
        if piece.metadata:
            made["signature"] = wrapped(piece.metadata)
        yield made


def tool_call(piece: Piece) -> Json:
    """Return a call of a tool."""
    return {
        "id": piece.call_id,
        "type": "function",
        "function": function(piece),
        **carrier_of(piece),
    }


def function(piece: Piece) -> Json:
    """Return what is called, and with what."""
    return {"name": piece.name, "arguments": piece.text}


def carrier_of(piece: Piece) -> Json:
    """Return what a vendor wants back with a call; nothing when it wants nothing."""
    return {"extra_content": {OURS: wrapped(piece.metadata)}} if piece.metadata else {}


def token(one: TokenLogprob) -> Json:
    """Return the probability of a token, and those of others in its place."""
    return likely(one) | {"top_logprobs": list(map(likely, one.top))}


def likely(one: TokenLogprob) -> Json:
    """Return the probability of one token."""
    return {
        "token": one.token,
        "logprob": one.logprob,
        "bytes": list(one.bytes) if one.bytes else None,
    }


def counted(usages: Sequence[Usage]) -> Json:
    """Return what some replies used together."""
    given = sum(usage.input_tokens for usage in usages)
    made = sum(usage.output_tokens for usage in usages)
    return {
        "prompt_tokens": given,
        "completion_tokens": made,
        "total_tokens": given + made,
        "prompt_tokens_details": {
            "cached_tokens": sum(usage.cached_input_tokens for usage in usages),
            "cache_write_tokens": sum(usage.cache_write_tokens for usage in usages),
            "audio_tokens": 0,
        },
        "completion_tokens_details": {
            "reasoning_tokens": sum(usage.reasoning_tokens for usage in usages),
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }
