"""Lists of items: in which order, from where on, and how many."""

from __future__ import annotations

from typing import Annotated, Any, Literal, NamedTuple

import orjson
from fastapi import Depends, Query
from parley_rpc.faults import InvalidArgument
from starlette.responses import Response

Document = dict[str, Any]
Include = Annotated[
    list[str] | None,
    Query(alias="include", description="Taken, and not needed: all that is kept is shown."),
]


class Page(NamedTuple):
    """Which part of a list is asked for."""

    limit: int
    ascending: bool
    after: str


async def _page(
    limit: Annotated[int, Query(ge=1, le=100, description="The most items of a page.")] = 20,
    order: Annotated[
        Literal["asc", "desc"], Query(description="Oldest first, or newest first.")
    ] = "desc",
    after: Annotated[str, Query(description="The item behind which the page begins.")] = "",
    _include: Include = None,
) -> Page:
    return Page(limit, order == "asc", after)


AskedItems = Annotated[Page, Depends(_page)]


def not_there(after: str) -> InvalidArgument:
    """Return what a place that the list does not have is refused with."""
    return InvalidArgument.of("after", f"The list has no item '{after}'.")


def part(items: list[Document], page: Page) -> Response:
    """Answer with a part of a whole list, which is given oldest first; InvalidArgument."""
    ordered = items if page.ascending else items[::-1]
    if page.after:
        ids = [item["id"] for item in ordered]
        if page.after not in ids:
            raise not_there(page.after)
        ordered = ordered[ids.index(page.after) + 1 :]
    return answered(ordered[: page.limit + 1], page)


def answered(found: list[Document], page: Page) -> Response:
    """Answer with what was found, of which one more than asked for says that there is more."""
    shown = found[: page.limit]
    made = {
        "object": "list",
        "data": shown,
        "first_id": shown[0]["id"] if shown else "",
        "last_id": shown[-1]["id"] if shown else "",
        "has_more": len(found) > len(shown),
    }
    return document(made)


def document(made: Document) -> Response:
    """Answer with a document."""
    return Response(orjson.dumps(made), media_type="application/json")
