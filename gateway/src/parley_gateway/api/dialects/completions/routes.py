"""The routes of Chat Completions, models and embeddings."""

from __future__ import annotations

from typing import Annotated

import orjson
from fastapi import APIRouter, Header, Path, Query, Request
from starlette.responses import Response

from parley_gateway.api.dependencies import (
    NOBODY,
    ActingCaller,
    UsedGateway,
    answered_by,
    guarded,
)
from parley_gateway.api.dialects import documentation
from parley_gateway.api.dialects.completions import document, models
from parley_gateway.api.dialects.completions.body import CompletionBody, EmbeddingsBody
from parley_gateway.api.dialects.completions.completion import post_completion
from parley_gateway.api.dialects.completions.embeddings import post_embeddings
from parley_gateway.api.dialects.failures import Dialect, dialect_of
from parley_gateway.api.openapi import BODY_REFUSALS, REPLY_REFUSALS, TURN_REFUSALS
from parley_gateway.core.model import Scope
from parley_gateway.core.scopes import ANY

PREFIX = "Completion"
ASKING_REFUSALS = (*BODY_REFUSALS, *REPLY_REFUSALS, "usage_exists", "unimplemented")
LOOKING_REFUSALS = ("invalid_argument", "provider_not_found", "model_not_found")

Asking = guarded(reading=NOBODY, changing=frozenset({Scope.CHAT}))
Looking = guarded(reading=ANY, changing=NOBODY)
router = APIRouter(tags=["OpenAI"], default_response_class=Response)


async def create_completion(
    idempotency_key: Annotated[
        str | None,
        Header(max_length=255, description="With `conversation`: the same key, the same turn."),
    ] = None,
) -> None:
    """Answer messages with a model's reply, whole or as chunks, as OpenAI's clients have it.

    Nothing is kept but what it used, and a client that leaves stops it. With `conversation`, a
    chat's name, `messages` are what is new in it: they and the reply are kept, and it goes on
    without its client. Fields that are not listed here are handed on to providers that speak
    this dialect, and refused by others.
    """
    raise NotImplementedError(idempotency_key)  # `post_completion` answers; this documents


router.add_api_route(
    "/v1/chat/completions",
    create_completion,
    methods=["POST"],
    summary="Create a chat completion",
    operation_id="create_completion",
    responses=document.COMPLETION
    | documentation.refusals(Dialect.OPENAI, *ASKING_REFUSALS, *TURN_REFUSALS, "prompt_not_found"),
    openapi_extra=documentation.request_body(CompletionBody, document.COMPLETION_BODY, PREFIX),
    route_class_override=answered_by(post_completion, Asking),
)


async def create_embeddings() -> None:
    """Make a vector for each of some texts."""
    raise NotImplementedError  # `post_embeddings` answers; this documents


router.add_api_route(
    "/v1/embeddings",
    create_embeddings,
    methods=["POST"],
    summary="Create embeddings",
    operation_id="create_embeddings",
    responses=document.EMBEDDINGS | documentation.refusals(Dialect.OPENAI, *ASKING_REFUSALS),
    openapi_extra=documentation.request_body(
        EmbeddingsBody, document.EMBEDDINGS_BODY, PREFIX, is_open=False
    ),
    route_class_override=answered_by(post_embeddings, Asking),
)


async def list_models(
    request: Request,
    gateway: UsedGateway,
    caller: ActingCaller,
    limit: Annotated[
        int, Query(ge=1, le=1000, description="The most of a page, for Anthropic's clients.")
    ] = 20,
    after_id: Annotated[
        str, Query(max_length=300, description="The last of the page before.")
    ] = "",
    before_id: Annotated[
        str, Query(max_length=300, description="The first of the page behind.")
    ] = "",
) -> Response:
    """List what can be asked: `provider/model` of all that are ready, and aliases.

    With the header `anthropic-version` it answers as Anthropic does, in pages.
    """
    dialect = dialect_of(request.scope) or Dialect.OPENAI
    page = models.Page(limit, after_id, before_id)
    found = await models.listed(gateway, caller)
    return answered(models.listing(found, dialect, page))


async def get_model(
    model: Annotated[str, Path(description="`provider/model`, an alias, or a bare name.")],
    request: Request,
    gateway: UsedGateway,
    caller: ActingCaller,
) -> Response:
    """Find what a name means."""
    dialect = dialect_of(request.scope) or Dialect.OPENAI
    found = await models.found(gateway, caller, model)
    return answered(models.shown(found, dialect))


for path, endpoint, summary, answers in (
    ("/v1/models", list_models, "List what can be asked", document.MODELS),
    ("/v1/models/{model:path}", get_model, "Find a model", document.MODEL),
):
    router.add_api_route(
        path,
        endpoint,
        methods=["GET"],
        summary=summary,
        operation_id=f"{endpoint.__name__}_v1",
        responses=answers | documentation.refusals(Dialect.OPENAI, *LOOKING_REFUSALS, scoped=False),
        response_class=Response,
        route_class_override=Looking,
    )


def answered(document: models.Json) -> Response:
    """Answer with JSON."""
    return Response(orjson.dumps(document), media_type="application/json")
