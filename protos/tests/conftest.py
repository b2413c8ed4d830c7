"""A real server on a real port, with one service that does what the test says."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2
from parley_rpc.client import Peer
from parley_rpc.context import ServerContext
from parley_rpc.server import Server
from parley_tests.believing import OpenToAnybody
from typing_extensions import override

from parley.chat.v1 import chat_pb2
from parley.prompt.v1 import prompt_pb2, prompt_pb2_grpc

Behaviour = Callable[[ServerContext], Awaitable[prompt_pb2.Prompt]]
PROMPTS = "parley.prompt.v1.PromptService"
CHATS = chat_pb2.DESCRIPTOR.services_by_name["ChatService"].full_name


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
        server = Server("prompt.parley", OpenToAnybody())
        servicer = ScriptedPrompts(behaviour)  # type: ignore[abstract]  # one method is enough
        prompt_pb2_grpc.add_PromptServiceServicer_to_server(servicer, server.grpc)
        await server.start("127.0.0.1:0", [PROMPTS])
        peer = Peer("prompt", f"127.0.0.1:{server.port}", None)
        running.append((server, peer))
        return peer

    yield start
    for server, peer in running:
        await peer.aclose()
        await server.stop(grace=0)


@pytest.fixture
async def serve_stream() -> AsyncIterator[Callable[[Any], Awaitable[tuple[Peer, Any]]]]:
    """Start a server whose one method is a stream, and return a peer and the method."""
    running: list[tuple[Server, Peer]] = []

    async def start(behaviour: Callable[[ServerContext], Any]) -> tuple[Peer, Any]:
        server = Server("stream.parley", OpenToAnybody())
        told = grpc.unary_stream_rpc_method_handler(
            lambda _, context: behaviour(context),
            health_pb2.HealthCheckRequest.FromString,
            health_pb2.HealthCheckResponse.SerializeToString,
        )
        server.grpc.add_generic_rpc_handlers(
            [grpc.method_handlers_generic_handler(CHATS, {"SendMessage": told})]
        )
        await server.start("127.0.0.1:0", [])
        peer = Peer("stream", f"127.0.0.1:{server.port}", None)
        running.append((server, peer))
        return peer, peer.channel.unary_stream(
            f"/{CHATS}/SendMessage",
            request_serializer=health_pb2.HealthCheckRequest.SerializeToString,
            response_deserializer=health_pb2.HealthCheckResponse.FromString,
        )

    yield start
    for server, peer in running:
        await peer.aclose()
        await server.stop(grace=0)
