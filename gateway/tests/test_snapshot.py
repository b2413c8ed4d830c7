"""The OpenAPI document as it is kept: a change of it is seen, and one that breaks clients fails."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from parley_gateway.api.app import build_app, document
from parley_gateway.api.dependencies import Gateway
from parley_gateway.api.openapi import written
from parley_tests.openapi_changes import breaking

pytestmark = pytest.mark.unit

SNAPSHOT = Path(__file__).parents[1] / "openapi.json"
Words = dict[str, Any]


def body(**schema: Any) -> Words:
    return {"content": {"application/json": {"schema": schema}}}


def thing(**fields: Any) -> Words:
    return {"type": "object", "properties": fields, "additionalProperties": False}


TEXT = {"type": "string"}
KEYS: list[Words] = [{"bearer": []}, {"x-api-key": []}]
OLD: Words = {
    "paths": {
        "/things": {
            "post": {
                "operationId": "create_thing",
                "security": KEYS,
                "x-scope": ["chat", "read"],
                "parameters": [
                    {"name": "q", "in": "query", "schema": {**TEXT, "maxLength": 9}},
                    {"name": "n", "in": "query", "schema": {"type": "number", "minimum": 0}},
                ],
                "requestBody": body(
                    **thing(
                        name={"anyOf": [TEXT, {"type": "null"}]},
                        color={"enum": ["red", "blue"], **TEXT},
                        part={"$ref": "#/components/schemas/Part"},
                    )
                ),
                "responses": {
                    "200": {
                        **body(
                            **thing(
                                id={**TEXT, "format": "uuid"},
                                color={"enum": ["red"], **TEXT},
                                parts={
                                    "type": "array",
                                    "items": {"$ref": "#/components/schemas/Part"},
                                },
                            ),
                            required=["id"],
                        ),
                        "headers": {"ETag": {}},
                    },
                    "404": body(type="object"),
                },
            },
            "get": {"operationId": "list_things", "responses": {"204": {}}},
        }
    },
    "components": {"schemas": {"Part": thing(size={"type": "integer"}, of=TEXT)}},
}
OLD["components"]["schemas"]["Part"]["properties"]["of"] = {"$ref": "#/components/schemas/Part"}
POST = ("paths", "/things", "post")
SENT = (*POST, "requestBody", "content", "application/json", "schema")
TOLD = (*POST, "responses", "200", "content", "application/json", "schema")
PART = ("components", "schemas", "Part")
GONE = object()

BREAKING = [
    ((*POST,), GONE, "POST /things: is gone"),
    ((*POST, "operationId"), "make", "create_thing is now make"),
    ((*POST, "security"), KEYS[:1], "no longer be asked with x-api-key"),
    (("paths", "/things", "get", "security"), KEYS, "no longer be asked with no key"),
    ((*POST, "x-scope"), ["chat"], "a key with read is no longer enough"),
    (("paths", "/things", "get", "x-scope"), ["admin"], "a key with no scope"),
    ((*POST, "parameters", 0), {"name": "q", "in": "header", "schema": TEXT}, "query q is gone"),
    ((*POST, "parameters", 0, "required"), True, "query q is required now"),
    ((*POST, "parameters", 0, "schema", "maxLength"), 8, "maxLength is 8 now"),
    ((*POST, "parameters", 0, "schema", "pattern"), "a", "pattern is another"),
    ((*POST, "parameters", 0, "schema", "type"), "boolean", "string is no longer taken"),
    ((*POST, "parameters", 1, "schema", "type"), "integer", "number is no longer taken"),
    ((*POST, "parameters", 1, "schema", "minimum"), 1, "minimum is 1 now"),
    ((*POST, "requestBody", "required"), True, "a body is required now"),
    ((*SENT[:-2],), {"text/csv": {}}, "body: application/json is gone"),
    ((*SENT, "required"), ["name"], "body.name is required now"),
    (SENT, {**thing(more=TEXT), "required": ["more"]}, "body.more is required now"),
    ((*SENT, "properties", "name"), GONE, "body.name is gone"),
    ((*SENT, "properties", "name"), TEXT, "body.name: null is no longer taken"),
    ((*SENT, "properties", "color", "enum"), ["red"], "'blue' is no longer taken"),
    ((*SENT, "properties", "name", "enum"), ["red"], "it is now one of a few"),
    ((*PART, "properties", "size", "maximum"), 5, "body.part.size: maximum is 5 now"),
    ((*PART, "properties", "size", "type"), "number", "200.parts[].size: number may be"),
    ((*PART, "properties", "size"), GONE, "200.parts[].size is gone"),
    ((*POST, "responses", "200"), GONE, "200 is no longer answered"),
    ((*POST, "responses", "200", "headers"), {}, "its header ETag is gone"),
    ((*TOLD, "required"), [], "200.id is not always there"),
    ((*TOLD, "properties", "color"), GONE, "200.color is gone"),
    ((*TOLD, "properties", "color"), TEXT, "200.color: it is no longer one of a few"),
    ((*TOLD, "properties", "id", "format"), "date", "200.id: the format uuid is another"),
    ((*TOLD, "properties", "id", "type"), ["string", "null"], "200.id: null may be answered"),
]
HARMLESS = [
    (("paths", "/more"), {"get": {"operationId": "more", "responses": {}}}),
    ((*POST, "summary"), "Other words"),
    ((*POST, "security"), [*KEYS, {"cookie": []}]),
    ((*POST, "x-scope"), ["chat", "read", "admin"]),
    ((*POST, "x-scope"), []),
    ((*POST, "parameters", 0, "schema", "maxLength"), 10),
    ((*POST, "parameters", 0, "schema"), {"anyOf": [TEXT, {"type": "null"}]}),
    ((*POST, "parameters", 1, "schema", "minimum"), -1),
    ((*SENT, "properties", "more"), TEXT),
    ((*SENT, "properties", "name"), {"type": ["null", "integer", "string"]}),
    ((*SENT, "properties", "color", "enum"), ["red", "blue", "green"]),
    ((*SENT, "properties", "part"), {"allOf": [{"$ref": "#/components/schemas/Part"}]}),
    ((*SENT, "additionalProperties"), True),
    ((*TOLD, "properties", "more"), TEXT),
    ((*TOLD, "properties", "color", "enum"), ["red", "blue"]),
    ((*TOLD, "properties", "color"), {"const": "red", **TEXT}),
    ((*TOLD, "required"), ["id", "color"]),
    ((*POST, "responses", "201"), {}),
    ((*POST, "responses", "404"), GONE),
]


def changed(place: tuple[Any, ...], value: Any) -> Words:
    new = copy.deepcopy(OLD)
    node: Any = new
    for step in place[:-1]:
        node = node[step]
    if value is GONE:
        node.pop(place[-1], None)
    else:
        node[place[-1]] = copy.deepcopy(value)
    return new


@pytest.mark.parametrize(("place", "value", "said"), BREAKING)
def test_what_breaks_clients_is_said(place: tuple[Any, ...], value: Any, said: str) -> None:
    found = breaking(OLD, changed(place, value))

    assert any(said in one for one in found), found


@pytest.mark.parametrize(("place", "value"), HARMLESS)
def test_what_breaks_nobody_is_let_be(place: tuple[Any, ...], value: Any) -> None:
    assert [] == breaking(OLD, changed(place, value))
    assert OLD != changed(place, value)


def test_the_document_breaks_no_client_of_the_kept_one() -> None:
    kept = json.loads(SNAPSHOT.read_text())

    assert [] == breaking(kept, document()), "meant? see gateway/README.md, The OpenAPI document"


def test_the_document_is_the_kept_one() -> None:
    assert written(document()) == SNAPSHOT.read_text(), "run: make openapi"


def test_the_kept_document_is_what_a_gateway_shows(gateway: Gateway) -> None:
    assert document() == build_app(gateway).openapi()
