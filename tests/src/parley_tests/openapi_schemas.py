"""Whether what one schema describes is also what another one does."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

LEAST = ("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties")
MOST = ("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties")
EXACT = ("pattern", "multipleOf", "uniqueItems")


@dataclass(frozen=True)
class Side:
    """Something in a document: a schema, or a part of an operation. `node` is None for nothing."""

    document: Mapping[str, Any]
    node: Any

    def get(self, name: str) -> Any:
        """Return what it says under a name, if it does."""
        return (self.node or {}).get(name)

    def at(self, *names: str) -> Side:
        """Return a part of it, references followed; an empty one where there is none."""
        side = self.resolved
        for name in names:
            side = Side(self.document, side.get(name) or {}).resolved
        return side

    @property
    def resolved(self) -> Side:
        """What its reference leads to; itself when it is none."""
        side = self
        while "$ref" in (side.node or {}):
            found: Any = self.document
            for part in side.node["$ref"].removeprefix("#/").split("/"):
                found = found[part]
            side = replace(self, node=found)
        return side

    @property
    def alternatives(self) -> list[Side]:
        """The schemas of one type each that it consists of."""
        node = dict(self.resolved.node or {})
        for part in node.pop("allOf", ()):
            told = Side(self.document, part).resolved.node
            node = {**node, **told, **merged(node, told)}
        if "const" in node:
            node["enum"] = [node.pop("const")]
        for choice in ("anyOf", "oneOf"):
            if choice in node:
                rest = {key: value for key, value in node.items() if key != choice}
                branches = [Side(self.document, one).resolved.node for one in node[choice]]
                return [
                    alternative
                    for branch in branches
                    for alternative in Side(self.document, {**rest, **branch}).alternatives
                ]
        if isinstance(node.get("type"), list):
            return [Side(self.document, {**node, "type": one}) for one in node["type"]]
        return [Side(self.document, node)]


def merged(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of two objects that are one."""
    fields = {**one.get("properties", {}), **other.get("properties", {})}
    required = [*one.get("required", ()), *other.get("required", ())]
    return {"properties": fields, "required": required} if fields else {}


def differences(
    old: Side, new: Side, where: str, *, answered: bool = False, seen: frozenset[Any] = frozenset()
) -> list[str]:
    """Say where what was sent is refused now, or what is answered now was never told of."""
    pair = (old.get("$ref"), new.get("$ref"))
    if None not in pair:
        if pair in seen:
            return []
        seen |= {pair}
    given, known = (new, old) if answered else (old, new)
    comparison = Comparison(where, answered=answered, seen=seen)
    return [
        said for one in given.alternatives for said in comparison.misfits(one, known.alternatives)
    ]


@dataclass(frozen=True)
class Comparison:
    """Two schemas that are compared: in which place, and whether they describe an answer."""

    where: str
    answered: bool
    seen: frozenset[Any]

    def misfits(self, given: Side, known: list[Side]) -> list[str]:
        """Say why what is given is none of what is known; by the one that is nearest."""
        found = [list(self.misfit(given, one)) for one in known if is_like(given, one)]
        if not found:
            kind = given.get("type") or "anything"
            end = "may be answered now" if self.answered else "is no longer taken"
            return [f"{self.where}: {kind} {end}"]
        return min(found, key=len)

    def misfit(self, given: Side, known: Side) -> Iterator[str]:
        """Say why what is given is not what is known, which is of its type."""
        yield from self.values(given, known)
        if not self.answered:
            yield from self.bounds(given, known)
        if given.get("format") != known.get("format") and known.get("format"):
            yield f"{self.where}: the format {known.get('format')} is another"
        if known.get("items") is not None:
            yield from self.deeper(given, known, "items", "[]")
        if known.get("properties") or given.get("properties"):
            yield from self.fields(given, known)
        yield from self.further(given, known)

    def values(self, given: Side, known: Side) -> Iterator[str]:
        """Compare what is chosen from; an answer may choose from more than before."""
        few, many = given.get("enum"), known.get("enum")
        if many is None or (self.answered and few is not None):
            return
        if few is None:
            yield f"{self.where}: it is {'no longer' if self.answered else 'now'} one of a few"
            return
        for value in few:
            if value not in many:
                yield f"{self.where}: {value!r} is no longer taken"

    def bounds(self, given: Side, known: Side) -> Iterator[str]:
        """Compare how much is taken."""
        for names, sign in ((LEAST, 1), (MOST, -1)):
            for name in names:
                had, has = given.get(name), known.get(name)
                if has is not None and (had is None or sign * has > sign * had):
                    yield f"{self.where}: {name} is {has} now"
        for name in EXACT:
            if known.get(name) and given.get(name) != known.get(name):
                yield f"{self.where}: {name} is another"

    def fields(self, given: Side, known: Side) -> Iterator[str]:
        """Compare the fields of an object."""
        old, new = (known, given) if self.answered else (given, known)
        before, now = old.get("properties") or {}, new.get("properties") or {}
        for name in before:
            if name not in now:
                yield f"{self.where}.{name} is gone"
                continue
            was, is_ = (Side(one.document, one.get("properties")[name]) for one in (old, new))
            where = f"{self.where}.{name}"
            yield from differences(was, is_, where, answered=self.answered, seen=self.seen)
        is_now = "not always there" if self.answered else "required now"
        for name in known.get("required") or ():
            if name not in (given.get("required") or ()) and name in now:
                yield f"{self.where}.{name} is {is_now}"

    def further(self, given: Side, known: Side) -> Iterator[str]:
        """Compare the fields that no schema names; an answer may have more of them."""
        had, has = given.get("additionalProperties"), known.get("additionalProperties")
        if isinstance(has, dict) and has:
            yield from self.deeper(given, known, "additionalProperties", "{}")
        elif has is False and had is not False and not self.answered:
            yield f"{self.where}: fields that are not named are refused now"

    def deeper(self, given: Side, known: Side, name: str, sign: str) -> Iterator[str]:
        """Compare what both consist of."""
        parts = [Side(one.document, part_of(one, name)) for one in (given, known)]
        old, new = reversed(parts) if self.answered else parts
        where = self.where + sign
        yield from differences(old, new, where, answered=self.answered, seen=self.seen)


def part_of(schema: Side, name: str) -> Any:
    """Return what a schema consists of; anything when it does not say."""
    part = schema.get(name)
    return part if isinstance(part, dict) else {}


def is_like(given: Side, known: Side) -> bool:
    """Tell whether something of one type may be of the other."""
    has = known.get("type")
    return (
        has is None or has == given.get("type") or (given.get("type"), has) == ("integer", "number")
    )
