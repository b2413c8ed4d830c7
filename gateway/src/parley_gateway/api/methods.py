"""Which methods a path takes, told with every 405."""

from __future__ import annotations

from starlette.routing import Match, Route
from starlette.types import Scope


def allowed(scope: Scope) -> str:
    """List all methods that the path of a request takes, as `Allow` has it.

    Starlette names those of the first route that matches; several may share a path.
    """
    methods: set[str] = set()
    for route in scope["app"].routes:
        if isinstance(route, Route) and route.matches(scope)[0] is not Match.NONE:
            methods |= route.methods or set()
    return ", ".join(sorted(methods))
