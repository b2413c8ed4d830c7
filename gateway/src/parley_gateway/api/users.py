"""Routes of users, for administrators."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path

from parley_gateway.api import convert, convert_accounts
from parley_gateway.api.dependencies import (
    ADMINISTRATORS,
    ActingIdentity,
    AskedFrom,
    AskedPage,
    UsedGateway,
    guarded,
)
from parley_gateway.api.openapi import BODY_REFUSALS, refusals
from parley_gateway.api.schemas import accounts
from parley_gateway.api.schemas.fields import Uuid
from parley_gateway.core.model import Place, Role

router = APIRouter(
    route_class=guarded(reading=ADMINISTRATORS, changing=ADMINISTRATORS),
    tags=["Users and keys"],
)
UserId = Annotated[Uuid, Path(description="The user's id.")]


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
    return accounts.UserPage(
        users=[convert_accounts.user(user) for user in shown], next_page_token=token
    )


@router.post(
    "/users",
    summary="Add a user",
    operation_id="create_user",
    status_code=201,
    responses=refusals(*BODY_REFUSALS, "permission_denied", "user_exists"),
)
async def create_user(
    body: accounts.UserCreate, gateway: UsedGateway, by: ActingIdentity, whence: AskedFrom
) -> accounts.User:
    """Add a user. For administrators."""
    user = await gateway.accounts.add_user(by, body.name, Role(body.role), whence)
    return convert_accounts.user(user)


@router.get(
    "/users/{user_id}",
    summary="Get a user",
    operation_id="get_user",
    responses=refusals("invalid_argument", "permission_denied", "user_not_found"),
)
async def get_user(user_id: UserId, gateway: UsedGateway, by: ActingIdentity) -> accounts.User:
    """Get one user. For administrators."""
    return convert_accounts.user(await gateway.accounts.get_user(by, user_id))


@router.patch(
    "/users/{user_id}",
    summary="Change a user",
    operation_id="update_user",
    responses=refusals(
        *BODY_REFUSALS,
        "permission_denied",
        "user_not_found",
        "user_exists",
        "last_administrator",
    ),
)
async def update_user(
    user_id: UserId,
    body: accounts.UserUpdate,
    gateway: UsedGateway,
    by: ActingIdentity,
    whence: AskedFrom,
) -> accounts.User:
    """Change what is sent of a user; who may do less then does so within 5 s, everywhere.

    Replies that are being made for a user who is disabled, or no administrator any more, are
    stopped. For administrators.
    """
    change = convert_accounts.user_change(body)
    return convert_accounts.user(await gateway.accounts.change_user(by, user_id, change, whence))
