"""Doubles: stores in memory, and the three services scripted behind a real gRPC server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from google.protobuf.message import Message
from parley_gateway.core.model import Grant, Payer, Subject, Window
from parley_gateway.core.ports import LimitStore
from parley_rpc.context import caller_of
from parley_rpc.faults import DatabaseUnavailable, Fault
from parley_rpc.server import SERVING, Server
from parley_tests.believing import OpenToAnybody
from typing_extensions import override

from parley.chat.v1 import chat_pb2, chat_pb2_grpc
from parley.prompt.v1 import prompt_pb2, prompt_pb2_grpc
from parley.provider.v1 import (
    alias_pb2,
    embedding_pb2,
    model_pb2,
    provider_pb2,
    provider_pb2_grpc,
    reply_pb2,
    usage_pb2,
)

Scripted = Message | Fault
HOUR = timedelta(hours=1)


class Outage:
    """Whether the database is away."""

    def __init__(self) -> None:
        self.now = False
        self.queries = 0

    def check(self) -> None:
        self.queries += 1
        if self.now:
            raise DatabaseUnavailable


class Clock:
    """A monotonic clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class MemoryLimitStore(LimitStore):
    def __init__(self, outage: Outage) -> None:
        self.outage = outage
        self.windows: dict[str, tuple[datetime, int]] = {}
        self.statements = 0

    @override
    async def spend(self, requests: Mapping[Payer, int]) -> Mapping[Payer, Grant]:
        self.outage.check()
        self.statements += 1
        await asyncio.sleep(0)
        return {payer: self._spend(payer, n) for payer, n in requests.items()}

    def _spend(self, payer: Payer, asked: int) -> Grant:
        subjects = [one for one in payer if one is not None]
        windows = [self._window(one) for one in subjects]
        left = (one.limit - w.used for one, w in zip(subjects, windows, strict=True))
        granted = max(0, min(asked, *left))
        for one in subjects if granted else ():
            start, used = self.windows.get(one.name, (datetime.now(UTC), 0))
            fresh = start > datetime.now(UTC) - HOUR
            self.windows[one.name] = (
                (start, used + granted) if fresh else (datetime.now(UTC), granted)
            )
        return Grant(granted, *windows)

    def _window(self, subject: Subject) -> Window:
        now = datetime.now(UTC)
        start, used = self.windows.get(subject.name, (now, 0))
        if start <= now - HOUR:
            start, used = now, 0
        return Window(used, (start + HOUR - now).total_seconds())


@dataclass
class Received:
    """One call as a service got it."""

    method: str
    request: Any
    user_id: str
    request_id: str
    role: str = ""
    scopes: frozenset[str] = frozenset()


class Script:
    """What the services answer, by the name of the call, and what they were asked."""

    def __init__(self) -> None:
        self.answers: dict[str, Scripted] = {}
        self.paged: dict[str, Mapping[str, Message]] = {}
        self.turn: list[Scripted | asyncio.Event] = []
        # The events of a reply that is kept nowhere; one list for each call, the last one again.
        self.replies: list[list[Scripted | asyncio.Event]] = [[]]
        self.received: list[Received] = []
        self.asked = asyncio.Event()

    def note(self, method: str, request: Any, context: Any) -> None:
        caller = caller_of(context)
        names = (caller.user_id, caller.request_id, caller.role, caller.scopes)
        self.received.append(Received(method, request, *names))
        self.asked.set()

    def answer(self, method: str, default: Message) -> Any:
        if method in self.paged:
            return self.paged[method][self.last.request.page_token]
        answer = self.answers.get(method, default)
        if isinstance(answer, Fault):
            raise answer
        return answer

    @property
    def last(self) -> Received:
        return self.received[-1]


def unary(name: str, default: type[Message]) -> Any:
    async def call(self: Any, request: Any, context: Any) -> Any:
        self.script.note(name, request, context)
        return self.script.answer(name, default())

    return call


async def played(steps: Sequence[Scripted | asyncio.Event]) -> AsyncIterator[Message]:
    """Yield what a script says, wait where it waits, and fail where it fails."""
    for step in steps:
        if isinstance(step, asyncio.Event):
            await step.wait()
        elif isinstance(step, Fault):
            raise step
        else:
            yield step


class FakeChat(chat_pb2_grpc.ChatServiceServicer):
    def __init__(self, script: Script) -> None:
        self.script = script
        self.left = asyncio.Event()

    @override
    async def SendMessage(self, request: Any, context: Any) -> AsyncIterator[Any]:
        self.script.note("SendMessage", request, context)
        async for event in self.play():
            yield event

    @override
    async def StreamMessage(self, request: Any, context: Any) -> AsyncIterator[Any]:
        self.script.note("StreamMessage", request, context)
        async for event in self.play():
            yield chat_pb2.StreamMessageResponse.FromString(event.SerializeToString())

    async def play(self) -> AsyncIterator[Any]:
        try:
            async for event in played(self.script.turn):
                yield event
        except (asyncio.CancelledError, GeneratorExit):
            self.left.set()
            raise

    StopMessages = unary("StopMessages", chat_pb2.StopMessagesResponse)
    StopMessage = unary("StopMessage", chat_pb2.StopMessageResponse)
    ListChats = unary("ListChats", chat_pb2.ListChatsResponse)
    GetChat = unary("GetChat", chat_pb2.GetChatResponse)
    DeleteChat = unary("DeleteChat", chat_pb2.DeleteChatResponse)
    ListMessages = unary("ListMessages", chat_pb2.ListMessagesResponse)
    GetMessage = unary("GetMessage", chat_pb2.GetMessageResponse)


