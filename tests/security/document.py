"""The gateway's OpenAPI document, read for what can be asked for and by which ids."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, cast

from parley_gateway.api.app import build_app
from parley_gateway.api.dependencies import Gateway
from parley_gateway.api.door import Door
from starlette.routing import BaseRoute

VERBS = frozenset({"get", "put", "post", "delete", "patch", "head", "options", "trace"})
# What the document needs of what its routes would use: which of them are there.
NOTHING = cast("Gateway", SimpleNamespace(door=Door()))


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation, and what of a request to it names something."""

    method: str
    path: str
    guarded: bool
    path_names: tuple[str, ...]
    query_names: tuple[str, ...]
    body_names: tuple[str, ...]
    success: int

    @property
    def label(self) -> str:
        """How people name it."""
        return f"{self.method} {self.path}"


def document() -> dict[str, Any]:
    """The document of this tree's gateway, without running one."""
    described: dict[str, Any] = build_app(NOTHING).openapi()
    return described


def routes() -> list[BaseRoute]:
    """All routes, those that the document leaves out among them."""
    return build_app(NOTHING).routes


def operations(described: Mapping[str, Any]) -> list[Operation]:
    """What a document describes."""
    return [
        operation(described, verb.upper(), path, told)
        for path, verbs in described["paths"].items()
        for verb, told in verbs.items()
        if verb in VERBS
    ]


def operation(
    described: Mapping[str, Any], method: str, path: str, told: Mapping[str, Any]
) -> Operation:
    """Read one operation."""
    named = {place: tuple(names(told, place)) for place in ("path", "query")}
    return Operation(
        method=method,
        path=path,
        guarded=bool(told.get("security")),
        path_names=named["path"],
        query_names=named["query"],
        body_names=tuple(properties(described, told)),
        success=min(int(status) for status in told["responses"] if status.startswith("2")),
    )


def names(told: Mapping[str, Any], place: str) -> Iterator[str]:
    """The parameters of an operation in one place."""
    return (one["name"] for one in told.get("parameters", ()) if one["in"] == place)


def properties(described: Mapping[str, Any], told: Mapping[str, Any]) -> list[str]:
    """The fields of an operation's body."""
    content = told.get("requestBody", {}).get("content", {})
    schema = content.get("application/json", {}).get("schema", {})
    return list(resolved(described, schema).get("properties", ()))


def resolved(described: Mapping[str, Any], schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """Follow a reference within the document."""
    if "$ref" not in schema:
        return schema
    found: Any = described
    for part in schema["$ref"].removeprefix("#/").split("/"):
        found = found[part]
    return cast("Mapping[str, Any]", found)
