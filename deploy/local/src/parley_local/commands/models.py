"""`parley models`: what providers offer, what is known better than they tell, other names."""

from dataclasses import asdict
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any

import typer
from parley_client import Client, Model, Price, ProblemError
from parley_client.provider_calls import ModelChange
from typer.core import TyperGroup
from typing_extensions import override

from parley_local.asking import complain, gateway, in_words
from parley_local.commands.output import AskedOutput, Output, as_json, show, tell
from parley_local.commands.providers.configuring import split
from parley_local.settings import Settings

SILENT = frozenset({"unconfigured", "disabled", "broken"})  # there is nobody to ask


class ListsByDefault(TyperGroup):
    """`parley models acme` means `parley models list acme`."""

    @override
    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if not args or (args[0] not in self.commands and args[0] not in ctx.help_option_names):
            args = ["list", *args]
        return super().parse_args(ctx, args)


app = typer.Typer(
    cls=ListsByDefault, help="Lists models, sets what is known of them, and what they are called."
)
ProviderName = Annotated[str, typer.Argument(help="The provider's name.", metavar="PROVIDER")]
ModelName = Annotated[str, typer.Argument(help="The model's name.", metavar="MODEL")]
AliasName = Annotated[str, typer.Argument(help="What a model is called.", metavar="ALIAS")]
MEANING = "PROVIDER[/MODEL]"


def dollars(text: str) -> Decimal:
    """Reads an amount of money."""
    try:
        amount = Decimal(text)
    except InvalidOperation:
        raise typer.BadParameter(f"{text!r} is no decimal number.") from None
    if not amount.is_finite() or amount < 0:
        raise typer.BadParameter(f"{text!r} is no price.")
    return amount


Dollars = typer.Option(parser=dollars, metavar="USD", help="Of a million tokens.")


@app.command("list")
def list_models(
    provider: Annotated[
        str | None, typer.Argument(help="The provider's name; all when none is named.")
    ] = None,
    *,
    include_gone: Annotated[
        bool, typer.Option(help="With those that the vendor lists no more.")
    ] = False,
    output: AskedOutput = Output.TEXT,
) -> None:
    """Lists the models of a provider, or of all that can be asked."""
    with gateway(Settings()) as client:
        offered = (
            {provider: client.list_models(provider, include_gone=include_gone)}
            if provider
            else _all_models(client, include_gone=include_gone)
        )
    if output is Output.JSON:
        lists = [{"provider": n, "models": [asdict(m) for m in ms]} for n, ms in offered.items()]
        typer.echo(as_json({"providers": lists}))
        return
    header = ("provider", "model", "context", "longest reply", "USD per million in / out", "")
    show(header, [(name, *_row(model)) for name, models in offered.items() for model in models])


@app.command("set")
def set_model(  # noqa: PLR0913 - each is an option of the command
    provider: ProviderName,
    model: ModelName,
    *,
    input_price: Annotated[Decimal | None, Dollars] = None,
    output_price: Annotated[Decimal | None, Dollars] = None,
    cached_input_price: Annotated[Decimal | None, Dollars] = None,
    cache_write_price: Annotated[Decimal | None, Dollars] = None,
    long_cache_write_price: Annotated[Decimal | None, Dollars] = None,
    context_window: Annotated[int | None, typer.Option(help="In tokens.")] = None,
    max_output_tokens: Annotated[int | None, typer.Option(help="In tokens.")] = None,
    capabilities: Annotated[str | None, typer.Option(help="Such as text,images,tools.")] = None,
    display_name: Annotated[str | None, typer.Option(help="Its name for people.")] = None,
    output: AskedOutput = Output.TEXT,
) -> None:
    """Lays something over what is known of a model, or adds one that its vendor does not list."""
    asked: dict[str, Any] = {
        "price": _price(
            Price(
                input=input_price,
                output=output_price,
                cached_input=cached_input_price,
                cache_write=cache_write_price,
                long_cache_write=long_cache_write_price,
            )
        ),
        "context_window": context_window,
        "max_output_tokens": max_output_tokens,
        "capabilities": None if capabilities is None else split(capabilities),
        "display_name": display_name,
    }
    given = {field: value for field, value in asked.items() if value is not None}
    if not given:
        raise typer.BadParameter("Say what is to be set.")
    change: ModelChange = {**given}  # type: ignore[typeddict-item]  # its names are above
    with gateway(Settings()) as client:
        changed = client.update_model(provider, model, **change)
    tell(f"{model} of {provider} is set.", asdict(changed), output)


@app.command("reset")
def reset_model(
    provider: ProviderName, model: ModelName, *, output: AskedOutput = Output.TEXT
) -> None:
    """Takes back what was laid over a model; one that was added goes."""
    with gateway(Settings()) as client:
        client.reset_model(provider, model)
    words = f"{model} of {provider} is as its vendor lists it."
    tell(words, {"provider": provider, "model": model, "reset": True}, output)


@app.command("aliases")
def list_aliases(*, output: AskedOutput = Output.TEXT) -> None:
    """Lists the other names that models have."""
    with gateway(Settings()) as client:
        aliases = client.list_aliases()
    if output is Output.JSON:
        typer.echo(as_json({"aliases": [asdict(alias) for alias in aliases]}))
        return
    rows = [(one.alias, one.provider, one.model or "its default") for one in aliases]
    show(("alias", "provider", "model"), rows)


@app.command("alias")
def set_alias(
    alias: AliasName,
    meaning: Annotated[
        str, typer.Argument(help="Whom it means; without a model, its default.", metavar=MEANING)
    ],
    *,
    output: AskedOutput = Output.TEXT,
) -> None:
    """Gives a model another name, or the name another model."""
    provider, _, model = meaning.partition("/")
    with gateway(Settings()) as client:
        made = client.set_alias(alias, provider, model or None)
    tell(f"{alias} means {meaning}.", asdict(made), output)


@app.command("unalias")
def delete_alias(alias: AliasName, *, output: AskedOutput = Output.TEXT) -> None:
    """Takes a name away; the model stays."""
    with gateway(Settings()) as client:
        client.delete_alias(alias)
    tell(f"{alias} means nothing any more.", {"alias": alias, "deleted": True}, output)


def _all_models(client: Client, *, include_gone: bool) -> dict[str, tuple[Model, ...]]:
    """The models of all that can be asked; one that cannot answer is told, and stops nobody."""
    offered: dict[str, tuple[Model, ...]] = {}
    for name in [one.name for one in client.list_providers() if one.status not in SILENT]:
        try:
            offered[name] = client.list_models(name, include_gone=include_gone)
        except ProblemError as problem:
            complain(f"{name}: {in_words(problem)}")
    return offered


def _price(asked: Price) -> Price | None:
    if asked == Price():
        return None
    if asked.input is None or asked.output is None:
        raise typer.BadParameter("A price needs both --input-price and --output-price.")
    return asked


def _row(model: Model) -> tuple[str, ...]:
    price = model.price
    known = price is not None and price.input is not None and price.output is not None
    remarks = ["set here"] * model.overridden + ["gone"] * (model.gone_at is not None)
    return (
        model.name,
        f"{model.context_window:,}" if model.context_window else "unknown",
        f"{model.max_output_tokens:,}" if model.max_output_tokens else "unknown",
        f"{price.input:f} / {price.output:f}" if price and known else "unknown",
        ", ".join(remarks),
    )
