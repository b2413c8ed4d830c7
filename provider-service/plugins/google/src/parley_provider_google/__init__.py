"""Google's Gemini models."""

from parley_provider_sdk import Register, hookimpl

from parley_provider_google.settings import INFO


@hookimpl
def register_providers(register: Register) -> None:
    register(INFO, "parley_provider_google.provider:GoogleProvider")
