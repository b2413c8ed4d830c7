"""The providers: in their plugins' own words, since no vendor is special here."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from parley_client import Client, ParleyError, Provider

from parley_local.doctor.finding import Finding, failure, ok, warning

# Who is asked, and how many calls are looked back at.
ASKED = frozenset({"ready", "unhealthy"})
LOOK_BACK = timedelta(days=1)
MOST_CALLS = 100
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
NO_MODELS = (
    "Get it one there (a local server has to be given its models), then `parley providers refresh "
    "{name}`."
)
UNLISTED = (
    "Get it there, or choose one that is listed: `parley models {name}`, then `parley providers "
    "default {name} --model MODEL`."
)
REFUSED = (
    "Its last call failed with that. See its account with the vendor: the key, the plan, and what "
    "is left of its quota. `parley providers key {name}` stores another key."
)
LIMITED = (
    "The vendor limits the account's rate. Wait, ask for a higher limit there, or let others "
    "answer meanwhile: `parley providers set {name} --fallbacks PROVIDER/MODEL`."
)
# What a vendor makes of an account shows in calls only, for it lists models all the same.
OUTCOMES = {
    "provider_auth": ("refused: the vendor does not take our key.", REFUSED),
    "provider_quota": ("used up: the account's quota or credit is spent.", REFUSED),
    "rate_limited": ("limited: the vendor was asked too often.", LIMITED),
}
UNWELL = (
    "Not needed? Then leave it, or switch it off: `parley providers disable {name}`. Else check "
    "its key, and that its server runs and can be reached from here; `parley providers health "
    "{name}` asks it again."
)


def check_providers(client: Client) -> Iterator[Finding]:
    """One finding for each provider; those that may be used are asked how they are now."""
    try:
        providers = client.list_providers()
        outcomes = _last_outcomes(client)
    except ParleyError as error:
        yield failure("providers", f"They cannot be listed: {error}", "See the service's findings.")
        return
    if not providers:
        yield failure("providers", "No plugin is installed.", "Install one, such as the demo's.")
    for provider in providers:
        yield judge(_asked(client, provider), outcomes.get(provider.name, ""))


def judge(provider: Provider, outcome: str = "") -> Finding:
    """What is wrong with a provider, the root before what follows from it, and what to do."""
    check = f"provider {provider.name}"
    if provider.status == "disabled":
        return ok(check, "switched off")
    found = _trouble(provider) or OUTCOMES.get(outcome)
    if found is None:
        default = ", the default" if provider.is_default else ""
        said = f": {provider.error}" if provider.error else ""
        return ok(check, f"{provider.status}{default}{said}")
    detail, advice = found
    package = provider.plugin.package if provider.plugin else ""
    advice = advice.format(name=provider.name, package=package or "PACKAGE")
    return warning(check, f"{detail} {provider.error or ''}".strip(), advice)


def _asked(client: Client, provider: Provider) -> Provider:
    """The provider as it answers now, with what it says of itself as its `error`."""
    if provider.status not in ASKED:
        return provider
    try:
        health = client.get_provider_health(provider.name)
    except ParleyError as error:
        return replace(provider, status="unhealthy", error=str(error))
    return replace(provider, status=health.status, error=health.detail)


def _last_outcomes(client: Client) -> dict[str, str]:
    """How the last call of each provider ended, among the newest ones of all."""
    since = datetime.now(UTC) - LOOK_BACK
    page = client.list_usage_records(since=since, page_size=MOST_CALLS)
    newest: dict[str, str] = {}
    for record in page.items:
        attempts = record.attempts[::-1] or (record,)
        for one in attempts:
            newest.setdefault(one.provider, one.outcome or "")
    return newest


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
    if provider.status != "ready":
        return f"{provider.status}:", UNWELL
    return _lacking(provider)


def _lacking(provider: Provider) -> tuple[str, str] | None:
    """What a provider lacks that is well: a model."""
    if not provider.models:
        return "without a model: it lists none.", NO_MODELS
    default = provider.default_model
    if default and default not in provider.models:
        return f"without its default model: {default} is not among those that it lists.", UNLISTED
    return None


def _is_locked(provider: Provider) -> bool:
    known = provider.configuration
    return bool(known and known.credential and known.credential.source == "unreadable")
