"""A provider and a prompt service, scripted, on a real socket."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any

import grpc
from google.protobuf.message import Message
from parley_rpc.context import ServerContext, caller_of
from parley_rpc.faults import NotFound
from parley_rpc.server import Server
from parley_tests.believing import OpenToAnybody

from parley.prompt.v1 import prompt_pb2
from parley.provider.v1 import model_pb2, reply_pb2, usage_pb2

Event = reply_pb2.GenerateReplyResponse


class NoSuchThing(NotFound):
    """Nothing of that name."""

    reason = "model_not_found"


class ProviderPeer:
    """Answers with a script, and remembers what it was asked."""

    def __init__(self) -> None:
        self.known = {("", ""): ("acme", "small"), ("acme", "big"): ("acme", "big")}
        self.script: list[Event | Exception | float] = []
        self.asked: list[tuple[str, str]] = []
        self.requests: list[reply_pb2.GenerateReplyRequest] = []
        self.users: list[str] = []
        self.cancelled = asyncio.Event()
        self.ledger: dict[str, usage_pb2.UsageRecord] = {}

    async def get_usage(
        self, request: usage_pb2.GetUsageRequest, context: ServerContext
    ) -> usage_pb2.GetUsageResponse:
        found = [self.ledger[name] for name in request.usage_ids if name in self.ledger]
        return usage_pb2.GetUsageResponse(records=found)

    async def get_model(
        self, request: model_pb2.GetModelRequest, context: ServerContext
    ) -> model_pb2.GetModelResponse:
        name = request.provider, request.model
        self.asked.append(name)
        if name not in self.known:
            raise NoSuchThing("No such model.", model=request.model)
        provider, model = self.known[name]
        return model_pb2.GetModelResponse(model=model_pb2.Model(provider=provider, name=model))

    async def generate_reply(
        self, request: reply_pb2.GenerateReplyRequest, context: ServerContext
    ) -> AsyncIterator[Event]:
        self.requests.append(request)
        self.users.append(caller_of(context).user_id)
        try:
            for step in self.script:
                if isinstance(step, Exception):
                    raise step
                if isinstance(step, float):
                    await asyncio.sleep(step)
                else:
                    yield step
        except asyncio.CancelledError:
            self.cancelled.set()
            raise


class PromptPeer:
    """Knows one prompt."""

    def __init__(self) -> None:
        self.content = "Be kind."
        self.users: list[str] = []

    async def get_active_prompt(
        self, request: prompt_pb2.GetActivePromptRequest, context: ServerContext
    ) -> prompt_pb2.GetActivePromptResponse:
        self.users.append(caller_of(context).user_id)
        return prompt_pb2.GetActivePromptResponse(prompt=self.prompt("default"))

    async def get_prompt(
        self, request: prompt_pb2.GetPromptRequest, context: ServerContext
    ) -> prompt_pb2.GetPromptResponse:
        if request.prompt_id != "pirate":
            raise NoSuchThing("No such prompt.", prompt_id=request.prompt_id)
        return prompt_pb2.GetPromptResponse(prompt=self.prompt("pirate"))

    def prompt(self, prompt_id: str) -> prompt_pb2.Prompt:
        return prompt_pb2.Prompt(prompt_id=prompt_id, content=self.content, version=3)


def method(
    behaviour: Callable[..., Any], request: type[Message], *, streams: bool = False
) -> grpc.RpcMethodHandler[Any, Any]:
    """Serve one method of a contract, of which a peer here needs a part only."""
    handler = (
        grpc.unary_stream_rpc_method_handler if streams else grpc.unary_unary_rpc_method_handler
    )
    return handler(
        behaviour,
        request_deserializer=request.FromString,
        response_serializer=lambda answer: answer.SerializeToString(),
    )


@contextlib.asynccontextmanager
async def serving(providers: ProviderPeer, prompts: PromptPeer) -> AsyncIterator[str]:
    """Yield the address at which both answer."""
    server = Server("peers", OpenToAnybody())
    models = {
        "GetModel": method(providers.get_model, model_pb2.GetModelRequest),
        "GetUsage": method(providers.get_usage, usage_pb2.GetUsageRequest),
        "GenerateReply": method(
            providers.generate_reply, reply_pb2.GenerateReplyRequest, streams=True
        ),
    }
    library = {
        "GetActivePrompt": method(prompts.get_active_prompt, prompt_pb2.GetActivePromptRequest),
        "GetPrompt": method(prompts.get_prompt, prompt_pb2.GetPromptRequest),
    }
    server.grpc.add_generic_rpc_handlers(
        (
            grpc.method_handlers_generic_handler("parley.provider.v1.ProviderService", models),
            grpc.method_handlers_generic_handler("parley.prompt.v1.PromptService", library),
        )
    )
    await server.start("127.0.0.1:0", [])
    try:
        yield f"127.0.0.1:{server.port}"
    finally:
        await server.stop(0)


def finished(
    text: str = "", provider: str = "", model: str = ""
) -> list[Event | Exception | float]:
    """Script a reply of one piece."""
    usage = reply_pb2.Usage(input_tokens=3, output_tokens=2, source=reply_pb2.USAGE_SOURCE_COUNTED)
    end = reply_pb2.Finished(
        reason=reply_pb2.FINISH_REASON_STOP,
        usage=usage,
        cost=reply_pb2.Cost(nano_usd=7, price_version="list"),
        provider=provider,
        model=model,
    )
    return [Event(text=text), Event(finished=end)]
