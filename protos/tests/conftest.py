"""A real server on a real port, with one service that does what the test says."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from parley_rpc.client import Peer
from parley_rpc.context import ServerContext
from parley_rpc.server import Server
from typing_extensions import override

from parley.prompt.v1 import prompt_pb2, prompt_pb2_grpc

Behaviour = Callable[[ServerContext], Awaitable[prompt_pb2.Prompt]]
PROMPTS = "parley.prompt.v1.PromptService"


class ScriptedPrompts(prompt_pb2_grpc.PromptServiceServicer):
    """Answers GetActivePrompt by what it is given."""

    def __init__(self, behaviour: Behaviour) -> None:
        self.behaviour = behaviour

    @override
    async def GetActivePrompt(
        self, request: prompt_pb2.GetActivePromptRequest, context: ServerContext
    ) -> prompt_pb2.GetActivePromptResponse:
        return prompt_pb2.GetActivePromptResponse(prompt=await self.behaviour(context))


Serve = Callable[[Behaviour], Awaitable[Peer]]


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    """Start a server that behaves so, and return a peer connected to it."""
    running: list[tuple[Server, Peer]] = []

    async def start(behaviour: Behaviour) -> Peer:
        server = Server("prompt.parley")
        servicer = ScriptedPrompts(behaviour)  # type: ignore[abstract]  # one method is enough
        prompt_pb2_grpc.add_PromptServiceServicer_to_server(servicer, server.grpc)
        await server.start("127.0.0.1:0", [PROMPTS])
        peer = Peer("prompt", f"127.0.0.1:{server.port}")
        running.append((server, peer))
        return peer

    yield start
    for server, peer in running:
        await peer.aclose()
        await server.stop(grace=0)
