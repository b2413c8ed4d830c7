"""Routes of the caller, of users and of keys."""

from __future__ import annotations

from base64 import b64encode
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Query
from parley_rpc.context import expiry_of

from parley_gateway.api import convert
from parley_gateway.api.dependencies import (
    ActingCaller,
    ActingIdentity,
    AskedPage,
    GuardedRoute,
    UsedGateway,
)
from parley_gateway.api.openapi import BODY_REFUSALS, refusals
from parley_gateway.api.quota import KnownAllowances
from parley_gateway.api.schemas import accounts
from parley_gateway.core.keys import is_key_id
from parley_gateway.core.model import Place, Role

router = APIRouter(route_class=GuardedRoute, tags=["Users and keys"])


@router.get("/me", summary="Who am I", operation_id="get_me", responses=refusals())
async def get_me(
    gateway: UsedGateway, by: ActingIdentity, allowances: KnownAllowances
) -> accounts.Me:
    """Say whose key was shown, and what is left of its limits and budgets."""
    return accounts.Me(
        user_id=by.user_id,
        name=by.user_name,
        role=by.role.value,
        key=accounts.MyKey(key_id=by.key_id, name=by.key_name, expires_at=by.expires_at),
        limits=accounts.MyLimits(requests_per_hour=gateway.limiter.payer(by).user.limit),
        allowances=allowances,
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


@router.get(
    "/users",
    summary="List users",
    operation_id="list_users",
    responses=refusals("invalid_argument", "permission_denied"),
)
async def list_users(
    gateway: UsedGateway, by: ActingIdentity, page: AskedPage
) -> accounts.UserPage:
    """List users, newest first. For administrators."""
    after = convert.place(page.token, convert.is_uuid)
    users = await gateway.accounts.list_users(by, after, page.size + 1)
    shown = users[: page.size]
    token = None
    if len(users) > page.size:
        token = convert.page_token(Place(shown[-1].created_at, str(shown[-1].user_id)))
    return accounts.UserPage(users=[convert.user(user) for user in shown], next_page_token=token)


@router.post(
    "/users",
    summary="Add a user",
    operation_id="create_user",
    status_code=201,
    responses=refusals(*BODY_REFUSALS, "permission_denied", "user_exists"),
)
async def create_user(
    body: accounts.UserCreate, gateway: UsedGateway, by: ActingIdentity
) -> accounts.User:
    """Add a user. For administrators."""
    return convert.user(await gateway.accounts.add_user(by, body.name, Role(body.role)))


@router.get(
    "/keys",
    summary="List keys",
    operation_id="list_keys",
    responses=refusals("invalid_argument", "permission_denied"),
)
async def list_keys(
    gateway: UsedGateway,
    by: ActingIdentity,
    page: AskedPage,
    user_id: Annotated[UUID | None, Query(description="Whose; others' for administrators.")] = None,
) -> accounts.KeyPage:
    """List keys that are not revoked, newest first."""
    after = convert.place(page.token, is_key_id)
    keys = await gateway.accounts.list_keys(by, user_id, after, page.size + 1)
    shown = keys[: page.size]
    token = None
    if len(keys) > page.size:
        token = convert.page_token(Place(shown[-1].created_at, shown[-1].key_id))
    return accounts.KeyPage(
        keys=[accounts.Key(**convert.key_fields(key)) for key in shown], next_page_token=token
    )


@router.post(
    "/keys",
    summary="Make a key",
    operation_id="create_key",
    status_code=201,
    responses=refusals(*BODY_REFUSALS, "permission_denied", "user_not_found"),
)
async def create_key(
    body: accounts.KeyCreate, gateway: UsedGateway, by: ActingIdentity
) -> accounts.NewKey:
    """Make a key; it is shown this once."""
    key, token = await gateway.accounts.add_key(
        by, body.name, owner=body.user_id, expires_at=body.expires_at
    )
    return accounts.NewKey(**convert.key_fields(key), key=token)


@router.delete(
    "/keys/{key_id}",
    summary="Revoke a key",
    operation_id="delete_key",
    status_code=204,
    responses=refusals("invalid_argument", "key_not_found"),
)
async def delete_key(
    key_id: Annotated[str, Path(description="The key's id.")],
    gateway: UsedGateway,
    by: ActingIdentity,
) -> None:
    """Revoke a key of the caller's, as an administrator anybody's; gone within 5 seconds."""
    await gateway.accounts.revoke_key(by, key_id)
