"""Tools: the client's own functions, and the few of the vendor's that need nothing of us."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeVar

import msgspec
from msgspec import Meta, Struct
from parley_rpc.faults import InvalidArgument

from parley.provider.v1.reply_pb2 import (
    TOOL_MODE_AUTO,
    TOOL_MODE_NAMED,
    TOOL_MODE_NONE,
    TOOL_MODE_REQUIRED,
    GenerateReplyRequest,
    Tool,
)
from parley_gateway.api.dialects.bodies import json_of, refuse

Kind = TypeVar("Kind", bound=Struct)
MODES = {
    "auto": TOOL_MODE_AUTO,
    "none": TOOL_MODE_NONE,
    "required": TOOL_MODE_REQUIRED,
}
# Run by the vendor from beginning to end. Others would have to be answered by the client, in items
# that our contracts do not know.
HOSTED = (
    "web_search",
    "web_search_2025_08_26",
    "web_search_preview",
    "web_search_preview_2025_03_11",
    "file_search",
    "code_interpreter",
)


class Function(Struct, forbid_unknown_fields=True):
    """A function of the client's."""

    type: Literal["function"]
    name: Annotated[str, Meta(min_length=1, max_length=128)]
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None


class Named(Struct):
    """A choice of one function."""

    type: Literal["function"]
    name: Annotated[str, Meta(min_length=1)]


class Allowed(Struct):
    """A choice among some functions."""

    type: Literal["allowed_tools"]
    mode: Literal["auto", "required"]
    tools: list[Named]


def add(
    request: GenerateReplyRequest,
    options: dict[str, Any],
    tools: list[dict[str, Any]],
    choice: str | dict[str, Any] | None,
) -> None:
    """Add tools, and what is said of them, to a request; InvalidArgument."""
    hosted = []
    for number, tool in enumerate(tools):
        if tool.get("type") in HOSTED:
            hosted.append(tool)
        else:
            request.tools.append(function(tool, f"tools[{number}]"))
    if hosted:
        if request.tools:
            told = "Tools of the vendor's own and functions cannot stand in one request here."
            raise InvalidArgument.of("tools", told)
        options["tools"] = hosted
    choose(request, options, choice)


def function(tool: dict[str, Any], place: str) -> Tool:
    """Return a function as the contract has it; InvalidArgument."""
    kind = tool.get("type")
    if kind != "function":
        told = f"Only functions and {', '.join(HOSTED)} are taken here."
        raise InvalidArgument.of(f"{place}.type", told)
    said = {name: value for name, value in tool.items() if value is not None}
    made = converted(said, Function, place)
    schema = json_of(made.parameters).decode() if made.parameters else ""
    described = made.description or ""
    return Tool(name=made.name, description=described, parameters=schema, strict=bool(made.strict))


def choose(
    request: GenerateReplyRequest, options: dict[str, Any], choice: str | dict[str, Any] | None
) -> None:
    """Add which tool may or must be called; InvalidArgument."""
    if choice is None:
        return
    if isinstance(choice, str):
        if choice not in MODES:
            raise InvalidArgument.of("tool_choice", f"It must be one of {', '.join(MODES)}.")
        request.tool_choice.mode = MODES[choice]
        return
    match choice.get("type"):
        case "function":
            request.tool_choice.mode = TOOL_MODE_NAMED
            request.tool_choice.name = converted(choice, Named, "tool_choice").name
        case "allowed_tools":
            allow(request, converted(choice, Allowed, "tool_choice"))
        case kind if kind in HOSTED:
            options["tool_choice"] = choice
        case _:
            raise InvalidArgument.of("tool_choice.type", "No such tool is taken here.")


def allow(request: GenerateReplyRequest, allowed: Allowed) -> None:
    """Leave only the tools that are allowed: the model knows of no other then; InvalidArgument."""
    names = {one.name for one in allowed.tools}
    kept = [tool for tool in request.tools if tool.name in names]
    if not kept:
        raise InvalidArgument.of("tool_choice.tools", "None of them is among the tools.")
    del request.tools[:]
    request.tools.extend(kept)
    request.tool_choice.mode = MODES[allowed.mode]


def converted(value: dict[str, Any], kind: type[Kind], place: str) -> Kind:
    """Return a value as a type has it; InvalidArgument that names its place."""
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        told, at, where = str(error).partition(" - at `$")
        refuse(f"{told} - at `$.{place}{where}" if at else f"{told} - at `$.{place}`")
