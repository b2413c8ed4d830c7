"""Models that an Ollama server runs."""

from parley_provider_sdk import Register, hookimpl

from parley_provider_ollama.settings import INFO


@hookimpl
def register_providers(register: Register) -> None:
    register(INFO, "parley_provider_ollama.provider:OllamaProvider")
