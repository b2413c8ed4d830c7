"""Routes of the prompt library."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path

from parley.prompt.v1 import prompt_pb2
from parley_gateway.api import convert
from parley_gateway.api.dependencies import (
    READ_SECONDS,
    ActingCaller,
    AskedPage,
    UsedGateway,
    guarded,
)
from parley_gateway.api.openapi import BODY_REFUSALS, refusals
from parley_gateway.api.schemas import prompts
from parley_gateway.core.model import Scope

Route = guarded(reading=frozenset({Scope.READ, Scope.PROMPTS}), changing=frozenset({Scope.PROMPTS}))
router = APIRouter(route_class=Route, tags=["System prompts"])
PromptId = Annotated[str, Path(description="The prompt's name, as a slug.")]


@router.get(
    "/system-prompt",
    summary="Get the active prompt",
    operation_id="get_active_prompt",
    responses=refusals(),
)
async def get_active_prompt(gateway: UsedGateway, caller: ActingCaller) -> prompts.ActivePrompt:
    """Get the prompt that the caller's next turn uses: `default` until one is chosen."""
    answer = await gateway.prompt.unary(
        gateway.prompt.stub.GetActivePrompt,
        prompt_pb2.GetActivePromptRequest(),
        caller,
        READ_SECONDS,
    )
    return convert.active_prompt(answer.prompt)


@router.post(
    "/system-prompt",
    summary="Set the active prompt",
    operation_id="set_active_prompt",
    responses=refusals(*BODY_REFUSALS),
)
async def set_active_prompt(
    body: prompts.PromptText, gateway: UsedGateway, caller: ActingCaller
) -> prompts.ActivePrompt:
    """Make or change the caller's own prompt `custom`, and use it from now on."""
    request = prompt_pb2.SetActivePromptRequest(content=body.prompt)
    with convert.naming(content="prompt"):
        answer = await gateway.prompt.unary(
            gateway.prompt.stub.SetActivePrompt, request, caller, READ_SECONDS
        )
    return convert.active_prompt(answer.prompt)


@router.get(
    "/system-prompts",
    summary="List prompts",
    operation_id="list_prompts",
    responses=refusals("invalid_argument"),
)
async def list_prompts(
    gateway: UsedGateway, caller: ActingCaller, page: AskedPage
) -> prompts.PromptPage:
    """List the shared prompts and the caller's own, by name."""
    request = prompt_pb2.ListPromptsRequest(page_size=page.size, page_token=page.token)
    answer = await gateway.prompt.unary(
        gateway.prompt.stub.ListPrompts, request, caller, READ_SECONDS
    )
    return prompts.PromptPage(
        prompts=[convert.prompt(prompt) for prompt in answer.prompts],
        next_page_token=answer.next_page_token or None,
    )


@router.post(
    "/system-prompts",
    summary="Add a prompt",
    operation_id="create_prompt",
    status_code=201,
    responses=refusals(*BODY_REFUSALS, "prompt_exists"),
)
async def create_prompt(
    body: prompts.PromptCreate, gateway: UsedGateway, caller: ActingCaller
) -> prompts.Prompt:
    """Add a prompt of the caller's own; its id is a slug of its name."""
    request = prompt_pb2.CreatePromptRequest(
        name=body.name, content=body.content, description=body.description or ""
    )
    answer = await gateway.prompt.unary(
        gateway.prompt.stub.CreatePrompt, request, caller, READ_SECONDS
    )
    return convert.prompt(answer.prompt)


@router.get(
    "/system-prompts/{prompt_id}",
    summary="Get a prompt",
    operation_id="get_prompt",
    responses=refusals("invalid_argument", "prompt_not_found"),
)
async def get_prompt(
    prompt_id: PromptId, gateway: UsedGateway, caller: ActingCaller
) -> prompts.Prompt:
    """Get one prompt."""
    request = prompt_pb2.GetPromptRequest(prompt_id=prompt_id)
    answer = await gateway.prompt.unary(
        gateway.prompt.stub.GetPrompt, request, caller, READ_SECONDS
    )
    return convert.prompt(answer.prompt)


@router.put(
    "/system-prompts/{prompt_id}",
    summary="Change a prompt",
    operation_id="update_prompt",
    responses=refusals(*BODY_REFUSALS, "prompt_not_found", "prompt_exists", "prompt_shared"),
)
async def update_prompt(
    prompt_id: PromptId, body: prompts.PromptUpdate, gateway: UsedGateway, caller: ActingCaller
) -> prompts.Prompt:
    """Change what is given of a prompt of the caller's own; other content is a new version."""
    request = prompt_pb2.UpdatePromptRequest(
        prompt_id=prompt_id, name=body.name, content=body.content, description=body.description
    )
    answer = await gateway.prompt.unary(
        gateway.prompt.stub.UpdatePrompt, request, caller, READ_SECONDS
    )
    return convert.prompt(answer.prompt)


@router.delete(
    "/system-prompts/{prompt_id}",
    summary="Delete a prompt",
    operation_id="delete_prompt",
    status_code=204,
    responses=refusals("invalid_argument", "prompt_not_found", "prompt_shared"),
)
async def delete_prompt(prompt_id: PromptId, gateway: UsedGateway, caller: ActingCaller) -> None:
    """Delete a prompt of the caller's own; when it was active, `default` is again."""
    request = prompt_pb2.DeletePromptRequest(prompt_id=prompt_id)
    await gateway.prompt.unary(gateway.prompt.stub.DeletePrompt, request, caller, READ_SECONDS)


@router.post(
    "/system-prompts/{prompt_id}/activate",
    summary="Activate a prompt",
    operation_id="activate_prompt",
    responses=refusals("invalid_argument", "prompt_not_found"),
)
async def activate_prompt(
    prompt_id: PromptId, gateway: UsedGateway, caller: ActingCaller
) -> prompts.Prompt:
    """Use a prompt in every turn that begins from now on."""
    request = prompt_pb2.ActivatePromptRequest(prompt_id=prompt_id)
    answer = await gateway.prompt.unary(
        gateway.prompt.stub.ActivatePrompt, request, caller, READ_SECONDS
    )
    return convert.prompt(answer.prompt)
