"""The gateway's own faults.

InvalidArgument
+ MalformedBody      the body is not JSON
+ BodyTooLarge       more than the gateway takes
+ SlowBody           the body did not come in time
+ EncodedBody        the body is compressed
+ HeadTooLarge       the headers are more than the gateway takes
+ MalformedRequest   what came is not HTTP, or its Host is none
LimitExceeded
+ TooManyAttempts    too many different wrong keys
NotFound
+ RouteNotFound
+ UserNotFound
+ KeyNotFound
AlreadyExists
+ UserExists
FailedPrecondition
+ LastAdministrator
+ KeyRotated
+ ChatGoesOn         the chat holds more than what is to be deleted
Unimplemented
+ MethodNotAllowed
"""

from __future__ import annotations

from parley_rpc.faults import (
    AlreadyExists,
    FailedPrecondition,
    InvalidArgument,
    LimitExceeded,
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


class SlowBody(InvalidArgument):
    """The body did not come in time."""

    reason = "slow_body"

    def __init__(self, seconds: float) -> None:
        super().__init__(f"The body did not come within {seconds:g} s.", seconds=f"{seconds:g}")


class EncodedBody(InvalidArgument):
    """The body is compressed, or encoded in another way."""

    reason = "encoded_body"

    def __init__(self, encoding: str) -> None:
        super().__init__(
            f"The body must be sent as it is, not encoded as {encoding}.", encoding=encoding
        )


class HeadTooLarge(InvalidArgument):
    """The head of the request is larger than the gateway takes."""

    reason = "head_too_large"


class MalformedRequest(InvalidArgument):
    """What came is not HTTP, or means one thing to us and another to a proxy."""

    reason = "malformed_request"


class TooManyAttempts(LimitExceeded):
    """Too many different wrong keys came from there."""

    reason = "too_many_attempts"

    def __init__(self, seconds: float) -> None:
        super().__init__("Too many wrong keys were shown.", retry_after=seconds)


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


class ChatGoesOn(FailedPrecondition):
    """The chat holds more than what is to be deleted."""

    reason = "chat_goes_on"

    def __init__(self, response_id: str, chat_id: str) -> None:
        super().__init__(
            f"The response {response_id} stands in the chat {chat_id} with others, which would "
            "lose what they follow: delete the chat.",
            response_id=response_id,
            chat_id=chat_id,
        )
