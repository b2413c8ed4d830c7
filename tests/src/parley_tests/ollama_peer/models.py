"""The models that the peer has, and what its server says of them."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from types import MappingProxyType
from typing import Any, NamedTuple

_MODIFIED = "2026-08-21T18:48:22.196249-07:00"


class PeerModel(NamedTuple):
    """One model."""

    context_length: int
    capabilities: tuple[str, ...]
    # What its Modelfile sets.
    parameters: str = 'stop                           "<|end|>"'


MODELS: Mapping[str, PeerModel] = MappingProxyType(
    {
        "llama-peer:latest": PeerModel(
            131072, ("completion", "vision", "tools", "thinking"), "temperature    0.7"
        ),
        "llama-peer:1b": PeerModel(2048, ("completion",)),
        "llama-peer:modest": PeerModel(
            131072, ("completion", "tools"), "num_ctx                        4096\ntop_k 20"
        ),
        "embed-peer:latest": PeerModel(512, ("embedding",)),
    }
)


def full(name: str) -> str:
    """Returns the name with its tag."""
    return name if ":" in name else f"{name}:latest"


def can(name: str, capability: str) -> bool:
    """Says whether a model is there and can do this."""
    model = MODELS.get(full(name))
    return model is not None and capability in model.capabilities


def tags() -> dict[str, Any]:
    """Returns the list of models."""
    return {"models": [_row(name) for name in MODELS]}


def show(name: str) -> dict[str, Any]:
    """Returns the details of a model that is there."""
    model = MODELS[full(name)]
    return {
        "license": "MIT",
        "modelfile": f"FROM {full(name)}\n",
        "parameters": model.parameters,
        "template": "{{ .Prompt }}",
        "details": _details(),
        "model_info": {
            "general.architecture": "llama",
            "general.parameter_count": 8030261248,
            "llama.block_count": 32,
            "llama.context_length": model.context_length,
            "llama.embedding_length": 4096,
            "tokenizer.ggml.tokens": None,
        },
        "capabilities": list(model.capabilities),
        "modified_at": _MODIFIED,
    }


def _row(name: str) -> dict[str, Any]:
    return {
        "name": name,
        "model": name,
        "modified_at": _MODIFIED,
        "size": 4661224676,
        "digest": sha256(name.encode()).hexdigest(),
        "details": _details(),
    }


def _details() -> dict[str, Any]:
    return {
        "parent_model": "",
        "format": "gguf",
        "family": "llama",
        "families": ["llama"],
        "parameter_size": "8.0B",
        "quantization_level": "Q4_K_M",
    }
