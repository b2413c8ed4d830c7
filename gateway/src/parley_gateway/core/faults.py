"""The gateway's own faults.

InvalidArgument
+ MalformedBody      the body is not JSON
+ BodyTooLarge       more than the gateway takes
NotFound
+ RouteNotFound
+ UserNotFound
+ KeyNotFound
AlreadyExists
+ UserExists
FailedPrecondition
+ LastAdministrator
+ KeyRotated
Unimplemented
+ MethodNotAllowed
"""

from __future__ import annotations

from parley_rpc.faults import (
    AlreadyExists,
    FailedPrecondition,
    InvalidArgument,
    NotFound,
    Unimplemented,
)


class MalformedBody(InvalidArgument):
    """The body is not JSON."""

    reason = "malformed_body"


class BodyTooLarge(InvalidArgument):
    """The body is larger than the gateway takes."""

    reason = "body_too_large"

    def __init__(self, limit: int) -> None:
        super().__init__(f"The body is larger than {limit} bytes.", limit=limit)


class RouteNotFound(NotFound):
    """The gateway has no such route."""

    reason = "route_not_found"

    def __init__(self, path: str) -> None:
        super().__init__(f"There is no route {path}.", path=path)


class MethodNotAllowed(Unimplemented):
    """The route does not take this method."""

    reason = "method_not_allowed"

    def __init__(self, method: str) -> None:
        super().__init__(f"This route does not take {method}.", method=method)


class UserNotFound(NotFound):
    """No such user."""

    reason = "user_not_found"

    def __init__(self, user_id: str) -> None:
        super().__init__(f"There is no user {user_id}.", user_id=user_id)


class UserExists(AlreadyExists):
    """Another user has that name already."""

    reason = "user_exists"

    def __init__(self, name: str) -> None:
        super().__init__(f"There is a user {name} already.", name=name)


class KeyNotFound(NotFound):
    """No such key of the caller's."""

    reason = "key_not_found"

    def __init__(self, key_id: str) -> None:
        super().__init__(f"There is no key {key_id}.", key_id=key_id)


class LastAdministrator(FailedPrecondition):
    """Somebody must be able to administer: the first administrator always is."""

    reason = "last_administrator"

    def __init__(self, user_id: str) -> None:
        super().__init__(
            "The first administrator can be neither demoted nor disabled.", user_id=user_id
        )


class KeyRotated(FailedPrecondition):
    """The key has a successor already."""

    reason = "key_rotated"

    def __init__(self, key_id: str) -> None:
        super().__init__(f"The key {key_id} was rotated already.", key_id=key_id)
