"""The key: whether the gateway takes it, and if not, which of the many ways it is wrong."""

from dataclasses import dataclass, field

from parley_client import Client, ParleyError, ProblemError, Timeouts
from parley_client.checksums import is_issued, is_mistyped

from parley_local.doctor.finding import Finding, failure, ok

WAIT = Timeouts(connect=2, read=15, reread=0)
REFUSED = "The gateway does not accept it (401)"
SHOWN = "Requests carry it as `Authorization: Bearer <key>`."


@dataclass(frozen=True)
class Kept:
    """The key that `make up` made at its first start, and the gateway to try it at."""

    url: str
    key: str | None = field(repr=False)


def check_key(client: Client, key: str | None, kept: Kept) -> Finding:
    """Whether the gateway takes the key."""
    if key is None:
        return failure("key", "There is none.", "Set API_KEY in `.env`, or let `make up` make one.")
    try:
        me = client.me()
    except ProblemError as problem:
        if problem.status == 401:
            return _refused(key, kept)
        if problem.reason == "too_many_attempts":
            return failure(
                "key",
                "It is wrong, and too many wrong ones came from here (429).",
                "Set API_KEY in `.env` to the right one, and find out who tries the others. "
                "A right one is let in at once.",
            )
        return failure("key", f"It could not be checked: {problem}", "Try again.")
    except ParleyError as error:
        return failure("key", f"It could not be checked: {error}", "Try again.")
    return ok("key", f"accepted, for {me.name} ({me.role})")


def _refused(key: str, kept: Kept) -> Finding:
    if kept.key not in (None, key) and _is_accepted(kept):
        return failure(
            "key",
            f"{REFUSED}, but it accepts the one in `$PARLEY_HOME/admin.key`.",
            "API_KEY differs from the key that the gateway was started with: take it out of "
            "`.env`, or restart all of Parley so that the gateway and the page have the same.",
        )
    if is_mistyped(key):
        return failure(
            "key",
            f"{REFUSED}: it is mistyped or cut off, for its checksum does not fit.",
            f"Copy it anew into API_KEY, from `parley_` to its last character. {SHOWN}",
        )
    if is_issued(key):
        return failure(
            "key",
            f"{REFUSED}: it was revoked, has expired, its user is disabled, or it is another "
            "installation's.",
            f"Have an administrator make a new one, and set API_KEY in `.env` to it. {SHOWN}",
        )
    return failure(
        "key",
        f"{REFUSED}.",
        "Set API_KEY in `.env` to a key that the gateway knows and restart what reads it: "
        f"the page and this command must show the same one. {SHOWN}",
    )


def _is_accepted(kept: Kept) -> bool:
    try:
        with Client(kept.url, kept.key, timeouts=WAIT) as client:
            return bool(client.me().user_id)
    except ParleyError:
        return False
