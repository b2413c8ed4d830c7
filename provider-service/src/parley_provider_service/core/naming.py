"""What callers call models: `provider/model`, an alias, or a bare name that one provider has."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from parley_provider_service.core.faults import ModelNotFound
from parley_provider_service.core.model import ModelChoice
from parley_provider_service.core.roster import NEAR, Entry, Roster, near


@dataclass(frozen=True, slots=True)
class Alias:
    """Another name for a model, set by an administrator."""

    name: str
    meaning: ModelChoice
    updated_at: datetime | None = None


NO_ALIASES: Mapping[str, Alias] = {}


class Names:
    """Reads names from memory: a few look-ups, and nobody is asked."""

    def __init__(self, roster: Roster) -> None:
        self.roster = roster
        # By name; replaced as a whole.
        self.aliases = NO_ALIASES

    def meaning(self, name: str) -> ModelChoice | None:
        """Return the model that a name means, as far as is known.

        None for one that nobody has; ModelNotFound for one that several have.
        """
        provider, _, model = name.partition("/")
        if model and provider in self.roster.entries:
            return ModelChoice(provider, model)
        alias = self.aliases.get(name)
        if alias is not None:
            return alias.meaning
        owners = [entry.name for entry in self.roster.entries.values() if has(entry, name)]
        if len(owners) == 1:
            return ModelChoice(owners[0], name)
        default = self.roster.default() if owners else ""
        if default in owners:
            return ModelChoice(default, name)
        if owners:
            raise ModelNotFound.several(name, sorted(f"{owner}/{name}" for owner in owners))
        return None

    def unknown(self, name: str) -> ModelNotFound:
        """Return the fault of a name that means nothing; it tells names that mean something."""
        full = dict(self._offered())
        said = {model: qualified for qualified, model in full.items()} | {
            a: a for a in self.aliases
        }
        close = [*near(name, full), *(said[one] for one in near(name, said))]
        return ModelNotFound.unknown(name, list(dict.fromkeys(close))[:NEAR])

    def _offered(self) -> Iterator[tuple[str, str]]:
        """Yield each model by its full name and its own."""
        for entry in self.roster:
            for model in entry.models:
                if has(entry, model):
                    yield f"{entry.name}/{model}", model


def has(entry: Entry, name: str) -> bool:
    """Whether a provider that may be used offers a model."""
    model = entry.models.get(name)
    return model is not None and model.gone_at is None and entry.provider is not None
