"""Every operation, for everybody, by every name: nobody gets at what is another's (P1, P2, P6).

The cases are made from the OpenAPI document, what is expected from `table.py`.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import pytest
from starlette.routing import Mount, Route

from .document import Operation, document, operations, routes
from .table import HIDDEN, NAMES, TABLE, Access, Name, Row
from .world import MARK, Spelling, Told, Who, World, missing

pytestmark = pytest.mark.api

OPERATIONS = {operation.label: operation for operation in operations(document())}
KNOWN = {label: OPERATIONS[label] for label in OPERATIONS if label in TABLE}
INVALID = (Who.NOBODY, Who.EXPIRED, Who.REVOKED, Who.DISABLED)
# What two users may call alike.
NAMED_BY_USERS = {Name.CHAT, Name.PROMPT}
OWNED = {
    *(Name.CHAT, Name.MESSAGE, Name.ITEM, Name.RESPONSE),
    *(Name.PROMPT, Name.VERSION, Name.KEY),
}
# What is wrong with a body that names one that is not there.
UNKNOWN = {Name.PROMPT: 404, Name.RESPONSE: 400}


def labels(*access: Access, named: bool | None = None) -> list[str]:
    """The operations for these people; `named`: only those with a name in the path, or without."""
    return [
        label
        for label, operation in KNOWN.items()
        if TABLE[label].access in access
        if named is None or bool(operation.path_names) is named
    ]


def asked(place: str, *kinds: Name) -> list[tuple[str, str]]:
    """Every operation with every name of a kind in its query or body."""
    return [
        (label, name)
        for label, operation in KNOWN.items()
        for name in (operation.query_names if place == "query" else operation.body_names)
        if NAMES.get((place, name)) in kinds
    ]


def path_names(operation: Operation) -> tuple[Name, ...]:
    return tuple(NAMES["path", name] for name in operation.path_names)


def is_a_name(field: str) -> bool:
    """Whether a field of a body is one that must be in the table."""
    return field.endswith(("_id", "_ids")) or ("path", field) in NAMES or ("body", field) in NAMES


def test_the_table_covers_every_operation_and_every_name() -> None:
    needed = {
        (place, name)
        for operation in OPERATIONS.values()
        for place, names in (
            ("path", operation.path_names),
            ("query", operation.query_names),
            ("body", filter(is_a_name, operation.body_names)),
        )
        for name in names
    }

    assert ([], []) == (sorted(OPERATIONS.keys() - TABLE), sorted(needed - NAMES.keys()))
    assert [] == sorted(TABLE.keys() - OPERATIONS)


def test_no_route_is_left_out_of_the_document() -> None:
    there = {
        f"{method} {getattr(route, 'path_format', route.path)}"
        for route in routes()
        if isinstance(route, Route | Mount)
        for method in (route.methods or () if isinstance(route, Route) else ("MOUNT",))
    }

    assert [] == [route for route in routes() if not isinstance(route, Route | Mount)]
    assert there - OPERATIONS.keys() == HIDDEN


def test_what_needs_a_key_is_what_the_table_does_not_call_public() -> None:
    public = {label for label, operation in OPERATIONS.items() if not operation.guarded}

    assert set(labels(Access.PUBLIC)) == public


def test_the_running_gateway_has_the_same_operations(world: World) -> None:
    running = operations(world.http.get("/openapi.json").json())

    assert OPERATIONS == {operation.label: operation for operation in running}


@pytest.mark.parametrize("label", labels(Access.PUBLIC))
@pytest.mark.parametrize("spelling", Spelling)
def test_the_public_is_everybody(world: World, label: str, spelling: Spelling) -> None:
    told = {who: perform(world, label, who, spelling).status for who in world.keys}

    assert set(told.values()) == {200}


@pytest.mark.parametrize("label", labels(Access.OWN, Access.SHARED, Access.ADMIN))
def test_without_a_valid_key_nothing_is_told_and_nothing_done(world: World, label: str) -> None:
    ids = world.things(path_names(OPERATIONS[label]), Who.OWNER)
    before = world.state()

    told = [
        perform(world, label, who, spelling, ids) for who, spelling in product(INVALID, Spelling)
    ]

    assert {401} == {one.status for one in told}
    assert all(one.answer.headers["www-authenticate"].startswith("Bearer") for one in told)
    assert 2 == len({one.text for one in told})  # no key; a key that is not valid
    assert before == world.state()


@pytest.mark.parametrize("label", labels(Access.OWN, named=True))
@pytest.mark.parametrize("spelling", Spelling)
def test_what_is_anothers_is_like_what_is_missing(
    world: World, label: str, spelling: Spelling
) -> None:
    """Nested names too: an own parent with another's child, another's parent with an own one."""
    names = path_names(OPERATIONS[label])
    askers = [Who.OTHER] if TABLE[label].admin_too else [Who.OTHER, Who.ADMIN]
    for who in askers:
        foreign, own = world.things(names, Who.OWNER), world.things(names, who)
        before = world.state()
        for mixed, gone in mixtures(names, own, foreign):
            told, like = (perform(world, label, who, spelling, ids) for ids in (mixed, gone))
            assert (404, like.alike) == (told.status, told.alike)
            assert MARK not in told.text
        assert before == world.state()


def mixtures(
    names: tuple[Name, ...], own: dict[Name, str], foreign: dict[Name, str]
) -> Iterator[tuple[dict[Name, str], dict[Name, str]]]:
    """Own and foreign names in every mixture, and beside each the same with missing ones."""
    for choice in product((own, foreign), repeat=len(names)):
        if not all(chosen is own for chosen in choice):
            mixed = {name: chosen[name] for name, chosen in zip(names, choice, strict=True)}
            gone = {
                name: missing(name, mixed[name]) if chosen is foreign else mixed[name]
                for name, chosen in zip(names, choice, strict=True)
            }
            # A number that counts within its parent is foreign by its parent only.
            if any(mixed[name] != own[name] for name in names):
                yield mixed, gone


@pytest.mark.parametrize(
    "label", [label for label in labels(Access.OWN) if len(KNOWN[label].path_names) > 1]
)
def test_a_child_is_found_under_its_own_parent_only(world: World, label: str) -> None:
    names = path_names(OPERATIONS[label])
    one, other = (world.things(names, Who.OWNER) for _ in range(2))
    before = world.state()
    crossed = one | {names[-1]: other[names[-1]]}
    gone = one | {names[-1]: missing(names[-1], one[names[-1]])}

    told, like = (perform(world, label, Who.OWNER, Spelling.BEARER, ids) for ids in (crossed, gone))

    assert (404, like.alike) == (told.status, told.alike)
    assert before == world.state()


@pytest.mark.parametrize(
    "label",
    [one for one in labels(Access.OWN, named=True) if path_names(KNOWN[one])[0] in NAMED_BY_USERS],
)
def test_what_has_the_same_name_stays_as_it_is(world: World, label: str) -> None:
    names = path_names(OPERATIONS[label])
    world.things(names, Who.OWNER, called=(called := world.fresh(Who.OTHER)))
    ids = world.things(names, Who.OTHER, called=called)
    before = world.belongings(Who.OWNER)

    told = perform(world, label, Who.OTHER, Spelling.BEARER, ids)

    assert OPERATIONS[label].success == told.status, told.text
    assert MARK not in told.text
    assert before == world.belongings(Who.OWNER)


@pytest.mark.parametrize("label", labels(Access.ADMIN))
@pytest.mark.parametrize("spelling", Spelling)
def test_what_is_for_administrators_is_refused_to_others(
    world: World, label: str, spelling: Spelling
) -> None:
    there = world.things(path_names(OPERATIONS[label]), Who.OWNER)
    gone = {name: missing(name, value) for name, value in there.items()}
    before = world.state()

    told = [
        perform(world, label, who, spelling, ids)
        for who in (Who.OWNER, Who.OTHER)
        for ids in (there, gone)
    ]

    assert {(403, told[0].text)} == {(one.status, one.text) for one in told}
    assert before == world.state()


@pytest.mark.parametrize("label", labels(Access.OWN, Access.SHARED, Access.ADMIN))
@pytest.mark.parametrize("spelling", Spelling)
def test_those_who_may_do_it_can(world: World, label: str, spelling: Spelling) -> None:
    operation, row = OPERATIONS[label], TABLE[label]
    names = path_names(operation)
    for who in (Who.ADMIN,) if row.access is Access.ADMIN else (Who.OWNER, Who.OTHER, Who.ADMIN):
        told = perform(world, label, who, spelling, world.things(names, who))
        assert operation.success == told.status, told.text
        if who is Who.OTHER:
            assert MARK not in told.text
            assert world.users[Who.OWNER] not in told.text


@pytest.mark.parametrize("label", [label for label in KNOWN if TABLE[label].admin_too])
def test_an_administrator_may_do_some_things_to_others(world: World, label: str) -> None:
    ids = world.things(path_names(OPERATIONS[label]), Who.OTHER)

    told = perform(world, label, Who.ADMIN, Spelling.BEARER, ids)

    assert OPERATIONS[label].success == told.status


@pytest.mark.parametrize("label", labels(Access.OWN, Access.SHARED, Access.ADMIN))
@pytest.mark.parametrize("spelling", Spelling)
def test_a_key_that_only_reads_changes_nothing(
    world: World, label: str, spelling: Spelling
) -> None:
    operation, row = OPERATIONS[label], TABLE[label]
    ids = world.things(path_names(operation), Who.OWNER)
    before = world.state()

    told = perform(world, label, Who.READER, spelling, ids)

    may = operation.method == "GET" if row.reading is None else row.reading
    allowed = may and row.access is not Access.ADMIN
    assert (operation.success if allowed else 403) == told.status, told.text
    assert before == world.state()


@pytest.mark.parametrize(("label", "name"), asked("query", Name.WHOSE))
def test_only_administrators_ask_for_what_is_anothers(world: World, label: str, name: str) -> None:
    def ask(who: Who, whose: str) -> Told:
        more = {"query": {name: whose}, "also": (whose,)}
        return perform(world, label, who, Spelling.BEARER, {}, **more)

    foreign = ask(Who.OTHER, world.users[Who.OWNER])
    gone = ask(Who.OTHER, missing(Name.USER, ""))

    assert (403, gone.alike) == (foreign.status, foreign.alike)
    assert 200 == ask(Who.OTHER, world.users[Who.OTHER]).status
    assert 200 == ask(Who.ADMIN, world.users[Who.OWNER]).status


@pytest.mark.parametrize(("label", "name"), asked("query", Name.PLACE))
def test_anothers_place_in_a_list_shows_nothing_of_theirs(
    world: World, label: str, name: str
) -> None:
    names = path_names(OPERATIONS[label])
    giver = Who.ADMIN if TABLE[label].access is Access.ADMIN else Who.OWNER
    ids = {}
    for _ in range(2):
        ids = world.things(names or tuple(OWNED), giver)
    first = perform(world, label, giver, Spelling.BEARER, ids, query={"page_size": "1"})
    place = first.answer.json()["next_page_token"]
    assert place

    own = world.things(names, Who.OTHER)
    told = perform(world, label, Who.OTHER, Spelling.BEARER, own, query={name: place})

    assert told.status in ({403} if giver is Who.ADMIN else {200, 422})
    assert MARK not in told.text.replace(place, "")


@pytest.mark.parametrize(("label", "name"), asked("body", *UNKNOWN, Name.WHOSE))
def test_what_is_anothers_cannot_be_named_in_a_body(world: World, label: str, name: str) -> None:
    kind = NAMES["body", name]
    if kind is Name.WHOSE:
        status, there = 403, world.users[Who.OWNER]
        gone = missing(Name.USER, there)
    else:
        status, there = UNKNOWN[kind], world.things((kind,), Who.OWNER)[kind]
        gone = missing(kind, there)
    ids = world.things(path_names(OPERATIONS[label]), Who.OTHER)
    before = world.state()

    def ask(named: str) -> Told:
        body = {key: v for key, v in world.body(TABLE[label]).items() if key != "chat_id"}
        more = {"body": body | {name: named}, "also": (named,)}
        return perform(world, label, Who.OTHER, Spelling.BEARER, ids, **more)

    foreign, like = ask(there), ask(gone)

    assert (status, like.alike) == (foreign.status, foreign.alike)
    assert before == world.state()


@pytest.mark.parametrize(("label", "name"), asked("body", Name.FREE))
def test_a_name_that_another_has_is_free(world: World, label: str, name: str) -> None:
    ids = world.things((Name.CHAT,), Who.OWNER)
    before = world.belongings(Who.OWNER)

    body = world.body(TABLE[label]) | {name: ids[Name.CHAT]}
    told = perform(world, label, Who.OTHER, Spelling.BEARER, {}, body=body)

    assert OPERATIONS[label].success == told.status
    assert MARK not in told.text.replace(ids[Name.CHAT], "")
    assert before == world.belongings(Who.OWNER)


@pytest.mark.parametrize(
    ("label", "name"),
    # Administrators may speak of what is not there yet, and others may not speak of it.
    [
        (label, name)
        for label, name in asked("body", Name.PROVIDER, Name.MODEL)
        if TABLE[label].access is not Access.ADMIN
    ],
)
def test_what_nobody_has_is_missing_for_everybody(world: World, label: str, name: str) -> None:
    body = world.body(TABLE[label]) | {name: missing(NAMES["body", name], "none")}
    told = {
        who: perform(world, label, who, Spelling.BEARER, {}, body=body).status
        for who in (Who.OWNER, Who.OTHER, Who.ADMIN)
    }

    assert {404} == set(told.values())


def perform(
    world: World,
    label: str,
    who: Who,
    spelling: Spelling,
    ids: dict[Name, str] | None = None,
    **more: object,
) -> Told:
    operation: Operation = OPERATIONS[label]
    row: Row = TABLE[label]
    return world.perform(operation, row, who, spelling, ids or {}, **more)
