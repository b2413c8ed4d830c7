"""A reply as the dialect's server-sent events, each as soon as it comes."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, Callable
from typing import Any

import orjson
from parley_rpc.faults import Fault

from parley.provider.v1.reply_pb2 import Finished, GenerateReplyResponse, Usage
from parley_gateway.api.dialects.generation import Events
from parley_gateway.api.dialects.messages.message import beginning, ending, name_of, usage
from parley_gateway.api.dialects.messages.pieces import (
    INPUT_DELTA,
    SIGNATURE_DELTA,
    TEXT_DELTA,
    THINKING_DELTA,
    Pieces,
)

PING = b'event: ping\ndata: {"type":"ping"}\n\n'
STOP = b'event: message_stop\ndata: {"type":"message_stop"}\n\n'
BLOCK_STOP = b'event: content_block_stop\ndata: {"type":"content_block_stop","index":%d}\n\n'
BLOCK_DELTA = {
    kind: b"event: content_block_delta\n"
    b'data: {"type":"content_block_delta","index":%%d,"delta":{"type":"%s","%s":%%s}}\n\n'
    % (kind, field)
    for kind, field in (
        (TEXT_DELTA, b"text"),
        (THINKING_DELTA, b"thinking"),
        (SIGNATURE_DELTA, b"signature"),
        (INPUT_DELTA, b"partial_json"),
    )
}


class Frames:
    """Writes the events of one reply."""

    def __init__(self, message_id: str, model: str) -> None:
        self.message_id = message_id
        # Who answers, as far as is known.
        self.model = model
        self.used = Usage()
        self.pieces = Pieces(self)
        self.has_begun = False
        self._frames: list[bytes] = []

    def take(self, event: GenerateReplyResponse) -> bytes:
        """Return what an event of a reply is in the dialect; perhaps nothing."""
        match event.WhichOneof("event"):
            case "answerer":
                self.model = name_of(event.answerer, self.model)
            case "usage":
                self.used = event.usage
            case "finished":
                self._finish(event.finished)
            case _:
                self.pieces.take(event)
        if not self._frames:
            return b""
        frames = b"".join(self._frames)
        self._frames.clear()
        return frames

    def open(self, block: dict[str, Any]) -> None:
        """Begin a block, and the message before the first."""
        self._begin()
        data = {"type": "content_block_start", "index": self.pieces.count - 1}
        self._frames.append(frame(b"content_block_start", {**data, "content_block": block}))

    def grow(self, number: int, kind: bytes, text: str) -> None:
        """Add to a block."""
        self._frames.append(BLOCK_DELTA[kind] % (number, orjson.dumps(text)))

    def close(self, number: int) -> None:
        """End a block."""
        self._frames.append(BLOCK_STOP % number)

    def _begin(self) -> None:
        if self.has_begun:
            return
        self.has_begun = True
        message = {
            **beginning(self.message_id, self.model),
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": usage(self.used),
        }
        self._frames += (
            frame(b"message_start", {"type": "message_start", "message": message}),
            PING,
        )

    def _finish(self, finished: Finished) -> None:
        self.pieces.end()
        self.model = name_of(finished, self.model)
        self._begin()
        data = {"delta": ending(finished), "usage": usage(finished.usage)}
        self._frames += (frame(b"message_delta", {"type": "message_delta", **data}), STOP)


async def frames(
    events: Events, written: Frames, problem: Callable[[Fault], bytes]
) -> AsyncGenerator[bytes, None]:
    """Yield a reply as server-sent events, to its end or the failure."""
    try:
        async with contextlib.aclosing(events):
            async for event in events:
                frame = written.take(event)
                if frame:
                    yield frame
    except Fault as fault:
        yield problem(fault)


def frame(name: bytes, data: dict[str, Any]) -> bytes:
    """Write an event that comes once in a reply."""
    return b"event: %s\ndata: %s\n\n" % (name, orjson.dumps(data))
