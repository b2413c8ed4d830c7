"""Who answers here: the root, the documentation, and what each failure means."""

from __future__ import annotations

from importlib.metadata import version

from fastapi import APIRouter, Request
from fastapi.openapi.docs import get_redoc_html, get_swagger_ui_html
from fastapi.routing import APIRoute
from starlette.responses import HTMLResponse, PlainTextResponse
from starlette.staticfiles import StaticFiles

from parley_gateway.api.problems import PROBLEM_TYPES, PROBLEMS
from parley_gateway.api.schemas import platform
from parley_gateway.core.faults import RouteNotFound

NAME = "Parley"
VERSION = version("parley-gateway")
OPENAPI = "/openapi.json"
ASSETS = "/docs/assets"
LINKS = {"docs": "/docs", "redoc": "/redoc", "openapi": OPENAPI, "health": "/health"}
# The pages run the scripts below ASSETS and one that FastAPI writes into them.
PAGE_POLICY = (
    "default-src 'none'; connect-src 'self'; font-src 'self'; frame-ancestors 'none'; "
    "img-src 'self' data:; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; "
    "worker-src blob:"
)
PAGE = {"Content-Security-Policy": PAGE_POLICY}

router = APIRouter(tags=["Platform"])
pages = APIRouter(include_in_schema=False)
problem_types = APIRouter(include_in_schema=False)
# Swagger UI and ReDoc from a package, for machines that reach no content network.
assets = StaticFiles(packages=[("fastapi_offline", "static")])


@router.get("/", summary="Who answers here", operation_id="get_about")
async def get_about(request: Request) -> platform.About:
    """Tell the name, the version, and every route."""
    routes = [
        platform.Route(method=method, path=route.path_format, summary=route.summary or "")
        for route in request.app.routes
        if isinstance(route, APIRoute) and route.include_in_schema
        for method in sorted(route.methods or ())
    ]
    links = LINKS if request.app.openapi_url else {"health": LINKS["health"]}
    return platform.About(name=NAME, version=VERSION, links=links, routes=routes)


@pages.get("/docs")
async def get_docs() -> HTMLResponse:
    """Show the OpenAPI document as Swagger UI."""
    page = get_swagger_ui_html(
        openapi_url=OPENAPI,
        title=NAME,
        swagger_js_url=f"{ASSETS}/swagger-ui-bundle.js",
        swagger_css_url=f"{ASSETS}/swagger-ui.css",
        swagger_favicon_url=f"{ASSETS}/favicon.png",
    )
    page.headers.update(PAGE)
    return page


@pages.get("/redoc")
async def get_redoc() -> HTMLResponse:
    """Show the OpenAPI document as ReDoc."""
    page = get_redoc_html(
        openapi_url=OPENAPI,
        title=NAME,
        redoc_js_url=f"{ASSETS}/redoc.standalone.js",
        redoc_favicon_url=f"{ASSETS}/favicon.png",
        with_google_fonts=False,
    )
    page.headers.update(PAGE)
    return page


@problem_types.get(PROBLEM_TYPES + "{reason}")
async def get_problem_type(reason: str) -> PlainTextResponse:
    """Tell what a problem document's `type` means."""
    row = PROBLEMS.get(reason)
    if row is None:
        raise RouteNotFound(f"{PROBLEM_TYPES}{reason}")
    again = "may help" if row.retryable else "does not help"
    return PlainTextResponse(
        f"{reason}: {row.title}.\nStatus {row.status}. Trying the same again {again}.\n"
    )
