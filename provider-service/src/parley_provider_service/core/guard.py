"""The door to plugins: whatever their code does, faults come out of it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import traceback
from collections.abc import Awaitable, Callable, Iterator
from typing import TypeVar

import parley_provider_sdk as sdk
from parley_rpc.faults import Fault

from parley_provider_service.core.faults import ProviderFailed, ProviderTimeout, fault_of

Answer = TypeVar("Answer")

logger = logging.getLogger(__name__)


@contextlib.contextmanager
def guarded(provider: str, model: str = "") -> Iterator[None]:
    """Turn what a plugin raises into faults; what is no ProviderError is a bug, and logged.

    Its message may quote what the vendor or the user said, so the log gets the type and the
    traceback without it. A plugin that ends the process or cancels itself is a bug like any other.
    """
    try:
        yield
    except Fault:
        raise
    except sdk.ProviderError as error:
        raise fault_of(error, provider, model) from error
    except (Exception, SystemExit, KeyboardInterrupt, asyncio.CancelledError) as error:
        task = asyncio.current_task()
        if isinstance(error, asyncio.CancelledError) and task is not None and task.cancelling():
            raise
        log_bug(provider, error)
        sentence = f"The plugin of '{provider}' failed; the log says where."
        raise ProviderFailed(sentence, provider=provider, model=model) from error


async def ask(provider: str, question: Callable[[], Awaitable[Answer]], seconds: float) -> Answer:
    """Ask a plugin something that has an answer within `seconds`; raise faults."""
    with guarded(provider):
        try:
            async with asyncio.timeout(seconds) as limit:
                return await question()
        except TimeoutError:
            if not limit.expired():
                raise
            sentence = f"The provider '{provider}' did not answer within {seconds:.3g} s."
            raise ProviderTimeout(sentence, provider=provider) from None


def log_bug(provider: str, error: BaseException) -> None:
    """Log where a plugin failed, without what it said."""
    frames = "".join(traceback.format_tb(error.__traceback__))
    fields = {"provider": provider, "error": type(error).__name__, "traceback": frames}
    logger.error("plugin failed", extra={"fields": fields})
