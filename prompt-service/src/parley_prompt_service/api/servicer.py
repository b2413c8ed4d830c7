"""PromptService as the contract has it."""

from __future__ import annotations

from parley_rpc.context import ServerContext, caller_of
from typing_extensions import override

from parley.prompt.v1 import prompt_pb2 as pb
from parley.prompt.v1.prompt_pb2_grpc import PromptServiceServicer
from parley_prompt_service.api.convert import (
    from_token,
    owner_of,
    page_size,
    to_prompt,
    to_token,
)
from parley_prompt_service.core.prompts import Prompts


class PromptServicer(PromptServiceServicer):
    """Answers each call for the user of its context."""

    def __init__(self, prompts: Prompts) -> None:
        self.prompts = prompts

    @override
    async def ListPrompts(
        self, request: pb.ListPromptsRequest, context: ServerContext
    ) -> pb.ListPromptsResponse:
        owner = owner_of(caller_of(context))
        after, size = from_token(request.page_token), page_size(request.page_size)
        page = await self.prompts.page(owner, after, size)
        return pb.ListPromptsResponse(
            prompts=[to_prompt(prompt) for prompt in page.prompts],
            next_page_token=to_token(page.following),
        )

    @override
    async def GetPrompt(
        self, request: pb.GetPromptRequest, context: ServerContext
    ) -> pb.GetPromptResponse:
        prompt = await self.prompts.get(owner_of(caller_of(context)), request.prompt_id)
        return pb.GetPromptResponse(prompt=to_prompt(prompt))

    @override
    async def CreatePrompt(
        self, request: pb.CreatePromptRequest, context: ServerContext
    ) -> pb.CreatePromptResponse:
        owner = owner_of(caller_of(context))
        prompt = await self.prompts.create(
            owner, request.name, request.content, request.description
        )
        return pb.CreatePromptResponse(prompt=to_prompt(prompt))

    @override
    async def UpdatePrompt(
        self, request: pb.UpdatePromptRequest, context: ServerContext
    ) -> pb.UpdatePromptResponse:
        prompt = await self.prompts.update(
            owner_of(caller_of(context)),
            request.prompt_id,
            name=request.name if request.HasField("name") else None,
            content=request.content if request.HasField("content") else None,
            description=request.description if request.HasField("description") else None,
        )
        return pb.UpdatePromptResponse(prompt=to_prompt(prompt))

    @override
    async def DeletePrompt(
        self, request: pb.DeletePromptRequest, context: ServerContext
    ) -> pb.DeletePromptResponse:
        await self.prompts.delete(owner_of(caller_of(context)), request.prompt_id)
        return pb.DeletePromptResponse()

    @override
    async def ActivatePrompt(
        self, request: pb.ActivatePromptRequest, context: ServerContext
    ) -> pb.ActivatePromptResponse:
        prompt = await self.prompts.activate(owner_of(caller_of(context)), request.prompt_id)
        return pb.ActivatePromptResponse(prompt=to_prompt(prompt))

    @override
    async def GetActivePrompt(
        self, request: pb.GetActivePromptRequest, context: ServerContext
    ) -> pb.GetActivePromptResponse:
        prompt = await self.prompts.active(owner_of(caller_of(context)))
        return pb.GetActivePromptResponse(prompt=to_prompt(prompt))

    @override
    async def SetActivePrompt(
        self, request: pb.SetActivePromptRequest, context: ServerContext
    ) -> pb.SetActivePromptResponse:
        owner = owner_of(caller_of(context))
        prompt = await self.prompts.set_active(owner, request.content)
        return pb.SetActivePromptResponse(prompt=to_prompt(prompt))
