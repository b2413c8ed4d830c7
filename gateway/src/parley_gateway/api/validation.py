"""What pydantic found wrong with a request, in our own words and form."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from parley_rpc.faults import InvalidArgument, Violation

Found = Sequence[Mapping[str, Any]]
# Where FastAPI says that it looked.
PLACES = frozenset({"body", "query", "path", "header"})
# What pydantic puts before the sentences of our own validators.
OWN = "Value error, "
MOST = 20
LONGEST_NAME = 100


def invalid(found: Found) -> InvalidArgument:
    """Return what was found as one fault."""
    violations = [
        Violation(pointer_of(one["loc"]), one["msg"].removeprefix(OWN)) for one in found[:MOST]
    ]
    first = violations[0]
    sentence = f"{first.field[1:] or 'The body'}: {first.description}"
    return InvalidArgument(sentence, violations=violations)


def pointer_of(place: Sequence[str | int]) -> str:
    """Write a place as a JSON Pointer: `("body", "parts", 0, "text")` is `/parts/0/text`."""
    parts = place[1:] if place and place[0] in PLACES else place
    return "".join(f"/{escaped(str(part))}" for part in parts)


def escaped(name: str) -> str:
    """Write a name as a part of a pointer; a client may have made it long or not even text."""
    name = name[:LONGEST_NAME].encode(errors="replace").decode()
    return name.replace("~", "~0").replace("/", "~1")
