"""The key that a request shows, in either spelling."""

from __future__ import annotations

from parley_rpc.faults import Unauthenticated

from parley_gateway.api.middleware import Headers
from parley_gateway.core.keys import key_id_of

LONGEST_TOKEN = 8 * 1024


def credential(headers: Headers) -> bytes:
    """Return the one key that a request shows; Unauthenticated.

    `Authorization: Bearer` and `x-api-key` mean the same, and both may be sent when they hold
    the same key.
    """
    shown = [bearer(value) for name, value in headers if name == b"authorization"]
    if len(shown) > 1:
        raise Unauthenticated("The request has more than one Authorization header.")
    shown += [value.strip() for name, value in headers if name == b"x-api-key"]
    if not shown:
        raise Unauthenticated("The request shows no key: send `Authorization: Bearer <key>`.")
    token = shown[0]
    if any(other != token for other in shown):
        raise Unauthenticated("The request shows more than one key.")
    if not token or len(token) > LONGEST_TOKEN:
        raise Unauthenticated("The key is not valid.")
    return token


def bearer(value: bytes) -> bytes:
    """Return the token of an Authorization header; Unauthenticated for any other scheme."""
    scheme, _, token = value.strip().partition(b" ")
    if scheme.lower() != b"bearer":
        raise Unauthenticated("The Authorization header must be `Bearer <key>`.")
    return token.strip()


def named_key(headers: Headers) -> str:
    """Return the id, which is no secret, in the key that a request shows; else nothing."""
    try:
        return key_id_of(credential(headers)) or ""
    except Unauthenticated:
        return ""
