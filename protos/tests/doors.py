"""A prompt service behind a closed door, whoever knocks, and clocks that can be set."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import grpc
from parley_rpc.context import ServerContext, caller_of
from parley_rpc.faults import Fault
from parley_rpc.keys import Source, Watched, trusted_keys
from parley_rpc.server import Server
from parley_rpc.status import from_rpc_error
from parley_rpc.trust import Trust
from parley_tests.installation import Installation
from typing_extensions import override

from parley.prompt.v1 import prompt_pb2, prompt_pb2_grpc

PROMPTS = "parley.prompt.v1.PromptService"
REQUEST = prompt_pb2.GetActivePromptRequest()
Shown = Sequence[tuple[str, str | bytes]]


class Clock:
    """A wall clock that is as far off as the test says."""

    def __init__(self) -> None:
        self.off = 0.0

    def __call__(self) -> float:
        return time.time() + self.off


class Prompts(prompt_pb2_grpc.PromptServiceServicer):
    """Answers with whom it was asked by, and counts how often it was."""

    def __init__(self) -> None:
        self.answered = 0

    @override
    async def GetActivePrompt(
        self, request: prompt_pb2.GetActivePromptRequest, context: ServerContext
    ) -> prompt_pb2.GetActivePromptResponse:
        self.answered += 1
        name = caller_of(context).user_id
        return prompt_pb2.GetActivePromptResponse(prompt=prompt_pb2.Prompt(name=name))

    @override
    async def DeletePrompt(
        self, request: prompt_pb2.DeletePromptRequest, context: ServerContext
    ) -> prompt_pb2.DeletePromptResponse:
        self.answered += 1
        return prompt_pb2.DeletePromptResponse()


@dataclass
class Door:
    """A server that lets in whom it trusts, and a channel to it."""

    server: Server
    prompts: Prompts
    channel: grpc.aio.Channel

    async def knock(self, shown: Shown, timeout: float = 10.0) -> str:  # noqa: ASYNC109  (gRPC's word)
        """Ask for the active prompt; return in whose name the call was let in, or the fault."""
        stub = prompt_pb2_grpc.PromptServiceStub(self.channel)
        try:
            call: Any = stub.GetActivePrompt(REQUEST, timeout=timeout, metadata=tuple(shown))
            return str((await call).prompt.name)
        except grpc.aio.AioRpcError as error:
            raise from_rpc_error(error, "prompt") from None

    async def refusal(self, shown: Shown) -> Fault:
        """Return the fault with which a call is refused; AssertionError when it is let in."""
        before = self.prompts.answered
        try:
            name = await self.knock(shown)
        except Fault as fault:
            assert before == self.prompts.answered
            return fault
        raise AssertionError(f"let in as {name}")


@asynccontextmanager
async def door(
    installation: Installation, clock: Clock | None = None, source: Source | None = None
) -> AsyncIterator[Door]:
    """Open a prompt service that trusts an installation, for the length of a block."""
    keys = source or Source("TRUSTED_KEYS", installation.trusted)
    trust = Trust("prompt", Watched(keys, trusted_keys), clock=clock or Clock())
    server, prompts = Server("prompt.parley", trust), Prompts()  # type: ignore[abstract]
    prompt_pb2_grpc.add_PromptServiceServicer_to_server(prompts, server.grpc)
    await server.start("127.0.0.1:0", [PROMPTS])
    async with grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as channel:
        yield Door(server, prompts, channel)
    await server.stop(0)
