"""Every document fits the schema that it was made for, and is as small as that allows."""

import json
from typing import Any

import jsonschema  # type: ignore[import-untyped]  # it has no types
import pytest
from parley_provider_demo.documents import document
from parley_provider_sdk import BadRequest

pytestmark = pytest.mark.unit

NODE = {
    "type": "object",
    "properties": {
        "name": {"type": "string"},
        "next": {"anyOf": [{"$ref": "#/$defs/Node"}, {"type": "null"}]},
    },
    "required": ["name", "next"],
    "additionalProperties": False,
}


def of(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties)}


@pytest.mark.parametrize(
    ("schema", "made"),
    [
        ({}, "demo"),
        (True, "demo"),
        ({"type": "object"}, {}),
        ({"required": ["a"]}, {"a": "demo"}),
        ({"properties": {"a": {}}}, {}),
        (of(a={"type": "string"}, b={"type": "boolean"}), {"a": "demo", "b": True}),
        ({"type": "object", "properties": {"a": {}, "b": {}}, "required": ["b"]}, {"b": "demo"}),
        ({"type": "array", "items": {"type": "integer"}}, []),
        ({"type": "array", "items": {"type": "integer"}, "minItems": 2}, [0, 0]),
        (
            {"type": "array", "prefixItems": [{"type": "null"}, {"const": 7}], "minItems": 3},
            [None, 7, "demo"],
        ),
        ({"items": {"type": "null"}, "minItems": 1}, [None]),
        ({"enum": ["red", "green"]}, "red"),
        ({"const": False}, False),
        ({"type": "string", "minLength": 6}, "demoxx"),
        ({"type": "string", "maxLength": 2}, "de"),
        ({"type": "string", "format": "date"}, "2026-01-31"),
        ({"type": ["null", "string"]}, "demo"),
        ({"type": ["null"]}, None),
        ({"type": "integer", "minimum": 3}, 3),
        ({"type": "integer", "maximum": -3}, -3),
        ({"type": "integer", "exclusiveMinimum": 3}, 4),
        ({"type": "integer", "exclusiveMaximum": -3}, -4),
        ({"type": "integer", "minimum": 5, "multipleOf": 4}, 8),
        ({"type": "number", "minimum": 0.5, "maximum": 0.7}, 0.5),
        ({"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1}, 0.5),
        ({"anyOf": [{"type": "integer"}, {"type": "null"}]}, 0),
        ({"oneOf": [{"const": "a"}, {"const": "b"}]}, "a"),
        ({"anyOf": [True]}, "demo"),
        (
            {
                "allOf": [{"$ref": "#/$defs/A"}, of(b={"const": 2})],
                "properties": {"c": {"const": 3}},
                "required": ["c"],
                "$defs": {"A": of(a={"const": 1})},
            },
            {"c": 3, "a": 1, "b": 2},
        ),
        ({"$ref": "#/$defs/a~1b", "$defs": {"a/b": {"const": 1}}}, 1),
    ],
)
def test_a_document_fits(schema: Any, made: Any) -> None:
    found = json.loads(document(json.dumps(schema)))
    assert found == made
    jsonschema.validate(found, schema)


def test_what_holds_itself_has_an_end() -> None:
    schema = {"$ref": "#/$defs/Node", "$defs": {"Node": NODE}}
    jsonschema.validate(json.loads(document(json.dumps(schema))), schema)
    endless = {"type": "object", "properties": {"a": {"$ref": "#"}}, "required": ["a"]}
    assert document(json.dumps(endless)).startswith('{"a": {"a": ')


def test_without_a_schema_it_is_any_object() -> None:
    assert document("") == "{}"


@pytest.mark.parametrize("schema", ["{", '{"$ref": "#/$defs/A"}'])
def test_what_is_no_schema_is_refused(schema: str) -> None:
    with pytest.raises(BadRequest):
        document(schema)
