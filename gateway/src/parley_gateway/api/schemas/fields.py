"""The kinds of fields that schemas are made of."""

from __future__ import annotations

import base64
import binascii
import re
from datetime import UTC, date, datetime, time
from typing import Annotated, Any
from uuid import UUID

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    WithJsonSchema,
)


def storable(text: str) -> str:
    """Refuse NUL, which no database takes, and lone surrogates, which are no Unicode."""
    if "\0" in text:
        raise ValueError("It must not hold a NUL character.")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError("It must not hold a lone surrogate.") from None
    return text


def not_blank(text: str) -> str:
    """Refuse what holds nothing to read."""
    if not text or text.isspace():
        raise ValueError("It must not be blank.")
    return text


def base64_only(text: str) -> str:
    """Refuse what does not decode, or to nothing."""
    try:
        decoded = base64.b64decode(text, validate=True)
    except binascii.Error:
        raise ValueError("It must be base64.") from None
    if not decoded:
        raise ValueError("It must not be empty.")
    return text


def whole(value: Any) -> Any:
    """Take `5.0` for 5, as JSON Schema does."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def text_only(value: Any) -> Any:
    """Refuse a number where RFC 3339 is meant, which would pass for seconds since 1970."""
    if not isinstance(value, str):
        raise ValueError("It must be a time such as 2027-01-31T12:00:00Z.")  # noqa: TRY004 (pydantic reads ValueError)
    return value


def moment(value: Any) -> datetime:
    """Read a time as RFC 3339 has it, or a date, which means its begin in UTC."""
    written = text_only(value).upper()
    try:
        if DATE.fullmatch(written):
            return datetime.combine(date.fromisoformat(written), time(), UTC)
        if TIME.fullmatch(written):
            return datetime.fromisoformat(written).astimezone(UTC)
    except (ValueError, OverflowError):
        pass  # the thirtieth of February, the year 0
    raise ValueError(
        "It must be a date such as 2027-01-31, or a time such as 2027-01-31T12:00:00Z."
    )


def uuid_only(value: Any) -> Any:
    """Refuse what RFC 9562 does not call the text of a UUID, such as one without its dashes."""
    if isinstance(value, str) and not UUID_TEXT.fullmatch(value):
        raise ValueError("It must be a UUID, as in 01990000-0000-7000-8000-000000000000.")
    return value


def model_choice(text: str) -> str:
    """Refuse what is neither `provider` nor `provider/model`."""
    if not CHOICE.fullmatch(storable(text)):
        raise ValueError("It must be `provider/model`, or `provider` for its default model.")
    return text


DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
TIME = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d([.]\d+)?(Z|[+-]\d\d:\d\d)", re.ASCII)
CHOICE = re.compile(r"[a-z0-9][a-z0-9-]{0,49}(/[^\0]{1,200})?")
LONGEST_CHOICE = 251
UUID_TEXT = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
MOST_CHOICES = 8
NO_NUL = {"pattern": r"^[^\u0000]*$"}
# What `str.isspace` calls white; `\s` is not the same everywhere.
WHITE = r"\u0009-\u000d\u001c-\u0020\u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
FILLED = {"pattern": rf"^[^\u0000]*[^{WHITE}\u0000][^\u0000]*$"}
Text = Annotated[str, AfterValidator(storable), Field(json_schema_extra=NO_NUL)]
FilledText = Annotated[
    str, AfterValidator(storable), AfterValidator(not_blank), Field(json_schema_extra=FILLED)
]
Name = Annotated[FilledText, Field(max_length=100)]
Label = Annotated[Text, Field(min_length=1, max_length=200)]
CHAT_ID = r"^[A-Za-z0-9_-]{1,50}$"
ChatId = Annotated[str, Field(pattern=CHAT_ID)]
Uuid = Annotated[
    UUID,
    BeforeValidator(uuid_only),
    Field(json_schema_extra={"pattern": f"^{UUID_TEXT.pattern}$"}),
]
Instant = Annotated[
    AwareDatetime,
    BeforeValidator(text_only),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
Moment = Annotated[
    datetime,
    BeforeValidator(moment),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "format": "date-time"},
                {"type": "string", "format": "date"},
            ]
        }
    ),
]
ModelChoice = Annotated[
    str,
    AfterValidator(model_choice),
    Field(
        max_length=LONGEST_CHOICE,
        json_schema_extra={"pattern": r"^[a-z0-9][a-z0-9-]{0,49}(/[^\u0000]{1,200})?$"},
    ),
]
ModelChoices = Annotated[list[ModelChoice], Field(max_length=MOST_CHOICES)]
# Dollars without a sign, to the nano-dollar.
Dollars = Annotated[str, Field(pattern=r"^[0-9]{1,9}([.][0-9]{1,9})?$")]


def example(value: dict[str, Any]) -> ConfigDict:
    """Configure an answer."""
    return ConfigDict(json_schema_extra={"examples": [value]})


def body(value: dict[str, Any]) -> ConfigDict:
    """Configure a request: unknown fields are refused."""
    return ConfigDict(json_schema_extra={"examples": [value]}, extra="forbid")


class Page(BaseModel):
    """A part of a list."""

    next_page_token: Annotated[str | None, Field(description="Null at the end.")]
