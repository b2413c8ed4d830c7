"""Routes of the names that administrators give to models."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path

from parley.provider.v1 import alias_pb2
from parley_gateway.api import convert
from parley_gateway.api.auditing import AuditedRoute
from parley_gateway.api.dependencies import (
    ADMINISTRATORS,
    READ_SECONDS,
    ActingAdministrator,
    ActingCaller,
    UsedGateway,
    guarded,
)
from parley_gateway.api.openapi import BODY_REFUSALS, refusals
from parley_gateway.api.schemas import aliases
from parley_gateway.core.scopes import ANY

Route = guarded(reading=ANY, changing=ADMINISTRATORS, among=AuditedRoute)
router = APIRouter(route_class=Route, tags=["Providers"])
AliasName = Annotated[
    str, Path(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:-]{0,99}$", description="What a model is called.")
]


@router.get("/aliases", summary="List aliases", operation_id="list_aliases", responses=refusals())
async def list_aliases(gateway: UsedGateway, caller: ActingCaller) -> aliases.AliasList:
    """List the names that administrators gave to models; a call may name one in `model`."""
    known: list[alias_pb2.Alias] = []
    request = alias_pb2.ListAliasesRequest()
    while True:
        answer = await gateway.provider.unary(
            gateway.provider.stub.ListAliases, request, caller, READ_SECONDS
        )
        known += answer.aliases
        request.page_token = answer.next_page_token
        if not request.page_token:
            return aliases.AliasList(aliases=[shown(alias) for alias in known])


@router.put(
    "/aliases/{alias}",
    summary="Set an alias",
    operation_id="set_alias",
    responses=refusals(*BODY_REFUSALS, "permission_denied", "provider_not_found"),
)
async def set_alias(
    alias: AliasName, body: aliases.AliasSet, gateway: UsedGateway, by: ActingAdministrator
) -> aliases.Alias:
    """Let a name mean a model; it holds everywhere within 5 s. For administrators.

    It goes before a model of that name. Its provider must be there; its vendor judges the model.
    """
    request = alias_pb2.UpdateAliasRequest(
        alias=alias, provider=body.provider, model=body.model or ""
    )
    with convert.naming():
        answer = await gateway.provider.unary(
            gateway.provider.stub.UpdateAlias, request, by, READ_SECONDS
        )
    return shown(answer.alias)


@router.delete(
    "/aliases/{alias}",
    summary="Delete an alias",
    operation_id="delete_alias",
    status_code=204,
    responses=refusals("invalid_argument", "permission_denied", "alias_not_found"),
)
async def delete_alias(alias: AliasName, gateway: UsedGateway, by: ActingAdministrator) -> None:
    """Take a name away; the model stays. For administrators."""
    request = alias_pb2.DeleteAliasRequest(alias=alias)
    await gateway.provider.unary(gateway.provider.stub.DeleteAlias, request, by, READ_SECONDS)


def shown(alias: alias_pb2.Alias) -> aliases.Alias:
    """Return an alias."""
    return aliases.Alias(
        alias=alias.alias,
        provider=alias.provider,
        model=alias.model or None,
        updated_at=convert.instant(alias.updated_at),
    )
