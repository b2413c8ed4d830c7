"""A vendor's own library, for what is asked rarely: it may take seconds to load."""

from __future__ import annotations

import asyncio
import importlib
from typing import Any, Generic, Protocol, TypeVar, cast

from parley_provider_sdk.addresses import private_allowed, reach

__all__ = ["Closable", "Library"]


class Closable(Protocol):
    """What holds connections."""

    async def aclose(self) -> None:
        """Closes them."""


C = TypeVar("C", bound=Closable)


class Library(Generic[C]):
    """Loads what is written against the library when it is first asked for: once, in a thread.

    Importing the library and making its client read files and compute, certificates among them.
    """

    def __init__(self, module: str, name: str, *args: Any) -> None:
        """`name` is the class in `module` to be made with `args`."""
        self._module = module
        self._name = name
        self._args = args
        self._made: C | None = None
        self._making = asyncio.Lock()
        self._private = private_allowed()

    async def get(self) -> C:
        """Returns it. Raises what importing or making it raises, each time it is asked for."""
        async with self._making:
            if self._made is None:
                self._made = await asyncio.to_thread(self._make)
            return self._made

    async def aclose(self) -> None:
        """Closes it, where it was ever asked for."""
        if self._made is not None:
            await self._made.aclose()

    def _make(self) -> C:
        factory = getattr(importlib.import_module(self._module), self._name)
        with reach(private=self._private):
            made = factory(*self._args)
        return cast("C", made)
