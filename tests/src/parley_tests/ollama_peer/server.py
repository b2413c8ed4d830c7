"""The peer that speaks the dialect."""

from __future__ import annotations

from parley_provider_sdk.testing import Peer, Script

from parley_tests.ollama_peer.wire import OllamaDialect


class OllamaPeer(Peer):
    """A server that speaks Ollama's wire; with `cuts` it is an old one, which cuts unasked."""

    def __init__(
        self,
        *,
        api_key: str = "",
        script: Script | None = None,
        record: bool = True,
        cuts: bool = False,
    ) -> None:
        super().__init__(OllamaDialect(cuts=cuts), key=api_key, script=script, record=record)
