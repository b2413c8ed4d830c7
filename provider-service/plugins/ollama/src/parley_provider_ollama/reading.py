"""Reads a reply of `/api/chat`, streamed line by line or whole."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import uuid4

import orjson
from parley_provider_sdk import FinishReason, ReasoningDelta, ReplyRequest, TokenLogprob
from parley_provider_sdk.reading import LineCutter, Reading
from typing_extensions import override

from parley_provider_ollama import context, errors, translate


class ChatReading(Reading):
    """The state of one reply."""

    def __init__(self, request: ReplyRequest, num_ctx: int, secret: str) -> None:
        super().__init__(request, LineCutter())
        self._num_ctx = num_ctx
        self._secret = secret
        self._word: object = None
        self._called = 0
        self._is_thinking = False

    @override
    def read(self, event: bytes) -> None:
        line = orjson.loads(event)
        if line.get("error"):
            raise errors.from_event(line["error"], self._secret)
        # A line without a message is one that we do not know.
        message = line.get("message")
        if message:
            self._read_message(message)
            # Those of a thought are of no text.
            if message.get("content"):
                self.weigh([_token(one) for one in line.get("logprobs") or ()])
        if line.get("done") is True:
            self._read_end(line)

    @override
    def read_whole(self, body: bytes) -> None:
        try:
            orjson.loads(body)
        except orjson.JSONDecodeError:
            # Some servers stream all the same, and say that it is one piece.
            lines = [line for line in body.split(b"\n") if line.strip()]
        else:
            lines = [body]
        for line in lines:
            if not self.done:
                self.read(line)

    @override
    def reason(self) -> FinishReason | None:
        if not self.done:
            return None
        return translate.finish_reason(self._word, called=bool(self._called))

    def _read_message(self, message: Mapping[str, Any]) -> None:
        # Text may be null beside reasoning or calls.
        thought, text = message.get("thinking") or "", message.get("content") or ""
        if thought:
            self._is_thinking = True
            self.think(thought)
        calls = message.get("tool_calls") or ()
        if text or calls:
            self._end_thinking()
        self.say(text)
        for call in calls:
            self._read_call(call)

    def _read_call(self, call: Mapping[str, Any]) -> None:
        """Every call comes whole, in a line of its own or with others."""
        function = call["function"]
        name = function["name"]
        if not isinstance(name, str):
            raise TypeError
        self.call(
            self._called,
            # Older servers give none, and ours must be unlike those of every other reply.
            call_id=str(call.get("id") or f"call_{uuid4().hex}"),
            name=name,
            arguments=translate.arguments(function.get("arguments")),
        )
        self._called += 1

    def _read_end(self, line: Mapping[str, Any]) -> None:
        self._end_thinking()
        self._word = line.get("done_reason")
        self.usage = translate.usage(line, self.request, self.output)
        if line.get("prompt_eval_count") == self._num_ctx:
            # More, on the other hand, shows that the server keeps to no such limit.
            raise context.too_long(self._num_ctx, self._num_ctx)
        self.done = True

    def _end_thinking(self) -> None:
        if self._is_thinking:
            self._is_thinking = False
            self.attach(ReasoningDelta, translate.OWN)


def _token(said: Mapping[str, Any]) -> TokenLogprob:
    return TokenLogprob(
        said["token"],
        float(said["logprob"]),
        bytes(said.get("bytes") or ()),
        tuple(_token(one) for one in said.get("top_logprobs") or ()),
    )
