"""Users and keys over HTTP."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, Field

from parley_gateway.api import examples
from parley_gateway.api.schemas.allowances import Allowance
from parley_gateway.api.schemas.fields import Instant, Name, Page, body, example


class UserCreate(BaseModel):
    """A new user."""

    model_config = body(examples.USER_BODY)

    name: Name
    role: Literal["user", "admin"] = "user"


class KeyCreate(BaseModel):
    """A new key."""

    model_config = body(examples.KEY_BODY)

    name: Name
    user_id: Annotated[UUID | None, Field(description="Whose; others' for administrators.")] = None
    expires_at: Instant | None = None


class MyKey(BaseModel):
    """The key that was shown."""

    key_id: str
    name: str
    expires_at: datetime | None


class MyLimits(BaseModel):
    """What the caller may do in an hour."""

    requests_per_hour: int


class Me(BaseModel):
    """The caller."""

    model_config = example(examples.ME)

    user_id: UUID
    name: str
    role: Literal["user", "admin"]
    key: MyKey
    limits: MyLimits
    allowances: Annotated[
        list[Allowance], Field(description="What requests count against, and what is left of it.")
    ]


class Context(BaseModel):
    """In whose name a call over gRPC is made, for a while."""

    model_config = example(examples.CONTEXT)

    context: Annotated[str, Field(description="Base64 of a `SignedUserContext`.")]
    expires_at: datetime


class User(BaseModel):
    """A user."""

    model_config = example(examples.USER)

    user_id: UUID
    name: str
    role: Literal["user", "admin"]
    disabled: bool
    created_at: datetime


class UserPage(Page):
    """Users, newest first."""

    model_config = example(examples.USER_PAGE)

    users: list[User]


class Key(BaseModel):
    """A key without its secret."""

    key_id: str
    name: str
    last4: str
    expires_at: datetime | None
    last_used_at: datetime | None
    created_at: datetime


class NewKey(Key):
    """A key, and this once the secret that it is."""

    model_config = example(examples.NEW_KEY)

    key: str


class KeyPage(Page):
    """Keys that are not revoked, newest first."""

    model_config = example(examples.KEY_PAGE)

    keys: list[Key]
