"""What the page says about failures, in words."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from parley_client import GatewayUnreachable, ParleyError, ProblemError

from parley_ui import quotas
from parley_ui.figures import duration
from parley_ui.markdown import plain


@dataclass(frozen=True, slots=True)
class Explanation:
    """A failure in words: what happened, what to do about it, and what to tell support."""

    title: str
    advice: str
    facts: tuple[str, ...] = ()


ADVICE: Mapping[str, str] = MappingProxyType(
    {
        "budget_exceeded": "A shorter reply or a cheaper model may still fit.",
        "chat_busy": "Wait until the replies before it are done.",
        "content_filtered": "The provider's filter refused it. Say it differently.",
        "context_length": "Start a new chat, or choose a model with a larger context.",
        "database_unavailable": "The database is away. Try again in a moment.",
        "key_rotated": "It has a successor, and ends by itself.",
        "last_administrator": "Somebody must be able to administer.",
        "limit_exceeded": "It frees by itself.",
        "model_not_found": "Choose another model below.",
        "master_key_missing": (
            "Set `MASTER_KEY` or `MASTER_KEY_FILE` for the provider service; `make up` makes one."
        ),
        "overloaded": "The provider is overloaded. Try again, or choose another one.",
        "permission_denied": "Ask an administrator.",
        "price_unknown": "Choose another model, or ask an administrator to set its price.",
        "prompt_exists": "Choose another name.",
        "provider_exists": "Choose another name.",
        "circuit_open": "The provider failed too often and is left alone. Choose another one.",
        "provider_auth": "The provider refused its key. Check that key in the platform's settings.",
        "provider_error": "The provider failed. Try again, or choose another one.",
        "provider_not_found": "Choose another provider below.",
        "provider_not_ready": "Choose another provider below; its page says what it lacks.",
        "provider_quota": "The account with the provider is used up. Choose another provider.",
        "rate_limited": "Try again later, or choose another provider.",
        "timeout": "The provider took too long. Try again, or choose another one.",
        "scope_missing": "This key is not for that. Use another one of yours.",
        "too_busy": "More is asked at once than the platform takes on. Try again in a moment.",
        "too_large": "Send less at once.",
        "unavailable": "A part of the platform is away or starting. Try again in a moment.",
        "user_exists": "Choose another name.",
        "unreachable": "The provider cannot be reached. Is it running, and is its address right?",
    }
)

SHORT = frozenset({402, 429})  # something is used up
AWAY = (
    "Is it running? `make up` starts everything, `python -m parley_gateway serve` the gateway "
    "alone. If it runs elsewhere, set `API_URL` and start this page again."
)
NO_KEY = (
    "Set `API_KEY` to a key of the gateway, or `PARLEY_HOME` to the folder that holds its "
    "`admin.key`, and start this page again."
)
# What a key that is not accepted means: the page's own, that of somebody who was in, and of
# somebody who is at the door.
PAGE_KEY = ("The gateway does not accept this page's key", NO_KEY)
OWN_KEY = (
    "Your key is not accepted any more",
    "It was revoked, has expired, or you were disabled. Sign in with another key.",
)
SIGNING_IN = (
    "The gateway does not accept this key",
    "Is it whole? A key that was revoked or has expired is not accepted either.",
)


def is_refusal(error: ParleyError) -> bool:
    """Tells whether it is the key that was refused."""
    return isinstance(error, ProblemError) and error.status == 401


def explain_refusal(error: ParleyError, *, own: bool) -> Explanation:
    """Returns what to tell somebody whose key, or the page's, is not accepted."""
    return explain(error, "", unaccepted=OWN_KEY if own else PAGE_KEY)


def explain(
    error: ParleyError, api_url: str, *, unaccepted: tuple[str, str] = PAGE_KEY
) -> Explanation:
    """Returns what to tell people about a failure; `unaccepted` about a key that is refused."""
    if isinstance(error, ProblemError):
        return Explanation(*unaccepted, _facts(error)) if is_refusal(error) else _problem(error)
    if isinstance(error, GatewayUnreachable):
        return Explanation(f"The gateway at {api_url} does not answer", AWAY, (str(error),))
    return Explanation(f"What answers at {api_url} is not a gateway", AWAY, (str(error),))


def _problem(error: ProblemError) -> Explanation:
    details = [f"{one.pointer.strip('/')}: {one.detail}" for one in error.errors]
    if error.status in SHORT and (short := quotas.shortage(error.metadata)):
        details.append(plain(short))
    advice = ADVICE.get(error.reason) or ("Try again in a moment." if error.retryable else "")
    return Explanation(error.detail or error.title, " ".join([*details, advice]), _facts(error))


def _facts(error: ProblemError) -> tuple[str, ...]:
    after = f"Try again in {duration(error.retry_after)}" if error.retry_after else ""
    request = f"Request {error.request_id}" if error.request_id else ""
    return tuple(fact for fact in (after, f"Reason {error.reason}", request) if fact)
