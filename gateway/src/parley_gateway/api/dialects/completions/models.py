"""`GET /v1/models`: what can be asked, in the shape that the client speaks."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from parley_rpc.context import Caller
from parley_rpc.faults import Fault, InvalidArgument

from parley.provider.v1 import alias_pb2
from parley.provider.v1.model_pb2 import GetModelRequest, ListModelsRequest
from parley.provider.v1.provider_pb2 import PROVIDER_STATUS_READY, Provider
from parley_gateway.api.dependencies import READ_SECONDS, Gateway
from parley_gateway.api.dialects.failures import Dialect
from parley_gateway.api.providers import VENDOR_SECONDS, all_providers

Json = dict[str, Any]
# One vendor that is away makes nobody wait for long.
SOON_SECONDS = 5.0
# Nobody says when a model was made.
UNKNOWN_TIME = 0
UNKNOWN_DAY = datetime.fromtimestamp(UNKNOWN_TIME, UTC).isoformat().replace("+00:00", "Z")


@dataclass(frozen=True, slots=True)
class Listed:
    """A name that a request may give as its model."""

    name: str
    provider: str
    display_name: str = ""
    context_window: int = 0
    max_output_tokens: int = 0


async def listed(gateway: Gateway, caller: Caller) -> list[Listed]:
    """Return all names that can be asked now: of models, then aliases."""
    providers = await all_providers(gateway, caller)
    ready = [one for one in providers if one.enabled and one.status == PROVIDER_STATUS_READY]
    names = {one.name for one in ready}
    aliases = [one for one in await all_aliases(gateway, caller) if one.provider in names]
    models = await asyncio.gather(*(models_of(gateway, caller, one) for one in ready))
    return [
        *itertools.chain.from_iterable(models),
        *(Listed(one.alias, one.provider) for one in aliases),
    ]


async def models_of(gateway: Gateway, caller: Caller, provider: Provider) -> list[Listed]:
    """Return the models of a provider; its vendor is asked only where none is known yet."""
    names = provider.models or await asked_for(gateway, caller, provider.name)
    return [Listed(f"{provider.name}/{name}", provider.name, display_name=name) for name in names]


async def asked_for(gateway: Gateway, caller: Caller, provider: str) -> Sequence[str]:
    """Return what a provider's vendor lists; nothing when it does not say soon."""
    with contextlib.suppress(Fault):
        answer = await gateway.provider.unary(
            gateway.provider.stub.ListModels,
            ListModelsRequest(provider=provider),
            caller,
            SOON_SECONDS,
        )
        return [model.name for model in answer.models]
    return ()


async def all_aliases(gateway: Gateway, caller: Caller) -> list[alias_pb2.Alias]:
    """Collect the pages of all aliases."""
    known: list[alias_pb2.Alias] = []
    request = alias_pb2.ListAliasesRequest()
    while True:
        answer = await gateway.provider.unary(
            gateway.provider.stub.ListAliases, request, caller, READ_SECONDS
        )
        known += answer.aliases
        request.page_token = answer.next_page_token
        if not request.page_token:
            return known


async def found(gateway: Gateway, caller: Caller, name: str) -> Listed:
    """Return what a name means; ModelNotFound, ProviderNotFound."""
    answer = await gateway.provider.unary(
        gateway.provider.stub.GetModel, GetModelRequest(model=name), caller, VENDOR_SECONDS
    )
    model = answer.model
    return Listed(
        name, model.provider, model.display_name, model.context_window, model.max_output_tokens
    )


def shown(model: Listed, dialect: Dialect) -> Json:
    """Return a model as a dialect has it."""
    if dialect is Dialect.OPENAI:
        return {
            "id": model.name,
            "object": "model",
            "created": UNKNOWN_TIME,
            "owned_by": model.provider,
        }
    return {
        "type": "model",
        "id": model.name,
        "display_name": model.display_name or model.name,
        "created_at": UNKNOWN_DAY,
        "lifecycle": "active",
        "max_input_tokens": model.context_window or None,
        "max_tokens": model.max_output_tokens or None,
    }


@dataclass(frozen=True, slots=True)
class Page:
    """Which part of the list Anthropic's clients ask for."""

    limit: int = 20
    after: str = ""
    before: str = ""


def listing(models: Sequence[Listed], dialect: Dialect, page: Page) -> Json:
    """Return a list of models as a dialect has it; InvalidArgument for a place that is none."""
    if dialect is Dialect.OPENAI:
        return {"object": "list", "data": [shown(model, dialect) for model in models]}
    part, has_more = cut(models, page)
    return {
        "data": [shown(model, dialect) for model in part],
        "has_more": has_more,
        "first_id": part[0].name if part else None,
        "last_id": part[-1].name if part else None,
    }


def cut(models: Sequence[Listed], page: Page) -> tuple[Sequence[Listed], bool]:
    """Return a page of the list, and whether it goes on in the direction of reading."""
    if page.before:
        end = place_of(models, page.before, "before_id")
        start = max(0, end - page.limit)
        return models[start:end], start > 0
    start = place_of(models, page.after, "after_id") + 1 if page.after else 0
    end = start + page.limit
    return models[start:end], end < len(models)


def place_of(models: Sequence[Listed], name: str, field: str) -> int:
    """Return where a model stands in the list; InvalidArgument."""
    for place, model in enumerate(models):
        if model.name == name:
            return place
    raise InvalidArgument.of(field, "It is no model of this list.")
