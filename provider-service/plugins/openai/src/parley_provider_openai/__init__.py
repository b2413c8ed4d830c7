"""OpenAI, and every server that speaks its wire."""

from parley_provider_sdk import Register, hookimpl

from parley_provider_openai.settings import INFO


@hookimpl
def register_providers(register: Register) -> None:
    register(INFO, "parley_provider_openai.provider:create")
