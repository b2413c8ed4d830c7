"""The route of the audit log, for administrators."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query
from parley_rpc.faults import InvalidArgument

from parley_gateway.api import convert, convert_accounts
from parley_gateway.api.dependencies import (
    ADMINISTRATORS,
    NOBODY,
    ActingIdentity,
    AskedPage,
    UsedGateway,
    guarded,
)
from parley_gateway.api.openapi import refusals
from parley_gateway.api.schemas import accounts
from parley_gateway.api.schemas.fields import Moment, Uuid
from parley_gateway.core.entries import EntryFilter
from parley_gateway.core.model import Place

router = APIRouter(
    route_class=guarded(reading=ADMINISTRATORS, changing=NOBODY), tags=["Users and keys"]
)


async def _entries(
    actor: Annotated[Uuid | None, Query(description="Of this user only.")] = None,
    action: Annotated[
        str | None, Query(description="Of this kind only.", pattern="^[a-z_]{1,100}$")
    ] = None,
    since: Annotated[
        Moment | None,
        Query(alias="from", description="Leaves out what was earlier: a time, or a date in UTC."),
    ] = None,
    until: Annotated[
        Moment | None, Query(alias="to", description="Leaves out what was then or later.")
    ] = None,
) -> EntryFilter:
    if since is not None and until is not None and until <= since:
        raise InvalidArgument.of("to", "It must be later than `from`.")
    return EntryFilter(actor, action, since, until)


AskedEntries = Annotated[EntryFilter, Depends(_entries)]


@router.get(
    "/audit",
    summary="Read the audit log",
    operation_id="list_audit",
    responses=refusals("invalid_argument", "permission_denied"),
)
async def list_audit(
    gateway: UsedGateway, by: ActingIdentity, page: AskedPage, asked: AskedEntries
) -> accounts.AuditPage:
    """List who did what to what, newest first. For administrators.

    Refusals are written within a second, those of one kind in that time as one entry with their
    `count`.
    """
    after = convert.place(page.token, convert.is_uuid)
    entries = await gateway.audit.page(by, asked, after, page.size + 1)
    shown = entries[: page.size]
    token = None
    if len(entries) > page.size:
        token = convert.page_token(Place(shown[-1].at, str(shown[-1].entry_id)))
    return accounts.AuditPage(
        entries=[convert_accounts.entry(entry) for entry in shown], next_page_token=token
    )
