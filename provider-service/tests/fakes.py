"""In-memory ports, and a provider that plays a script."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import parley_provider_sdk as sdk
from parley_provider_service.core.faults import MasterKeyMissing
from parley_provider_service.core.model import (
    Config,
    Facts,
    Installed,
    Model,
    ModelChange,
    ModelChoice,
)
from parley_provider_service.core.naming import Alias
from parley_provider_service.core.ports import CatalogStore, Prices, Vault
from parley_rpc.faults import DatabaseUnavailable
from typing_extensions import override

USAGE = sdk.Usage(input_tokens=10, output_tokens=20)
DONE = sdk.Finished(sdk.FinishReason.STOP, USAGE)


@dataclass
class ScriptedProvider:
    """Says what its script says: events are sent, errors raised, functions awaited."""

    script: Sequence[Any] = (sdk.TextDelta("Hi."), DONE)
    listed: Any = (sdk.ModelInfo("small"), sdk.ModelInfo("large"))
    health: Any = field(default_factory=lambda: sdk.Health(healthy=True, detail="Well."))
    asked: list[sdk.ReplyRequest] = field(default_factory=list)
    listings: int = 0
    closed_streams: int = 0
    closed: bool = False
    # Replies in place of the script.
    stream: Callable[[sdk.ReplyRequest], Any] | None = None

    def chat_completion(self, request: sdk.ReplyRequest) -> Any:
        self.asked.append(request)
        return self.stream(request) if self.stream else self._play()

    async def _play(self) -> AsyncIterator[Any]:
        try:
            for step in self.script:
                if isinstance(step, BaseException):
                    raise step
                if callable(step):
                    await step()
                else:
                    yield step
        finally:
            self.closed_streams += 1

    async def list_models(self) -> Any:
        self.listings += 1
        return await said(self.listed)

    async def health_check(self) -> Any:
        return await said(self.health)

    async def aclose(self) -> None:
        self.closed = True


async def said(answer: Any) -> Any:
    if isinstance(answer, BaseException):
        raise answer
    return await answer() if callable(answer) else answer


def wait(seconds: float) -> Callable[[], Awaitable[None]]:
    """A step of a script that takes time."""
    return lambda: asyncio.sleep(seconds)


def installed(name: str = "acme", provider: Any = None, **more: Any) -> Installed:
    """A provider as its plugin brings it: configured, unless told otherwise."""
    made = provider or ScriptedProvider()
    fields = {
        "provider": made,
        "configure": lambda wish: installed(wish.name, made, kind=name),
        **more,
    }
    fields = {"kind": name, **fields}
    return Installed(name, name.title(), f"parley-provider-{name}", "1.0", **fields)


@dataclass
class MemoryCatalogStore(CatalogStore):
    decided: dict[str, Config] = field(default_factory=dict)
    kept: dict[tuple[str, str], Model] = field(default_factory=dict)
    overrides: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    # Models that no vendor listed.
    by_hand: set[tuple[str, str]] = field(default_factory=set)
    named: dict[str, Alias] = field(default_factory=dict)
    away: bool = False

    @override
    async def configs(self, installed: Sequence[Installed]) -> Mapping[str, Config]:
        self._reach()
        for one in installed:
            if not one.broken:
                self.decided.setdefault(one.name, Config())
        return dict(self.decided)

    @override
    async def add(self, name: str, config: Config, *, by: UUID) -> bool:
        self._reach()
        if name in self.decided:
            return False
        self.decided[name] = config
        return True

    @override
    async def change(self, name: str, changes: Mapping[str, Any], *, by: UUID) -> bool:
        self._reach()
        if name not in self.decided:
            return False
        if changes.get("is_default"):
            for other, config in self.decided.items():
                self.decided[other] = replace(config, is_default=None)
        self.decided[name] = replace(self.decided[name], **changes)
        return True

    @override
    async def remove(self, name: str) -> bool:
        self._reach()
        self.kept = {key: model for key, model in self.kept.items() if key[0] != name}
        return self.decided.pop(name, None) is not None

    @override
    async def reseal(self, sealed: Mapping[str, tuple[bytes, bytes]]) -> int:
        self._reach()
        hits = [n for n, (before, _) in sealed.items() if self.decided[n].sealed == before]
        for name in hits:
            self.decided[name] = replace(self.decided[name], sealed=sealed[name][1])
        return len(hits)

    @override
    async def models(self) -> Sequence[Model]:
        self._reach()
        return [self._laid_over(key, model) for key, model in self._in_order()]

    @override
    async def save(self, provider: str, listed: Sequence[Model]) -> Sequence[Model]:
        self._reach()
        if provider not in self.decided:
            return []
        new = {(provider, model.name): model for model in listed}
        for key, model in list(self.kept.items()):
            if key[0] == provider and key not in new and key not in self.by_hand:
                new[key] = replace(model, gone_at=model.gone_at or datetime.now(UTC))
            elif key[0] == provider and key not in new:
                new[key] = model
        self.kept = {key: m for key, m in self.kept.items() if key[0] != provider} | new
        return await self._of(provider)

    @override
    async def overlay(self, provider: str, model: str, change: ModelChange) -> Sequence[Model]:
        self._reach()
        key = (provider, model)
        if key not in self.kept:
            self.kept[key] = Model(provider, model, model)
            self.by_hand.add(key)
        said = {n: getattr(change, n) for n in OVERLAID if getattr(change, n) is not None}
        self.overrides[key] = self.overrides.get(key, {}) | said
        self._note(provider)
        return await self._of(provider)

    @override
    async def reset(self, provider: str, model: str) -> Sequence[Model] | None:
        self._reach()
        key = (provider, model)
        if key in self.by_hand:
            self.by_hand.remove(key)
            del self.kept[key]
        elif key not in self.overrides:
            return None
        self.overrides.pop(key, None)
        self._note(provider)
        return await self._of(provider)

    @override
    async def aliases(self) -> Sequence[Alias]:
        self._reach()
        return list(self.named.values())

    @override
    async def set_alias(self, name: str, meaning: ModelChoice, *, by: UUID) -> Alias:
        self._reach()
        self.named[name] = Alias(name, meaning, datetime.now(UTC))
        return self.named[name]

    @override
    async def remove_alias(self, name: str) -> bool:
        self._reach()
        return self.named.pop(name, None) is not None

    def _in_order(self) -> list[tuple[tuple[str, str], Model]]:
        return sorted(self.kept.items(), key=lambda item: (item[0][0], item[1].gone_at is not None))

    def _laid_over(self, key: tuple[str, str], model: Model) -> Model:
        over = self.overrides.get(key, {})
        return replace(model, **over, overridden=bool(over) or key in self.by_hand)

    async def _of(self, provider: str) -> Sequence[Model]:
        return [model for model in await self.models() if model.provider == provider]

    def _note(self, provider: str) -> None:
        now = datetime.now(UTC)
        self.decided[provider] = replace(self.decided[provider], models_changed_at=now)

    def _reach(self) -> None:
        if self.away:
            raise DatabaseUnavailable


OVERLAID = ("display_name", "context_window", "max_output_tokens", "capabilities", "price")


@dataclass
class PlainVault(Vault):
    """Encrypts nothing, but keeps to the rules: which master key, whose, what."""

    newest: int = 1
    known: set[int] = field(default_factory=lambda: {1})

    @property
    @override
    def is_open(self) -> bool:
        return bool(self.known)

    @override
    def seal(self, owner: str, secret: str) -> bytes:
        if not self.known:
            raise MasterKeyMissing
        return f"{self.newest} {owner} {secret}".encode()

    @override
    def unseal(self, owner: str, sealed: bytes) -> str | None:
        key, whose, secret = sealed.decode().split(" ", 2)
        return secret if int(key) in self.known and whose == owner else None

    @override
    def is_stale(self, sealed: bytes) -> bool:
        return int(sealed.split()[0]) != self.newest


@dataclass
class KnownPrices(Prices):
    known: Mapping[str, Facts] = field(default_factory=dict)
    questions: int = 0

    @override
    async def facts(
        self, provider: str, base_url: str, models: Sequence[str]
    ) -> Mapping[str, Facts]:
        self.questions += 1
        return {name: self.known[name] for name in models if name in self.known}
