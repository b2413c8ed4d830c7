"""What the OpenAPI document says of dialects: bodies that msgspec decodes, and their failures."""

from __future__ import annotations

import inspect
from typing import Any

import msgspec
from parley_rpc.faults import Origin, RemoteFault
from parley_rpc.status import KINDS

from parley_gateway.api import problems
from parley_gateway.api.dialects.failures import Dialect, document_of, word_of

Document = dict[str, Any]
Responses = dict[int | str, Document]
REFS = "#/components/schemas/{name}"
# Parts of a body, which `collect` moves to where they belong.
COMPONENTS = "x-components"
EXAMPLE_ID = "01990000-0000-7000-8000-000000000000"
ERRORS: dict[Dialect, Document] = {
    Dialect.OPENAI: {
        "type": "object",
        "required": ["error"],
        "properties": {
            "error": {
                "type": "object",
                "required": ["message", "type", "param", "code"],
                "properties": {
                    "message": {"type": "string"},
                    "type": {"type": "string"},
                    "param": {"type": ["string", "null"]},
                    "code": {"type": ["string", "null"]},
                },
            }
        },
    },
    Dialect.ANTHROPIC: {
        "type": "object",
        "required": ["type", "error", "request_id"],
        "properties": {
            "type": {"const": "error"},
            "error": {
                "type": "object",
                "required": ["type", "message"],
                "properties": {"type": {"type": "string"}, "message": {"type": "string"}},
            },
            "request_id": {"type": "string"},
        },
    },
}
NAMES: dict[Dialect, str] = {
    Dialect.OPENAI: "OpenAIError",
    Dialect.ANTHROPIC: "AnthropicError",
}
# What any guarded route may answer, and what any route with a body may.
ALWAYS = (
    "unauthenticated",
    "limit_exceeded",
    "too_many_attempts",
    "malformed_request",
    "internal",
    "unavailable",
    "database_unavailable",
    "deadline_exceeded",
)


def request_body(
    struct: type[msgspec.Struct], example: Document, prefix: str = "", *, is_open: bool = True
) -> Document:
    """Describe a body, for a route's `openapi_extra`.

    One that is open hands on what it does not know, so the document allows other fields. `prefix`
    goes before the names of its parts, which other bodies may have too.
    """
    template = REFS.format(name=f"{prefix}{{name}}")
    [schema], found = msgspec.json.schema_components([struct], ref_template=template)
    parts = {f"{prefix}{name}": part for name, part in found.items()}
    for part in parts.values() if is_open else ():
        open_up(part)
    content = {"application/json": {"schema": schema, "example": example}}
    return {"requestBody": {"required": True, "content": content}, COMPONENTS: parts}


def open_up(schema: Document) -> None:
    """Allow an object any other fields, as long as they have names."""
    if schema.get("type") == "object":
        schema.pop("additionalProperties", None)
        schema["propertyNames"] = {"minLength": 1}


def stream_of(schema: Document, example: str, last: str) -> Document:
    """Describe a stream of server-sent events: `data` is JSON of this schema, but for the last."""
    event: Document = {
        "type": "object",
        "required": ["data"],
        "properties": {
            "event": {"type": "string"},
            "data": {
                "type": "string",
                "anyOf": [
                    {"contentMediaType": "application/json", "contentSchema": schema},
                    {"const": last},
                ],
            },
        },
    }
    return {"text/event-stream": {"schema": event, "example": example}}


def refusals(dialect: Dialect, *reasons: str, scoped: bool = True) -> Responses:
    """Document how a guarded route of a dialect may fail: with these reasons, and as all do.

    `scoped` says that not every key may ask.
    """
    responses: Responses = {}
    for reason in dict.fromkeys([*reasons, *ALWAYS, *(("scope_missing",) if scoped else ())]):
        fault = RemoteFault(
            f"{problems.PROBLEMS[reason].title}.", Origin(next(iter(KINDS.values())), reason, "")
        )
        status = word_of(fault, dialect).status
        schema = {"$ref": REFS.format(name=NAMES[dialect])}
        content: Document = {"schema": schema, "examples": {}}
        failure = responses.setdefault(
            status, {"description": "", "content": {"application/json": content}}
        )
        shown = failure["content"]["application/json"]["examples"]
        shown[reason] = {"value": document_of(fault, dialect, EXAMPLE_ID)}
        failure["description"] = ", ".join(f"`{name}`" for name in shown)
    return responses


def flush_left(schema: Document) -> Document:
    """Describe a schema without the margin of the source, which Python keeps before 3.13."""
    if "description" in schema:
        schema["description"] = inspect.cleandoc(schema["description"])
    return schema


def collect(document: Document) -> None:
    """Move the parts of bodies to the document's components, and describe the errors there."""
    schemas = document["components"]["schemas"]
    for path, operations in document["paths"].items():
        for operation in operations.values():
            schemas |= {
                name: flush_left(part) for name, part in operation.pop(COMPONENTS, {}).items()
            }
            if path.startswith("/v1/"):
                # FastAPI's own, which dialects call a bad request.
                operation["responses"].pop("422", None)
    schemas |= {NAMES[dialect]: schema for dialect, schema in ERRORS.items()}
