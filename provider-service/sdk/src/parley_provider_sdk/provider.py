"""What every provider can do, and what some can do besides."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from parley_provider_sdk.types import (
    EmbeddingRequest,
    Embeddings,
    Health,
    ModelInfo,
    ReplyRequest,
    ReplyStream,
)


@runtime_checkable
class Provider(Protocol):
    """One configured provider. Made with its filled settings as only argument, in a running loop.

    Making one neither blocks nor talks to the vendor. All methods raise ProviderError only. A
    provider never retries, never reads the environment, and never logs prompts, replies or keys.
    """

    def chat_completion(self, request: ReplyRequest) -> ReplyStream:
        """Makes one reply: an async generator of deltas that ends with exactly one Finished.

        Cancelling or closing it closes the vendor's connection within a second.
        """

    async def list_models(self) -> Sequence[ModelInfo]:
        """Lists the models exactly as the vendor does, in its order."""

    async def health_check(self) -> Health:
        """Asks the vendor once whether it would answer us. Unwell is an answer, not an error."""

    async def aclose(self) -> None:
        """Lets go of connections. Called once, when no reply is being made."""


@runtime_checkable
class TokenCounter(Protocol):
    """A provider that can count the tokens of a request without making the reply."""

    async def count_tokens(self, request: ReplyRequest) -> int:
        """Returns the input tokens that the request would be charged for."""


@runtime_checkable
class Embedder(Protocol):
    """A provider that can turn texts into vectors."""

    async def embed(self, request: EmbeddingRequest) -> Embeddings:
        """Returns one vector for each text, in order. Cancelling it closes the connection."""


@runtime_checkable
class Selective(Protocol):
    """A provider some of whose models do not take every parameter."""

    def unsupported_parameters(self, model: str) -> frozenset[str]:
        """Returns the fields of ReplyRequest that a model does not take, as far as is known.

        Asked before every reply, so it neither waits nor walks. Unknown models take everything
        until their vendor says otherwise (UnsupportedParameter).
        """


@runtime_checkable
class Combining(Selective, Protocol):
    """A provider some of whose parameters exclude each other."""

    def excluded_parameters(self, request: ReplyRequest) -> frozenset[str]:
        """Returns the fields that would be left out of this request because of its others.

        Asked before every reply, so it neither waits nor walks. The service leaves them out
        itself, or refuses the request, as its operator wishes.
        """
