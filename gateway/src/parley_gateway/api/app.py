"""The HTTP application: routes, failures, and what every request passes."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from parley_rpc.faults import Fault, Internal
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware

from parley_gateway.api import (
    about,
    accounts,
    aliases,
    audit,
    chats,
    configuration,
    health,
    keys,
    openapi,
    prompts,
    providers,
    replies,
    usage,
    users,
)
from parley_gateway.api.auditing import note_refusal
from parley_gateway.api.cors import CrossOrigins
from parley_gateway.api.dependencies import Gateway
from parley_gateway.api.dialects import failures
from parley_gateway.api.dialects.completions import routes as completions
from parley_gateway.api.dialects.messages import routes as messages
from parley_gateway.api.dialects.responses import conversations
from parley_gateway.api.dialects.responses import creating as responses
from parley_gateway.api.dialects.responses import reading as stored_responses
from parley_gateway.api.health import Monitor
from parley_gateway.api.methods import allowed
from parley_gateway.api.middleware import Exchanges
from parley_gateway.api.validation import invalid
from parley_gateway.core.faults import (
    MethodNotAllowed,
    RouteNotFound,
)

METHOD_NOT_ALLOWED = 405
Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]
# The hot route first: routes are tried in order.
ROUTERS = (
    completions,
    chats,
    messages,
    responses,
    stored_responses,
    conversations,
    replies,
    prompts,
    providers,
    configuration,
    aliases,
    usage,
    accounts,
    users,
    keys,
    audit,
    health,
    about,
)


def build_app(gateway: Gateway, lifespan: Lifespan | None = None) -> FastAPI:
    """Put the application together around what its routes use."""
    door = gateway.door
    middleware = [Middleware(Exchanges, door, failures.response)]
    if door.origins:
        middleware.append(Middleware(CrossOrigins, door.origins))
    app = FastAPI(
        title=about.NAME,
        version=about.VERSION,
        lifespan=lifespan,
        openapi_url=about.OPENAPI if door.docs else None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        middleware=middleware,
        exception_handlers={
            Fault: answer_fault,
            HTTPException: answer_http_exception,
            RequestValidationError: answer_validation_error,
        },
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )
    app.state.gateway = gateway
    app.state.monitor = Monitor(gateway)
    add_routes(app)
    app.router.routes.extend(about.problem_types.routes)
    if door.docs:
        app.router.routes.extend(about.pages.routes)
        app.mount(about.ASSETS, about.assets)
    app.openapi = lambda: openapi.describe(app)  # type: ignore[method-assign]
    return app


def add_routes(app: FastAPI) -> None:
    """Add what the document describes."""
    for module in ROUTERS:
        # Flat: an included router is matched twice, which the hot route would pay for.
        app.router.routes.extend(module.router.routes)


def document() -> openapi.Document:
    """Make the OpenAPI document of an application that nobody runs."""
    app = FastAPI(title=about.NAME, version=about.VERSION)
    add_routes(app)
    return openapi.describe(app)


async def answer_fault(request: Request, fault: Exception) -> Response:
    """Answer with a fault that a route, or a service behind it, reported."""
    assert isinstance(fault, Fault)  # noqa: S101  (what it is registered for)
    note_refusal(request, fault)
    return failures.response(fault, request.scope)


async def answer_http_exception(request: Request, error: Exception) -> Response:
    """Answer with what the router or FastAPI refuses."""
    assert isinstance(error, HTTPException)  # noqa: S101  (what it is registered for)
    known: dict[int, Fault] = {
        404: RouteNotFound(request.scope["path"]),
        METHOD_NOT_ALLOWED: MethodNotAllowed(request.method),
    }
    fault = known.get(error.status_code, Internal(error.detail))
    response = await answer_fault(request, fault)
    response.headers.update(error.headers or {})
    if error.status_code == METHOD_NOT_ALLOWED:
        response.headers["Allow"] = allowed(request.scope)
    return response


async def answer_validation_error(request: Request, error: Exception) -> Response:
    """Answer with what pydantic found wrong."""
    assert isinstance(error, RequestValidationError)  # noqa: S101  (what it is registered for)
    return await answer_fault(request, invalid(error.errors()))
