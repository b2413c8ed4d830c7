"""Everything that the OpenAPI document allows and forbids, tried by a machine."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from parley_gateway.api.dependencies import Gateway
from schemathesis import GenerationMode
from schemathesis.core.result import Ok

from .conftest import ADMIN_KEY
from .fakes import Script
from .replies import said
from .turns import WHOLE

pytestmark = pytest.mark.unit

Case: TypeAlias = "schemathesis.Case[Any]"
Listen = Callable[[], Awaitable[httpx.AsyncClient]]
EXAMPLES = 8
# A rule over many places at once, which no schema can tell.
UNTOLD = "messages: must hold something to answer"


def without_times_and_places(case: Case) -> None:
    """Leave out what no schema can describe: a token that we made, a time after another."""
    case.query.pop("page_token", None)
    case.query.pop("to", None)
    if isinstance(case.body, dict):
        case.body.pop("expires_at", None)


def explore(url: str, mode: GenerationMode) -> list[str]:
    """Try every operation; schemathesis raises what it finds."""
    tried = []
    results = schemathesis.openapi.from_url(f"{url}/openapi.json").get_all_operations()
    for operation in [result.ok() for result in results if isinstance(result, Ok)]:

        @given(case=operation.as_strategy(generation_mode=mode))
        @settings(
            max_examples=EXAMPLES,
            deadline=None,
            derandomize=True,
            phases=[Phase.explicit, Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        def explored(case: Case) -> None:
            if mode is GenerationMode.POSITIVE:
                without_times_and_places(case)
            answer = case.call(headers={"x-api-key": ADMIN_KEY})
            if UNTOLD not in answer.text:
                case.validate_response(answer)

        # What takes nothing can be sent nothing wrong.
        with contextlib.suppress(Unsatisfiable):
            explored()
            tried.append(operation.label)
    return tried


@pytest.mark.parametrize(
    ("mode", "operations"), [(GenerationMode.POSITIVE, 40), (GenerationMode.NEGATIVE, 35)]
)
async def test_the_document_is_true(
    listen: Listen, script: Script, gateway: Gateway, mode: GenerationMode, operations: int
) -> None:
    script.turn = [*WHOLE]
    script.replies = [said("A day")]
    gateway.limiter.limit = 10**6
    client = await listen()

    tried = await asyncio.to_thread(explore, str(client.base_url).rstrip("/"), mode)

    assert operations <= len(tried)
