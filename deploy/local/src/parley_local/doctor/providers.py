"""The providers: in their plugins' own words, since no vendor is special here."""

from collections.abc import Iterator

from parley_client import Client, ParleyError, Provider

from parley_local.doctor.finding import Finding, failure, ok, warning

BROKEN = (
    "Try a newer one, `pip install --upgrade {package}`; or, when it is not needed, take it away "
    "with `pip uninstall {package}`. Restart then."
)
LOCKED = (
    "Put back the master key that it was stored with (MASTER_KEY, MASTER_KEY_FILE, or "
    "`$PARLEY_HOME/master.keys`), or store it anew with `parley providers key {name}`."
)
UNCONFIGURED = (
    "Not needed? Then leave it, or switch it off: `parley providers disable {name}`. Else put what "
    "it asks for into `.env` and restart, or store its key with `parley providers key {name}`."
)
LEFT_ALONE = (
    "It is tried again by itself. `parley providers health {name}` asks it now and says what is "
    "the matter; others can answer meanwhile: `parley providers set {name} --fallbacks "
    "PROVIDER/MODEL`."
)
UNWELL = (
    "Not needed? Then leave it, or switch it off: `parley providers disable {name}`. Else check "
    "its key, and that its server runs and can be reached from here; `parley providers health "
    "{name}` asks it again."
)


def check_providers(client: Client) -> Iterator[Finding]:
    """One finding for each provider."""
    try:
        providers = client.list_providers()
    except ParleyError as error:
        yield failure("providers", f"They cannot be listed: {error}", "See the service's findings.")
        return
    if not providers:
        yield failure("providers", "No plugin is installed.", "Install one, such as the demo's.")
    yield from map(judge, providers)


def judge(provider: Provider) -> Finding:
    """What is wrong with a provider, the root before what follows from it, and what to do."""
    check = f"provider {provider.name}"
    if provider.status == "disabled":
        return ok(check, "switched off")
    found = _trouble(provider)
    if found is None:
        return ok(check, provider.status + (", the default" if provider.is_default else ""))
    detail, advice = found
    package = provider.plugin.package if provider.plugin else ""
    advice = advice.format(name=provider.name, package=package or "PACKAGE")
    return warning(check, f"{detail} {provider.error or ''}".strip(), advice)


def _trouble(provider: Provider) -> tuple[str, str] | None:
    if provider.status == "broken":
        plugin = provider.plugin
        named = f" ({plugin.package} {plugin.version})" if plugin and plugin.package else ""
        return f"broken: its plugin{named} cannot be used.", BROKEN
    if _is_locked(provider):
        return "locked: no master key opens its stored key.", LOCKED
    if provider.status == "unconfigured":
        return "unconfigured:", UNCONFIGURED
    if provider.circuit == "open":
        return "left alone for a while: it failed too often in a row.", LEFT_ALONE
    if provider.error or provider.status != "ready":
        return f"{provider.status}:", UNWELL
    return None


def _is_locked(provider: Provider) -> bool:
    known = provider.configuration
    return bool(known and known.credential and known.credential.source == "unreadable")
