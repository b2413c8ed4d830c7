"""Acme's models in Parley."""

from parley_provider_sdk import Register, hookimpl

from parley_provider_acme.settings import INFO


@hookimpl
def register_providers(register: Register) -> None:
    register(INFO, "parley_provider_acme.provider:AcmeProvider")
