"""JSON to dataclasses, guided by their annotations alone."""

import types
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import datetime
from decimal import Decimal
from functools import cache
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from parley_client.errors import UnexpectedAnswer

T = TypeVar("T")


def decode(kind: type[T], value: object) -> T:
    """Returns `value` as a `kind`; raises UnexpectedAnswer when a field is missing or misshapen."""
    try:
        read: T = _read(kind, value)
    except (TypeError, ValueError, ArithmeticError) as error:
        raise UnexpectedAnswer(f"The answer is no {kind.__name__}: {error}") from error
    return read


def decode_all(kind: type[T], values: object) -> tuple[T, ...]:
    """Returns a JSON list as a tuple of `kind`; raises UnexpectedAnswer like `decode`."""
    if not isinstance(values, list):
        raise UnexpectedAnswer(f"The answer holds no list of {kind.__name__}.")
    return tuple(decode(kind, value) for value in values)


@cache
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)


def _read(kind: Any, value: Any) -> Any:
    origin = get_origin(kind)
    if origin in (Union, types.UnionType):
        return None if value is None else _read_union(kind, value)
    if origin is tuple:
        return tuple(_read(get_args(kind)[0], item) for item in _expect(list, value))
    if origin is Mapping:
        return _expect(dict, value)
    if is_dataclass(kind):
        return _read_dataclass(kind, _expect(dict, value))
    return _read_scalar(kind, value)


def _read_union(kind: Any, value: Any) -> Any:
    options = [option for option in get_args(kind) if option is not types.NoneType]
    if len(options) > 1 and type(value) in options:
        return value
    return _read(options[0], value)


def _read_dataclass(kind: Any, value: dict[str, Any]) -> Any:
    names = [field.name for field in fields(kind) if field.name in value]
    return kind(**{name: _read(_hints(kind)[name], value[name]) for name in names})


def _read_scalar(kind: Any, value: Any) -> Any:
    if kind is datetime:
        return datetime.fromisoformat(_expect(str, value))
    if kind is Decimal:
        return Decimal(_expect(str, value))
    if kind is float and type(value) is int:
        return float(value)
    return _expect(kind, value)


def _expect(kind: type, value: Any) -> Any:
    if type(value) is not kind:
        raise TypeError(f"{kind.__name__} expected, not {type(value).__name__}")
    return value