class FakePrompts(prompt_pb2_grpc.PromptServiceServicer):
    def __init__(self, script: Script) -> None:
        self.script = script

    ListPrompts = unary("ListPrompts", prompt_pb2.ListPromptsResponse)
    GetPrompt = unary("GetPrompt", prompt_pb2.GetPromptResponse)
    CreatePrompt = unary("CreatePrompt", prompt_pb2.CreatePromptResponse)
    UpdatePrompt = unary("UpdatePrompt", prompt_pb2.UpdatePromptResponse)
    DeletePrompt = unary("DeletePrompt", prompt_pb2.DeletePromptResponse)
    ActivatePrompt = unary("ActivatePrompt", prompt_pb2.ActivatePromptResponse)
    GetActivePrompt = unary("GetActivePrompt", prompt_pb2.GetActivePromptResponse)
    SetActivePrompt = unary("SetActivePrompt", prompt_pb2.SetActivePromptResponse)


class FakeProviders(provider_pb2_grpc.ProviderServiceServicer):
    def __init__(self, script: Script) -> None:
        self.script = script
        self.left = asyncio.Event()

    ListProviders = unary("ListProviders", provider_pb2.ListProvidersResponse)
    CheckProvider = unary("CheckProvider", provider_pb2.CheckProviderResponse)
    ListModels = unary("ListModels", model_pb2.ListModelsResponse)
    GetModel = unary("GetModel", model_pb2.GetModelResponse)
    ListUsage = unary("ListUsage", usage_pb2.ListUsageResponse)
    GetUsage = unary("GetUsage", usage_pb2.GetUsageResponse)
    ListUsageRecords = unary("ListUsageRecords", usage_pb2.ListUsageRecordsResponse)
    GetAllowances = unary("GetAllowances", usage_pb2.GetAllowancesResponse)
    SummarizeUsage = unary("SummarizeUsage", usage_pb2.SummarizeUsageResponse)
    CountTokens = unary("CountTokens", reply_pb2.CountTokensResponse)
    CreateProvider = unary("CreateProvider", provider_pb2.CreateProviderResponse)
    UpdateProvider = unary("UpdateProvider", provider_pb2.UpdateProviderResponse)
    DeleteProvider = unary("DeleteProvider", provider_pb2.DeleteProviderResponse)
    SetCredential = unary("SetCredential", provider_pb2.SetCredentialResponse)
    DeleteCredential = unary("DeleteCredential", provider_pb2.DeleteCredentialResponse)
    RotateCredentials = unary("RotateCredentials", provider_pb2.RotateCredentialsResponse)
    RefreshModels = unary("RefreshModels", model_pb2.RefreshModelsResponse)
    UpdateModel = unary("UpdateModel", model_pb2.UpdateModelResponse)
    ResetModel = unary("ResetModel", model_pb2.ResetModelResponse)

    UpdateAlias = unary("UpdateAlias", alias_pb2.UpdateAliasResponse)
    DeleteAlias = unary("DeleteAlias", alias_pb2.DeleteAliasResponse)
    ListAliases = unary("ListAliases", alias_pb2.ListAliasesResponse)
    CreateEmbeddings = unary("CreateEmbeddings", embedding_pb2.CreateEmbeddingsResponse)

    @override
    async def GenerateReply(self, request: Any, context: Any) -> AsyncIterator[Any]:
        self.script.note("GenerateReply", request, context)
        replies = self.script.replies
        steps = replies.pop(0) if len(replies) > 1 else replies[0]
        try:
            async for event in played(steps):
                yield event
        except (asyncio.CancelledError, GeneratorExit):
            self.left.set()
            raise


class FakeServices:
    """The three services in one server on a free port."""

    def __init__(self) -> None:
        self.script = Script()
        self.chat = FakeChat(self.script)
        self.server = Server("fake.parley", OpenToAnybody())
        chat_pb2_grpc.add_ChatServiceServicer_to_server(self.chat, self.server.grpc)
        prompt_pb2_grpc.add_PromptServiceServicer_to_server(
            FakePrompts(self.script), self.server.grpc
        )
        self.provider = FakeProviders(self.script)
        provider_pb2_grpc.add_ProviderServiceServicer_to_server(self.provider, self.server.grpc)

    async def start(self) -> None:
        """Serve, and be well."""
        await self.server.start("127.0.0.1:0", [])
        await self.server.health.set("", SERVING)

    @property
    def address(self) -> str:
        """Where they are found."""
        return f"127.0.0.1:{self.server.port}"
