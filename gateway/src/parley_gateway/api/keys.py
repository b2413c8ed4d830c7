"""Routes of keys."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query

from parley_gateway.api import convert, convert_accounts
from parley_gateway.api.dependencies import (
    ActingIdentity,
    AskedFrom,
    AskedPage,
    UsedGateway,
    guarded,
)
from parley_gateway.api.openapi import BODY_REFUSALS, refusals
from parley_gateway.api.schemas import accounts
from parley_gateway.api.schemas.fields import Uuid
from parley_gateway.core.keys import is_key_id
from parley_gateway.core.model import Place, Scope

router = APIRouter(
    route_class=guarded(
        reading=frozenset({Scope.READ, Scope.KEYS}), changing=frozenset({Scope.KEYS})
    ),
    tags=["Users and keys"],
)
USUAL_ROTATION = accounts.KeyRotation()
KeyId = Annotated[str, Path(description="The key's id.")]


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
    user_id: Annotated[Uuid | None, Query(description="Whose; others' for administrators.")] = None,
) -> accounts.KeyPage:
    """List keys that are not revoked, newest first."""
    after = convert.place(page.token, is_key_id)
    keys = await gateway.accounts.list_keys(by, user_id, after, page.size + 1)
    shown = keys[: page.size]
    token = None
    if len(keys) > page.size:
        token = convert.page_token(Place(shown[-1].created_at, shown[-1].key_id))
    return accounts.KeyPage(
        keys=[accounts.Key(**convert_accounts.key_fields(key)) for key in shown],
        next_page_token=token,
    )


@router.post(
    "/keys",
    summary="Make a key",
    operation_id="create_key",
    status_code=201,
    responses=refusals(*BODY_REFUSALS, "permission_denied", "user_not_found"),
)
async def create_key(
    body: accounts.KeyCreate, gateway: UsedGateway, by: ActingIdentity, whence: AskedFrom
) -> accounts.NewKey:
    """Make a key; it is shown this once.

    It can do no more, and live no longer, than the key that makes it. One with limits or budgets
    of its own makes none.
    """
    key, token = await gateway.accounts.add_key(
        by,
        body.name,
        owner=body.user_id,
        expires_at=body.expires_at,
        restriction=convert_accounts.restriction(body),
        whence=whence,
    )
    return accounts.NewKey(**convert_accounts.key_fields(key), key=token)


@router.post(
    "/keys/{key_id}/rotate",
    summary="Rotate a key",
    operation_id="rotate_key",
    status_code=201,
    responses=refusals(*BODY_REFUSALS, "permission_denied", "key_not_found", "key_rotated"),
)
async def rotate_key(
    key_id: KeyId,
    gateway: UsedGateway,
    by: ActingIdentity,
    whence: AskedFrom,
    body: accounts.KeyRotation = USUAL_ROTATION,
) -> accounts.NewKey:
    """Make a key's successor, with its name, scopes, limits and expiry; it is shown this once.

    The old key ends after the overlap, a day unless another one is said.
    """
    key, token = await gateway.accounts.rotate_key(by, key_id, body.overlap_seconds, whence)
    return accounts.NewKey(**convert_accounts.key_fields(key), key=token)


@router.delete(
    "/keys/{key_id}",
    summary="Revoke a key",
    operation_id="delete_key",
    status_code=204,
    responses=refusals("invalid_argument", "key_not_found"),
)
async def delete_key(
    key_id: KeyId, gateway: UsedGateway, by: ActingIdentity, whence: AskedFrom
) -> None:
    """Revoke a key of the caller's, as an administrator anybody's; gone within 5 seconds.

    The replies that it asked for are stopped, and streams that it opened end.
    """
    await gateway.accounts.revoke_key(by, key_id, whence)
