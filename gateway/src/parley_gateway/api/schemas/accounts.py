"""Users, keys and the audit log over HTTP."""

from __future__ import annotations

import re
from datetime import datetime
from types import NoneType
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from parley_gateway.api import examples
from parley_gateway.api.schemas.allowances import Allowance
from parley_gateway.api.schemas.fields import (
    Dollars,
    Instant,
    Name,
    Page,
    Text,
    Uuid,
    body,
    example,
    whole,
)

RoleName = Literal["user", "admin"]
LONGEST_OVERLAP = 30 * 24 * 3600
USUAL_OVERLAP = 24 * 3600
SCOPE = (
    r"^(read|read-only|chat|prompts|keys|admin|provider:[a-z0-9][a-z0-9-]{0,49}"
    r"|model:[a-z0-9][a-z0-9-]{0,49}/[^\u0000]+)$"
)
AS_SCOPE = {"pattern": SCOPE}
# What people call a key that has the scope `read` and no other.
READ_ONLY = "read-only"


def scope(text: str) -> str:
    """Refuse what is no scope; a key for reading alone is called so, too."""
    if not re.fullmatch(SCOPE.strip("^$"), text, re.DOTALL):
        raise ValueError("It must be a scope, such as `chat` or `provider:demo`.")
    return "read" if text == READ_ONLY else text


Count = Annotated[int, Field(ge=1, le=1_000_000_000), BeforeValidator(whole)]
Amount = Annotated[Dollars, Field(description="In USD, to the nano-dollar.")]
Scopes = Annotated[
    list[Annotated[Text, AfterValidator(scope), Field(max_length=300, json_schema_extra=AS_SCOPE)]],
    Field(
        max_length=100,
        description="What the key is for: any of `read` (`read-only` means the same), `chat`, "
        "`prompts`, `keys`, `admin`; and "
        "whom it may ask: `provider:<name>`, `model:<provider>/<model>`. None of a kind allows all "
        "of it that the user may do.",
    ),
]


class Limits(BaseModel):
    """How much may be used; null sets no limit of its own."""

    model_config = ConfigDict(extra="forbid", strict=True)

    requests_per_hour: Count | None = None
    tokens_per_minute: Count | None = None
    concurrent_turns: Count | None = None


class Budgets(BaseModel):
    """How much may be spent in a calendar day and month in UTC; null sets no budget."""

    model_config = ConfigDict(extra="forbid", strict=True)

    daily: Amount | None = None
    monthly: Amount | None = None


class UserCreate(BaseModel):
    """A new user."""

    model_config = body(examples.USER_BODY)

    name: Name
    role: RoleName = "user"


class UserUpdate(BaseModel):
    """What is to change in a user; what is left out stays, null takes limits back."""

    model_config = ConfigDict(**body(examples.USER_CHANGE), strict=True)

    name: Annotated[Name, Field(default_factory=str)]
    role: Annotated[RoleName, Field(default_factory=lambda: "user")]
    disabled: Annotated[bool, Field(default_factory=bool)]
    limits: Annotated[Limits | None, Field(default_factory=NoneType)]
    budgets: Annotated[Budgets | None, Field(default_factory=NoneType)]


class KeyCreate(BaseModel):
    """A new key."""

    model_config = body(examples.KEY_BODY)

    name: Name
    user_id: Annotated[Uuid | None, Field(description="Whose; others' for administrators.")] = None
    scopes: Scopes | None = None
    expires_at: Instant | None = None
    limits: Limits | None = None
    budgets: Budgets | None = None


class KeyRotation(BaseModel):
    """How a key's successor takes its place."""

    model_config = ConfigDict(**body(examples.ROTATION_BODY), strict=True)

    overlap_seconds: Annotated[
        int,
        Field(
            ge=0,
            le=LONGEST_OVERLAP,
            description="How long the old key still works; with 0 it ends at once.",
        ),
        BeforeValidator(whole),
    ] = USUAL_OVERLAP


class MyKey(BaseModel):
    """The key that was shown."""

    key_id: str
    name: str
    scopes: list[str]
    expires_at: datetime | None


class Me(BaseModel):
    """The caller."""

    model_config = example(examples.ME)

    user_id: UUID
    name: str
    role: RoleName
    key: MyKey
    limits: Limits
    budgets: Budgets
    allowances: Annotated[
        list[Allowance], Field(description="What requests count against, and what is left of it.")
    ]


class Context(BaseModel):
    """In whose name a call over gRPC is made, for a while."""

    model_config = example(examples.CONTEXT)

    context: Annotated[str, Field(description="Base64 of a `SignedUserContext`.")]
    fresh_until: Annotated[
        datetime, Field(description="Until when a call may begin something with it.")
    ]
    expires_at: datetime


class User(BaseModel):
    """A user."""

    model_config = example(examples.USER)

    user_id: UUID
    name: str
    role: RoleName
    disabled: bool
    created_at: datetime
    limits: Limits
    budgets: Budgets


class UserPage(Page):
    """Users, newest first."""

    model_config = example(examples.USER_PAGE)

    users: list[User]


class Key(BaseModel):
    """A key without its secret."""

    key_id: str
    user_id: UUID
    name: str
    last4: str
    scopes: list[str]
    expires_at: datetime | None
    last_used_at: datetime | None
    created_at: datetime
    limits: Limits
    budgets: Budgets


class NewKey(Key):
    """A key, and this once the secret that it is."""

    model_config = example(examples.NEW_KEY)

    key: str


class KeyPage(Page):
    """Keys that are not revoked, newest first."""

    model_config = example(examples.KEY_PAGE)

    keys: list[Key]


class AuditEntry(BaseModel):
    """Who did what to what, from where, and what came of it."""

    at: datetime
    actor: Annotated[UUID | None, Field(description="The user; null when nobody is known.")]
    key_id: Annotated[str | None, Field(description="The key that was shown.")]
    action: Annotated[
        str, Field(description="The `operationId` of what was asked for, or `login`.")
    ]
    outcome: Annotated[
        str,
        Field(
            description="`done`, or the `reason` of the refusal; `asked` before another service "
            "was asked for a change."
        ),
    ]
    target: str
    ip: str
    request_id: str
    details: dict[str, Any]


class AuditPage(Page):
    """Entries of the audit log, newest first."""

    model_config = example(examples.AUDIT_PAGE)

    entries: list[AuditEntry]
