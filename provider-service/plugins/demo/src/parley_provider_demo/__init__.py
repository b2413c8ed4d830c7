"""A provider that needs no key and no network."""

from parley_provider_sdk import Register, hookimpl

from parley_provider_demo.settings import INFO


@hookimpl
def register_providers(register: Register) -> None:
    register(INFO, "parley_provider_demo.provider:DemoProvider")
