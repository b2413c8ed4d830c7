"""How a provider says what it needs to know, and how the service fills that in.

    @dataclass(frozen=True)
    class AcmeSettings:
        api_key: str = setting(env="ACME_API_KEY", help="…", secret=True, required=True)
        base_url: str = setting(env="ACME_BASE_URL", help="…", default="https://api.acme.example")

A provider never reads the environment. It is *configured* when `missing_settings` is empty. When
what is needed depends on other settings, the class defines `missing()` instead of `required`.
An administrator can change fields named `api_key` and `base_url` at run time.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields
from typing import Any, Protocol, TypeVar, get_type_hints, runtime_checkable

_METADATA_KEY = "parley_setting"
_WORDS = {"1": True, "true": True, "yes": True, "on": True}
_NOT_WORDS = {"0": False, "false": False, "no": False, "off": False}

S = TypeVar("S")


class InvalidSettings(ValueError):  # noqa: N818  (named for what it means, as all failures here)
    """A settings class or a value that does not fit. Names the setting, never its value."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One field of a settings class, for whoever fills, documents or checks it."""

    field: str
    env: str
    help: str
    default: str | float | bool  # int is a float to a type checker
    secret: bool
    required: bool


@runtime_checkable
class SaysWhatIsMissing(Protocol):
    """A settings class that decides itself what it needs."""

    def missing(self) -> Sequence[str]:
        """Returns the environment names of what is needed and not there."""


def setting(
    *,
    env: str,
    help: str,  # noqa: A002  (the word every reader of argparse or click expects)
    default: str | float | bool = "",
    secret: bool = False,
    required: bool = False,
) -> Any:
    """Declares one setting: where it is found, what it means. Secrets stay out of repr."""
    facts = {"env": env, "help": help, "secret": secret, "required": required}
    return field(default=default, repr=not secret, metadata={_METADATA_KEY: facts})


def describe_settings(cls: type) -> tuple[Setting, ...]:
    """Lists the settings of a class. Raises InvalidSettings for a field without `setting(...)`."""
    return tuple(_declared(cls))


def fill_settings(cls: type[S], values: Mapping[str, str]) -> S:
    """Makes the settings from texts by environment name; an absent or blank one is the default.

    Raises InvalidSettings when a text is not of its field's type.
    """
    kinds = get_type_hints(cls)
    filled = {
        one.field: _parsed(one, kinds[one.field], values[one.env].strip())
        for one in _declared(cls)
        if values.get(one.env, "").strip()
    }
    return cls(**filled)


def missing_settings(settings: object) -> tuple[str, ...]:
    """Returns the environment names of what is needed and not there; empty means configured."""
    if isinstance(settings, SaysWhatIsMissing):
        return tuple(settings.missing())
    return tuple(
        one.env
        for one in _declared(type(settings))
        if one.required and getattr(settings, one.field) == ""
    )


def _declared(cls: type) -> Iterator[Setting]:
    for one in fields(cls):
        facts = one.metadata.get(_METADATA_KEY)
        if facts is None or one.default is MISSING:
            raise InvalidSettings(f"{cls.__name__}.{one.name} is not declared with setting(...).")
        yield Setting(field=one.name, default=one.default, **facts)


def _parsed(one: Setting, kind: type, text: str) -> str | float | bool:
    try:
        if kind is bool:
            return (_WORDS | _NOT_WORDS)[text.lower()]
        if kind in (int, float):
            return float(text) if kind is float else int(text)
    except (KeyError, ValueError):
        # The cause would quote the text, which may be a secret in the wrong place.
        raise InvalidSettings(f"{one.env} is not a valid {kind.__name__}.") from None
    return text
