"""What breaks a client when one OpenAPI document takes the place of another.

A request is broken when something that was taken is refused, or means nothing any more; an answer
when something that was told is gone, or may be what it never was. Values may be added to what an
answer chooses from, and fields to answers: clients were told so.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from parley_tests.openapi_schemas import Side, differences

Document = Mapping[str, Any]
VERBS = ("get", "put", "post", "delete", "patch", "head", "options", "trace")


def breaking(old: Document, new: Document) -> list[str]:
    """Say what breaks clients of `old`, a sentence each; nothing when they can stay."""
    return [
        f"{verb.upper()} {path}: {said}"
        for path, verbs in old["paths"].items()
        for verb in VERBS
        if verb in verbs
        for said in in_operation(
            Side(old, verbs[verb]), Side(new, new["paths"].get(path, {}).get(verb))
        )
    ]


def in_operation(old: Side, new: Side) -> Iterator[str]:
    """Compare one operation with what has become of it."""
    if new.node is None:
        yield "is gone"
        return
    if old.get("operationId") != new.get("operationId"):
        yield f"its name {old.get('operationId')} is now {new.get('operationId')}"
    yield from in_rights(old, new)
    yield from in_parameters(old, new)
    yield from in_body(old, new)
    yield from in_answers(old, new)


def in_rights(old: Side, new: Side) -> Iterator[str]:
    """Compare who may ask."""
    ways, still = old.get("security") or [{}], new.get("security") or [{}]
    for way in ways:
        if way not in still:
            yield f"may no longer be asked with {', '.join(way) or 'no key'}"
    scopes, wanted = old.get("x-scope") or [], new.get("x-scope") or []
    if wanted:
        for scope in [one for one in scopes or ["no scope"] if one not in wanted]:
            yield f"a key with {scope} is no longer enough"


def in_parameters(old: Side, new: Side) -> Iterator[str]:
    """Compare what is asked for in path, query and headers."""
    before, now = parameters(old), parameters(new)
    for name, parameter in before.items():
        if name not in now:
            yield f"{name} is gone"
            continue
        if now[name].get("required") and not parameter.get("required"):
            yield f"{name} is required now"
        yield from differences(parameter.at("schema"), now[name].at("schema"), name)
    for name in now.keys() - before.keys():
        if now[name].get("required"):
            yield f"{name} is new, and required"


def in_body(old: Side, new: Side) -> Iterator[str]:
    """Compare what is sent."""
    before, now = old.at("requestBody"), new.at("requestBody")
    if now.get("required") and not before.get("required"):
        yield "a body is required now"
    yield from in_content(before, now, "body")


def in_answers(old: Side, new: Side) -> Iterator[str]:
    """Compare what is answered; that a refusal comes no more breaks nobody."""
    before, now = old.at("responses"), new.at("responses")
    for status in before.node:
        if status not in now.node:
            if status < "4":
                yield f"{status} is no longer answered"
            continue
        for name in before.at(status).get("headers") or ():
            if name not in (now.at(status).get("headers") or ()):
                yield f"{status}: its header {name} is gone"
        yield from in_content(before.at(status), now.at(status), status, answered=True)


def in_content(old: Side, new: Side, where: str, *, answered: bool = False) -> Iterator[str]:
    """Compare what can be sent or answered, for each media type."""
    for media_type in old.get("content") or ():
        if media_type not in (new.get("content") or ()):
            yield f"{where}: {media_type} is gone"
            continue
        before, now = (side.at("content", media_type, "schema") for side in (old, new))
        yield from differences(before, now, where, answered=answered)


def parameters(operation: Side) -> dict[str, Side]:
    """Return the parameters of an operation, by place and name."""
    named = {}
    for parameter in operation.get("parameters") or ():
        side = Side(operation.document, parameter).resolved
        named[f"{side.get('in')} {side.get('name')}"] = side
    return named
