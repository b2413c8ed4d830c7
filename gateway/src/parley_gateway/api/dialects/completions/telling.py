"""Replies as a completion, or as the chunks of one."""

from __future__ import annotations

import contextlib
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from types import MappingProxyType

from parley_rpc.faults import Fault

from parley_gateway.api.dialects import generation
from parley_gateway.api.dialects.completions.choices import merged
from parley_gateway.api.dialects.completions.chunks import DONE, Chunks, last_chunk, written
from parley_gateway.api.dialects.completions.reply import Json, Reply, counted
from parley_gateway.api.dialects.completions.translate import Asked, named
from parley_gateway.api.dialects.failures import Dialect, document_of

NO_NAMES: Mapping[str, str] = MappingProxyType({})


class Telling:
    """Tells replies as chunks."""

    def __init__(
        self, ask: Asked, made_by: str, request_id: str, names: Mapping[str, str] = NO_NAMES
    ) -> None:
        self.request_id = request_id
        self.is_counted = ask.is_counted
        self.frame = {**frame(ask, made_by, "chat.completion.chunk"), **names}
        # Null in all chunks but the one that counts.
        around = self.frame | ({"usage": None} if ask.is_counted else {})
        has_logprobs = ask.request.HasField("top_logprobs")
        self.choices = [
            Chunks(
                around,
                Reply(ask.request.model, is_legacy=ask.is_legacy),
                index,
                has_logprobs=has_logprobs,
            )
            for index in range(ask.choices)
        ]

    async def one(self, events: generation.Events) -> AsyncGenerator[bytes, None]:
        """Yield a single choice."""
        write = self.choices[0].write
        try:
            async with contextlib.aclosing(events):
                async for event in events:
                    if chunks := write(event):
                        yield chunks
        except Fault as fault:
            yield self.problem(named(fault))
            return
        yield self.end()

    async def several(self, sources: list[generation.Events]) -> AsyncGenerator[bytes, None]:
        """Yield several choices, which all begin before any goes on; one failure ends all."""
        begin = True
        try:
            async with contextlib.aclosing(merged(sources)) as events:
                async for index, event in events:
                    if begin and not event.HasField("answerer"):
                        begin = False
                        yield self.roles(self.choices[index].reply.model)
                    if chunks := self.choices[index].write(event):
                        yield chunks
        except Fault as fault:
            yield self.problem(named(fault))
            return
        yield self.end()

    def roles(self, model: str) -> bytes:
        """Write the beginning of all choices; the model is the one that is known first."""
        for choice in self.choices:
            choice.reply.model = model
        return b"".join(choice.role() for choice in self.choices)

    def end(self) -> bytes:
        """Write what follows the last choice."""
        replies = [choice.reply for choice in self.choices]
        return (last_chunk(self.frame, replies) if self.is_counted else b"") + DONE

    def problem(self, fault: Fault) -> bytes:
        """Write a failure as the last event; nothing says then that it is done."""
        return written(document_of(fault, Dialect.OPENAI, self.request_id))


def frame(ask: Asked, made_by: str, kind: str) -> Json:
    """Return what a completion and each of its chunks say of themselves.

    `made_by` names the call, or the message that the reply is kept as.
    """
    made: Json = {
        "id": f"chatcmpl-{made_by.replace('-', '')}",
        "object": kind,
        "created": int(time.time()),
        "system_fingerprint": None,
    }
    return made | ({"service_tier": ask.service_tier} if ask.service_tier else {})


def completion(
    ask: Asked, made_by: str, replies: Sequence[Reply], names: Mapping[str, str] = NO_NAMES
) -> Json:
    """Return replies as one completion; `names` are those of what is kept."""
    usages = [reply.finished.usage for reply in replies if reply.finished]
    return {
        **frame(ask, made_by, "chat.completion"),
        **names,
        "model": replies[0].model,
        "choices": [reply.choice(index) for index, reply in enumerate(replies)],
        "usage": counted(usages),
    }
