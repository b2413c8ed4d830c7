"""Which of our errors a failure of Ollama's is: its sentences, before the status.

Ollama has no codes, only sentences (`server/routes.go`, `server/sched.go`, `llm/llama_server.go` in
its repository), so the fixed ones are matched, narrowly, and together with the status that they
come with. Anything else is what its status says.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from parley_provider_sdk import (
    BackendError,
    BackendTimeout,
    BadRequest,
    BadResponse,
    ContextTooLong,
    ModelNotFound,
    ProviderError,
    RateLimited,
    UnsupportedParameter,
)
from parley_provider_sdk.failures import Refusal, error_in, failure

_CONTEXT = (
    r"exceeds (the |maximum )?(available context size|context length)"
    r"|prompt is longer than the context length"
)
_NO_SUCH_MODEL = r"model ['\"]?(?P<model>[^'\"]+)['\"]? not found"


class Row(NamedTuple):
    """What a sentence means, where it comes with one of these statuses."""

    sentence: re.Pattern[str]
    statuses: frozenset[int]
    kind: type[ProviderError]


def _row(sentence: str, statuses: set[int], kind: type[ProviderError]) -> Row:
    return Row(re.compile(sentence, re.IGNORECASE), frozenset(statuses), kind)


# In order: the first that fits decides. A stream that has begun reports with the status 200.
ROWS: Sequence[Row] = (
    _row(r"^server busy, please try again", {503}, RateLimited),
    _row(_CONTEXT, {200, 400, 500}, ContextTooLong),
    _row(_NO_SUCH_MODEL, {200, 404}, ModelNotFound),
    _row(r"^(model is required|invalid model name)$", {400}, ModelNotFound),
    _row(r"^timed out waiting for ", {200, 500}, BackendTimeout),
    _row(r"^request canceled$", {499}, BackendError),
)
# What a model does not support, in the server's word and as a field of ReplyRequest.
PARAMETERS = (("tools", "tools"), ("thinking", "reasoning_effort"))
_UNSUPPORTED = re.compile(r"does not support (?P<what>[\w\s]+)")
_NO_MEMORY = re.compile(r"^model requires more system memory")


def from_answer(answer: Refusal) -> ProviderError:
    """Returns the error that an answer other than 200 means."""
    said = sentence_of(answer.json())
    if answer.is_elsewhere(is_wire=bool(said)):
        return BadResponse("There is no Ollama at the vendor's address; check the base URL.")
    made = answer.failure(_kind(said, answer.status), said=said)
    return _explained(made, said, answer.status)


def from_event(error: object, secret: str) -> ProviderError:
    """Returns the error that an `error` within a stream means."""
    said = sentence_of({"error": error})
    made = failure(_kind(said, 200) or BackendError, said=said, secret=secret)
    return _explained(made, said, 200)


def sentence_of(answer: Any) -> str:
    """Returns what an answer says is wrong, also as a server of another make says it."""
    said = error_in(answer).get("message")
    return said if isinstance(said, str) else ""


def _kind(said: str, status: int) -> type[ProviderError] | None:
    for row in ROWS:
        if status in row.statuses and row.sentence.search(said):
            return row.kind
    return None


def _explained(made: ProviderError, said: str, status: int) -> ProviderError:
    """Adds what only the sentence says: a parameter, the name of a model, that none will help."""
    if isinstance(made, ModelNotFound):
        return not_found(said)
    if type(made) is BackendError and _NO_MEMORY.search(said):
        return BackendError("Ollama has not enough memory for the model.", retryable=False)
    found = _UNSUPPORTED.search(said) if type(made) is BadRequest and status == 400 else None
    for what, parameter in PARAMETERS:
        if found and what in found["what"].split():
            return UnsupportedParameter(made.message, parameter)
    return made


def not_found(said: str) -> ProviderError:
    """Returns the error for a model that is not there, with what to do, which everybody asks."""
    found = re.search(_NO_SUCH_MODEL, said)
    name = found["model"] if found and len(found["model"]) < 100 else "<model>"
    return ModelNotFound(f"Ollama has no such model; get it with `ollama pull {name}`.")
