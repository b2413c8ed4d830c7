"""`POST /v1/responses` and the count of its input, written against ASGI itself."""

from __future__ import annotations

from fastapi import APIRouter
from parley_rpc.faults import InvalidArgument
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from parley.provider.v1.reply_pb2 import CountTokensRequest
from parley_gateway.api import convert
from parley_gateway.api.dependencies import (
    BODY,
    CALLER,
    READ_SECONDS,
    answered_by,
    gateway_of,
    guarded,
)
from parley_gateway.api.dialects import bodies, ownership
from parley_gateway.api.dialects.documentation import refusals
from parley_gateway.api.dialects.failures import Dialect
from parley_gateway.api.dialects.generation import under_way
from parley_gateway.api.dialects.responses import schemas, stateless, stored
from parley_gateway.api.dialects.responses.asked import Asked, asked, common
from parley_gateway.api.openapi import BODY_REFUSALS, PROMPT_REFUSALS, TURN_REFUSALS
from parley_gateway.core.model import Scope as KeyScope

# What the services call what this dialect calls otherwise.
NAMING = {
    "max_tokens": "max_output_tokens",
    "messages": "input",
    "output": "text.format",
    "reasoning_effort": "reasoning.effort",
    "system": "instructions",
}

Route = guarded(
    reading=frozenset({KeyScope.READ, KeyScope.CHAT}), changing=frozenset({KeyScope.CHAT})
)
router = APIRouter(route_class=Route, tags=["Responses"])


async def create_response() -> None:
    """Answer as OpenAI's Responses do, whole or as events, with whatever provider is asked for.

    A response is stored unless `store` is false: as a turn in a chat, which goes on without its
    client, and which `previous_response_id` and `conversation` go on from. Otherwise nothing is
    kept of it but its usage. Fields that are not described go to providers that speak OpenAI's
    dialect; others refuse them.
    """
    raise NotImplementedError  # `post_response` answers; this documents


async def post_response(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer one request of somebody who was admitted."""
    with under_way(scope) as stream, convert.naming(**NAMING):
        question = asked(scope[BODY])
        way = stored.answer if question.body.stored else stateless.answer
        await way(stream, question, scope, receive, send)


async def count_response_tokens() -> None:
    """Count the tokens that a response with this input would be charged for."""
    raise NotImplementedError  # `post_count` answers; this documents


async def post_count(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer one request of somebody who was admitted."""
    gateway = gateway_of(scope)
    with convert.naming(**NAMING):
        body, others = bodies.decode(scope[BODY], Asked)
        for name in ("previous_response_id", "conversation"):
            if others.get(name) is not None:
                told = "What was said before is not counted here: send it as `input`."
                raise InvalidArgument.of(name, told)
        request = CountTokensRequest(request=common(body, others))
        ownership.tell(request.request.messages)
        counted = await gateway.provider.unary(
            gateway.provider.stub.CountTokens, request, scope[CALLER], READ_SECONDS
        )
    answer = b'{"object":"response.input_tokens","input_tokens":%d}' % counted.input_tokens
    await Response(answer, media_type="application/json")(scope, receive, send)


router.add_api_route(
    "/v1/responses",
    create_response,
    methods=["POST"],
    response_class=Response,
    summary="Create a response",
    operation_id="create_response",
    responses=schemas.STREAMED | refusals(Dialect.OPENAI, *BODY_REFUSALS, *TURN_REFUSALS),
    openapi_extra=schemas.BODY,
    route_class_override=answered_by(post_response, Route),
)
router.add_api_route(
    "/v1/responses/input_tokens",
    count_response_tokens,
    methods=["POST"],
    response_class=Response,
    summary="Count the tokens of a response's input",
    operation_id="count_response_tokens",
    responses=schemas.COUNTED | refusals(Dialect.OPENAI, *BODY_REFUSALS, *PROMPT_REFUSALS),
    openapi_extra=schemas.COUNT_BODY,
    route_class_override=answered_by(post_count, Route),
)
