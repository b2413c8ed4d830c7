"""The client offers what the gateway's OpenAPI document has: operations, words, and answers."""

import dataclasses
import inspect
import re
import typing
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from types import NoneType, UnionType
from typing import Any

import pytest
from parley_client import AsyncClient, Call, Client, History, Page, calls
from parley_gateway.api.app import document
from parley_tests.openapi_schemas import Side

pytestmark = pytest.mark.unit

# What vendors' own clients speak, and speak better.
DIALECTS = "/v1/"
# Operations that nobody needs a method for, each with its reason.
EXCEPTIONS: dict[str, str] = {}
# Names in the document that the client says otherwise, or never sends.
UNSENT = {
    "stream",  # by the method that is called
    "format",  # same
}
Builder = Callable[..., Call[Any]]
DOCUMENT = document()


def builders() -> dict[str, Builder]:
    """What makes the call of each method."""
    lifted = {name: inspect.unwrap(made) for name, made in vars(Client).items() if callable(made)}
    made = {name: build for name, build in lifted.items() if build is not vars(Client)[name]}
    return {**made, "stream_chat": calls.stream_chat, "stream_message": calls.stream_message}


def sample(kind: Any) -> Any:
    """Something of a type, that says as much as it can."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, UnionType):
        return sample(next(one for one in arguments if one is not NoneType))
    if origin is Sequence:
        return [sample(arguments[0])]
    if dataclasses.is_dataclass(kind):
        hints = typing.get_type_hints(kind)
        return kind(**{name: sample(hint) for name, hint in hints.items()})  # type: ignore[operator]
    known = {
        bytes: b"1",
        bool: True,
        date: datetime.now(UTC),
        datetime: datetime.now(UTC),
        Decimal: Decimal(1),
    }
    return known.get(kind) or kind(1)


def call_of(build: Builder) -> Call[Any]:
    """The call that a method sends when it is told all that it may be."""
    words: dict[str, Any] = {}
    hints = typing.get_type_hints(build, include_extras=True)
    for name, parameter in inspect.signature(build).parameters.items():
        if parameter.kind is parameter.VAR_KEYWORD:
            [options] = typing.get_args(hints[name])
            words |= {key: sample(hint) for key, hint in typing.get_type_hints(options).items()}
        else:
            words[name] = sample(hints[name])
    return build(**words)


def operations() -> Iterator[tuple[str, str, Side]]:
    for path, verbs in DOCUMENT["paths"].items():
        if not path.startswith(DIALECTS):
            for verb, told in verbs.items():
                yield verb.upper(), path, Side(DOCUMENT, told)


def of(call: Call[Any], verb: str, path: str) -> bool:
    pattern = re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(path))
    return call.method == verb and re.fullmatch(pattern, call.path) is not None


CALLS = {name: call_of(build) for name, build in builders().items()}
OPERATIONS = {told.get("operationId"): (verb, path, told) for verb, path, told in operations()}
# A path that is fixed comes before one that a name fits into.
OFFERED = {
    name: min(
        (path.count("{"), word)
        for word, (verb, path, _) in OPERATIONS.items()
        if of(call, verb, path)
    )[1]
    for name, call in CALLS.items()
}


def test_every_operation_is_offered() -> None:
    assert set(OPERATIONS) - set(EXCEPTIONS) == set(OFFERED.values())


def test_both_clients_offer_the_same() -> None:
    assert public(Client) == public(AsyncClient)


def public(kind: type) -> dict[str, list[str]]:
    """Its methods, and what each is told."""
    return {
        name: list(inspect.signature(made).parameters)
        for name, made in vars(kind).items()
        if not name.startswith("_")
    }


def test_every_list_can_be_walked_to_its_end() -> None:
    returned = {name: typing.get_type_hints(build)["return"] for name, build in builders().items()}
    paged = {name for name, call in returned.items() if "types.Page[" in str(call)}

    assert len(paged) > 5
    for kind in (Client, AsyncClient):
        walked = {f"list_{name[4:]}" for name in public(kind) if name.startswith("all_")}
        assert {name for name in paged if name.startswith("list_")} == walked


@pytest.mark.parametrize("operation", OPERATIONS)
def test_all_that_can_be_said_is(operation: str) -> None:
    ours = [call for name, call in CALLS.items() if OFFERED[name] == operation]
    sent = {word for call in ours for word in (*call.query, *(call.body or {}), *call.headers)}
    told = OPERATIONS[operation][2]
    body = told.at("requestBody", "content", "application/json", "schema").get("properties") or {}
    words = {one["name"] for one in told.get("parameters") or () if one["in"] != "path"}

    assert {one.lower() for one in sent} - UNSENT == {*words, *body} - UNSENT


@pytest.mark.parametrize("name", CALLS)
def test_all_that_is_answered_is_told(name: str) -> None:
    returned = typing.get_type_hints(builders()[name])["return"]
    told = OPERATIONS[OFFERED[name]][2].at("responses")
    success = told.at(min(told.node), "content", "application/json", "schema")
    [kind] = typing.get_args(returned)

    assert [] == list(untold(kind, success, name))


def untold(kind: Any, schema: Side, where: str) -> Iterator[str]:
    """The fields of an answer that a type lacks, and those that no answer has."""
    origin = typing.get_origin(kind)
    if origin is Page or origin is tuple:
        lists = [one for one in fields(schema).values() if one.get("type") == "array"]
        item = schema if schema.get("type") == "array" else lists[0]
        yield from untold(typing.get_args(kind)[0], item.at("items"), where)
    elif origin in (typing.Union, UnionType):
        yield from untold(typing.get_args(kind)[0], schema, where)
    elif dataclasses.is_dataclass(kind) and kind is not History:
        known, hints = fields(schema), typing.get_type_hints(kind)
        needed = {one.name for one in dataclasses.fields(kind) if is_needed(one)}
        yield from (f"{where}: {name}" for name in sorted({*known} - {*hints} | needed - {*known}))
        for name in set(known) & set(hints):
            yield from untold(hints[name], known[name], f"{where}.{name}")


def is_needed(one: dataclasses.Field[Any]) -> bool:
    return one.default is dataclasses.MISSING is one.default_factory


def fields(schema: Side) -> Mapping[str, Side]:
    """The fields of an object, or of the one object among several things."""
    named = next((one for one in schema.alternatives if one.get("properties")), schema)
    told = named.get("properties") or {}
    sides = {name: Side(DOCUMENT, one).resolved for name, one in told.items()}
    return {
        name: next((one for one in side.alternatives if one.get("type") != "null"), side)
        for name, side in sides.items()
    }
