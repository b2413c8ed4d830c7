"""Showing providers, and asking their vendors."""

from dataclasses import asdict

import typer
from parley_client import Provider

from parley_local.asking import complain, gateway
from parley_local.commands.output import AskedOutput, Output, as_json, show, tell
from parley_local.commands.providers.naming import Name, provider_named
from parley_local.settings import Settings


def list_all(*, output: AskedOutput = Output.TEXT) -> None:
    """Lists all providers, in order of preference."""
    with gateway(Settings()) as client:
        providers = client.list_providers()
    if output is Output.JSON:
        typer.echo(as_json({"providers": [asdict(one) for one in providers]}))
        return
    header = ("name", "status", "default model", "models", "key", "remark")
    show(header, [_row(one) for one in providers])


def show_one(name: Name, *, output: AskedOutput = Output.TEXT) -> None:
    """Shows one provider and how it is configured."""
    with gateway(Settings()) as client:
        provider = provider_named(client, name)
    if output is Output.JSON:
        typer.echo(as_json(asdict(provider)))
        return
    show(("", ""), [(name, value) for name, value in _facts(provider).items() if value])


def refresh(name: Name, *, output: AskedOutput = Output.TEXT) -> None:
    """Asks the vendor for its models now."""
    with gateway(Settings()) as client:
        models = client.refresh_models(name)
    document = {"provider": name, "models": [asdict(model) for model in models]}
    tell(f"{name} offers {len(models)} models.", document, output)


def check_health(name: Name, *, output: AskedOutput = Output.TEXT) -> None:
    """Asks the vendor how it is: 0 when it is ready, 1 when it is not."""
    with gateway(Settings()) as client:
        health = client.get_provider_health(name)
    took = f" ({health.latency_ms:.0f} ms)" if health.latency_ms is not None else ""
    words = f"{name} is {health.status}{took}. {health.detail or ''}".rstrip()
    if health.status == "ready" or output is Output.JSON:
        tell(words, asdict(health), output)
    else:
        complain(words)
    raise typer.Exit(int(health.status != "ready"))


def key_in_words(provider: Provider) -> str:
    """Where a provider's key comes from, and its end."""
    known = provider.configuration.credential if provider.configuration else None
    if known is None:
        return "none"
    return f"{known.source} …{known.last4}" if known.last4 else known.source


def _row(provider: Provider) -> tuple[str, ...]:
    circuit = "" if provider.circuit in {"closed", "unknown"} else f"circuit {provider.circuit}"
    remarks = ("the default" if provider.is_default else "", circuit, provider.error or "")
    return (
        provider.name,
        provider.status,
        provider.default_model or "",
        str(len(provider.models)),
        key_in_words(provider),
        ", ".join(remark for remark in remarks if remark),
    )


def _facts(provider: Provider) -> dict[str, str]:
    known = provider.configuration
    package = f"{provider.plugin.package} {provider.plugin.version}" if provider.plugin else ""
    facts = {
        "name": provider.name,
        "display name": provider.display_name,
        "kind": provider.kind,
        "plugin": package,
        "status": provider.status + (", the default" if provider.is_default else ""),
        "error": provider.error or "",
        "circuit": provider.circuit,
        "running": str(provider.running),
        "default model": provider.default_model or "",
        "models": ", ".join(provider.models),
    }
    if known is None:
        return facts
    return facts | {
        "base URL": known.base_url or "",
        "key": key_in_words(provider),
        "priority": str(known.priority),
        "replies at once": str(known.max_replies),
        "fallbacks": ", ".join(known.fallbacks),
        "retries timeouts": "yes" if known.retry_timeouts else "no",
    }
