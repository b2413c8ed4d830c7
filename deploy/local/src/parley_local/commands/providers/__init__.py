"""`parley providers`: who offers models, and what is decided about them."""

import typer

from parley_local.commands.providers.configuring import (
    add,
    configure,
    disable,
    enable,
    make_default,
    remove,
)
from parley_local.commands.providers.keys import forget_key, keep_key, rotate_master_key
from parley_local.commands.providers.showing import check_health, list_all, refresh, show_one

app = typer.Typer(help="Lists, configures and checks providers.", no_args_is_help=True)
app.command("list")(list_all)
app.command("show")(show_one)
app.command("add")(add)
app.command("remove")(remove)
app.command("enable")(enable)
app.command("disable")(disable)
app.command("default")(make_default)
app.command("set")(configure)
app.command("key")(keep_key)
app.command("forget-key")(forget_key)
app.command("rotate-master-key")(rotate_master_key)
app.command("refresh")(refresh)
app.command("health")(check_health)
