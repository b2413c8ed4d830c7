"""`POST /v1/embeddings`: vectors for texts."""

from __future__ import annotations

import base64
import sys
from array import array
from collections.abc import Iterable
from typing import Any

import orjson
from parley_rpc.faults import InvalidArgument
from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from uuid_utils.compat import uuid7

from parley.provider.v1.embedding_pb2 import CreateEmbeddingsRequest, CreateEmbeddingsResponse
from parley_gateway.api.dependencies import BODY, CALLER, gateway_of
from parley_gateway.api.dialects import generation
from parley_gateway.api.dialects.bodies import decode
from parley_gateway.api.dialects.completions.body import EmbeddingsBody
from parley_gateway.api.dialects.completions.translate import naming

Json = dict[str, Any]
NO_TOKENS = "Tokens mean nothing to other vendors: send text."


async def post_embeddings(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer one request of somebody who was admitted."""
    body = decoded(scope[BODY])
    with generation.under_way(scope) as stream:
        async with stream.waiting():
            with naming():
                made = await generation.unless_left(vectors(scope, body), receive)
    if made is not None:
        document = embeddings(made, in_base64=body.encoding_format == "base64")
        answer = Response(orjson.dumps(document), media_type="application/json")
        await answer(scope, receive, send)


def decoded(body: bytes) -> EmbeddingsBody:
    """Read a body; InvalidArgument, also for fields that it does not know: nobody would."""
    try:
        known, unknown = decode(body, EmbeddingsBody)
    except InvalidArgument as fault:
        is_number = "got `int`" in fault.sentence or "got `array`" in fault.sentence
        if is_number and fault.violations[0].field.startswith("input"):
            raise InvalidArgument.of(fault.violations[0].field, NO_TOKENS) from None
        raise
    for name, value in unknown.items():
        if value is not None:
            raise InvalidArgument.of(name, "It is not known.")
    return known


async def vectors(scope: Scope, body: EmbeddingsBody) -> CreateEmbeddingsResponse:
    """Ask for the vectors."""
    gateway = gateway_of(scope)
    await generation.refuse_used_up(scope)
    request = CreateEmbeddingsRequest(
        usage_id=str(uuid7()),
        model=body.model,
        texts=[body.input] if isinstance(body.input, str) else body.input,
        dimensions=body.dimensions,
    )
    return await gateway.provider.unary(
        gateway.provider.stub.CreateEmbeddings, request, scope[CALLER], gateway.turn_seconds
    )


def embeddings(made: CreateEmbeddingsResponse, *, in_base64: bool) -> Json:
    """Return vectors as this dialect has them."""
    tokens = made.usage.input_tokens
    write = packed if in_base64 else list
    return {
        "object": "list",
        "data": [
            {"object": "embedding", "index": index, "embedding": write(vector.values)}
            for index, vector in enumerate(made.embeddings)
        ],
        "model": f"{made.provider}/{made.model}",
        "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
    }


def packed(values: Iterable[float]) -> str:
    """Write numbers as their bytes, the smallest first, in base64."""
    numbers = array("f", values)
    if sys.byteorder == "big":
        numbers.byteswap()
    return base64.b64encode(numbers.tobytes()).decode()
