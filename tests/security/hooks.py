"""What schemathesis cannot know of the gateway; loaded by it, in the folder of its run."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import schemathesis
from schemathesis.openapi.checks import AllowHeaderMismatch, RejectedPositiveData

# Whoever is meant instead of what is kept.
NOBODY = "01990000-0000-7000-8000-000000000000"
KEPT = frozenset(json.loads(Path("kept.json").read_text()))
# Rules that no schema can tell: a token that we made, a time after another or in the future, an
# address that leads outside, what Unicode calls printable. The position in a stream has a
# pattern, but schemathesis takes it for the id of something, and tries ids that it has seen.
UNTOLD = frozenset(
    {"/page_token", "/to", "/expires_at", "/base_url", "/display_name", "/Last-Event-ID"}
)
# So does a key that stands for another body.
UNTOLD_REASONS = frozenset({"idempotency_key_reused"})
# Nor does one tell which of Anthropic's fields go together, what base64 is, and which fields a
# provider knows. Its failures name no field but in their sentence.
UNTOLD_SENTENCES = re.compile(
    r"must be greater than thinking\.budget_tokens|must be one of the tools"
    r"|must hold something to answer|Invalid base64|must be an address"
    r"|not known to the provider|A maximum of 4 blocks|empty text blocks|must have the ttl"
)
# A model may be named `refresh`, and a response anything: their paths take more than the document
# tells of these.
SHARED_PATHS = frozenset({"/providers/{provider}/models/refresh", "/v1/responses/input_tokens"})
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


@schemathesis.hook
def before_call(_context: Any, case: Any, _kwargs: dict[str, Any]) -> None:
    """Leave alone what the run itself needs."""
    if case.method not in SAFE:
        for name, value in (case.path_parameters or {}).items():
            if value in KEPT:
                case.path_parameters[name] = "acme-eu" if value == "demo" else NOBODY
    creates = case.operation.label == "POST /providers"
    if creates and isinstance(case.body, dict) and case.body.get("plugin") == "acme":
        case.body["plugin"] = "demo"


@schemathesis.hook
def filter_failure(_context: Any, failure: Any, case: Any, response: Any) -> bool:
    """Take a refusal of what the schema allows only where no schema can tell the rule."""
    if isinstance(failure, AllowHeaderMismatch):
        return case.operation.path not in SHARED_PATHS
    if not isinstance(failure, RejectedPositiveData):
        return True
    problem = response.json()
    if problem.get("type") == "error":
        return not UNTOLD_SENTENCES.search(problem["error"]["message"])
    if isinstance(problem.get("error"), dict):
        # A dialect's: which of its fields go together is told by no schema.
        error = problem["error"]
        return error.get("param") is None and error.get("code") not in UNTOLD_REASONS
    pointers = {one["pointer"] for one in problem.get("errors", ())}
    told = bool(pointers) and pointers <= UNTOLD
    return not (told or problem["reason"] in UNTOLD_REASONS)
