"""Routes of the caller."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import replace

from fastapi import APIRouter
from parley_rpc.context import expiry_of

from parley_gateway.api import convert_accounts
from parley_gateway.api.dependencies import ActingCaller, ActingIdentity, UsedGateway, guarded
from parley_gateway.api.openapi import BODY_REFUSALS, refusals
from parley_gateway.api.schemas import accounts
from parley_gateway.core.scopes import ANY

router = APIRouter(route_class=guarded(reading=ANY, changing=ANY), tags=["Users and keys"])


@router.get("/me", summary="Who am I", operation_id="get_me", responses=refusals())
async def get_me(gateway: UsedGateway, by: ActingIdentity) -> accounts.Me:
    """Say whose key was shown, what it is for, and within which limits."""
    quota = by.user_quota
    if quota.requests_per_hour is None:
        quota = replace(quota, requests_per_hour=gateway.limiter.limit)
    return accounts.Me(
        user_id=by.user_id,
        name=by.user_name,
        role=by.role.value,
        key=accounts.MyKey(
            key_id=by.key_id,
            name=by.key_name,
            scopes=sorted(by.scopes),
            expires_at=by.expires_at,
        ),
        limits=convert_accounts.limits(quota),
        budgets=convert_accounts.budgets(quota),
    )


@router.post(
    "/me/context",
    summary="Vouch for me",
    operation_id="create_my_context",
    status_code=201,
    responses=refusals(*BODY_REFUSALS),
)
async def create_my_context(caller: ActingCaller) -> accounts.Context:
    """Vouch for the caller towards the services behind the gateway.

    Decoded, `context` is the metadata `parley-user-context-bin` of a gRPC call.
    """
    context = b64encode(caller.signed).decode()
    return accounts.Context(context=context, expires_at=expiry_of(caller))
