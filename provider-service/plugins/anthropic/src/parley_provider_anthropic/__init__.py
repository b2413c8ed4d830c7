"""Anthropic's Claude models, and every server that speaks their wire."""

from parley_provider_sdk import Register, hookimpl

from parley_provider_anthropic.settings import INFO


@hookimpl
def register_providers(register: Register) -> None:
    register(INFO, "parley_provider_anthropic.provider:AnthropicProvider")
