"""JSON that fits a schema: as little as it allows, the same for the same schema.

Patterns, and what schemas say with `not`, `if` and the like, are not looked at.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, ClassVar, TypeAlias

from parley_provider_sdk import BadRequest

Schema: TypeAlias = Mapping[str, Any]

_WORD = "demo"
_FORMATS: Mapping[str, str] = MappingProxyType(
    {
        "date": "2026-01-31",
        "date-time": "2026-01-31T12:00:00Z",
        "email": "demo@example.com",
        "hostname": "example.com",
        "ipv4": "192.0.2.1",
        "ipv6": "2001:db8::1",
        "time": "12:00:00Z",
        "uri": "https://example.com",
        "uuid": "01234567-89ab-7def-8123-456789abcdef",
    }
)
# By what a schema without a type must be meant for.
_HINTS = MappingProxyType({"properties": "object", "required": "object", "items": "array"})
# How often a schema may hold itself before whatever is left is taken to be null.
_DEPTH = 32


def document(schema: str) -> str:
    """Returns JSON that fits a schema, which is JSON as well. Raises BadRequest."""
    try:
        root = json.loads(schema) if schema else {"type": "object"}
    except ValueError:
        raise BadRequest("A schema in the request is no JSON.") from None
    return json.dumps(_Writer(root).value(root, 0), ensure_ascii=False)


class _Writer:
    """Writes one document."""

    def __init__(self, root: Any) -> None:
        self._root = root

    def value(self, schema: Any, depth: int) -> Any:
        """Returns what fits a schema; where that has no end, null."""
        if depth > _DEPTH:
            return None
        if not isinstance(schema, Mapping):
            return _WORD
        if said := [schema["const"]] if "const" in schema else schema.get("enum"):
            return said[0]
        meant = self._meant(schema, depth)
        if meant is not schema:
            return self.value(meant, depth + 1)
        write = self._WRITERS.get(_type(schema))
        return write(self, schema, depth) if write else None

    def _meant(self, schema: Schema, depth: int) -> Any:
        """Returns what a schema that is made of others stands for; any other as it is."""
        if "$ref" in schema:
            return self._referred(str(schema["$ref"]))
        if options := schema.get("anyOf") or schema.get("oneOf"):
            return self._choice(schema, options, depth)
        return self._joined(schema) if schema.get("allOf") else schema

    def _referred(self, pointer: str) -> Any:
        found = self._root
        for step in pointer.removeprefix("#").split("/")[1:]:
            name = step.replace("~1", "/").replace("~0", "~")
            if not (isinstance(found, Mapping) and name in found):
                raise BadRequest(f"A schema in the request refers to '{pointer}', which it lacks.")
            found = found[name]
        return found

    def _choice(self, schema: Schema, options: Sequence[Any], depth: int) -> Any:
        """Takes the first; null, where it is allowed, once a schema seems to hold itself."""
        rest = {name: one for name, one in schema.items() if name not in ("anyOf", "oneOf")}
        null = next((one for one in options if _type(one) == "null"), None)
        chosen = null if null is not None and depth > _DEPTH // 4 else options[0]
        return {**rest, **chosen} if isinstance(chosen, Mapping) else chosen

    def _joined(self, schema: Schema) -> Schema:
        made: dict[str, Any] = {name: one for name, one in schema.items() if name != "allOf"}
        for one in schema["allOf"]:
            part = self._referred(str(one["$ref"])) if "$ref" in one else one
            for name, value in part.items():
                known = made.get(name)
                if isinstance(known, dict) and isinstance(value, dict):
                    made[name] = {**known, **value}
                elif isinstance(known, list) and isinstance(value, list):
                    made[name] = [*known, *value]
                else:
                    made[name] = value
        return made

    def _object(self, schema: Schema, depth: int) -> Any:
        properties = schema.get("properties") or {}
        names = schema.get("required") or ()
        return {name: self.value(properties.get(name, True), depth + 1) for name in names}

    def _array(self, schema: Schema, depth: int) -> Any:
        made = [self.value(one, depth + 1) for one in schema.get("prefixItems") or ()]
        item = schema.get("items", True)
        missing = int(schema.get("minItems") or 0) - len(made)
        return made + [self.value(item, depth + 1) for _ in range(missing)]

    def _string(self, schema: Schema, _: int) -> Any:
        text = _FORMATS.get(str(schema.get("format")), _WORD)
        least, most = int(schema.get("minLength") or 0), schema.get("maxLength")
        return text.ljust(least, "x")[:most]

    def _number(self, schema: Schema, _: int) -> Any:
        step = schema.get("multipleOf") or 1
        least = _bound(schema, "minimum", "exclusiveMinimum", step, max, -math.inf)
        most = _bound(schema, "maximum", "exclusiveMaximum", -step, min, math.inf)
        if least > most:  # neither bound itself is allowed, and nothing whole is between them
            return (least + most) / 2
        number = min(max(0, least), most)
        rounded = math.ceil(number / step) * step
        fits = rounded if rounded <= most else number
        return int(fits) if fits == int(fits) else fits

    def _boolean(self, _: Schema, __: int) -> Any:
        return True

    _WRITERS: ClassVar[Mapping[str, Callable[[_Writer, Schema, int], Any]]] = MappingProxyType(
        {
            "object": _object,
            "array": _array,
            "string": _string,
            "integer": _number,
            "number": _number,
            "boolean": _boolean,
        }
    )


def _type(schema: Any) -> str:
    if not isinstance(schema, Mapping):
        return "string"
    kind = schema.get("type")
    if isinstance(kind, list):
        kind = next((one for one in kind if one != "null"), "null")
    return str(kind or next((of for word, of in _HINTS.items() if word in schema), "string"))


def _bound(
    schema: Schema,
    name: str,
    exclusive: str,
    step: float,
    nearer: Callable[[float, float], float],
    none: float,
) -> float:
    bound = schema.get(name, none)
    beyond = schema.get(exclusive)
    return float(bound if beyond is None else nearer(bound, beyond + step))
