"""The page."""

from parley_local.doctor.finding import Finding, ok, warning
from parley_local.peers import gives_page
from parley_local.settings import Settings


def check_page(settings: Settings) -> Finding:
    """Whether the page answers."""
    if gives_page(settings.ui_host, settings.ui_port, "/"):
        return ok("page", settings.ui_url)
    return warning(
        "page",
        f"Nothing answers at {settings.ui_url}.",
        "Start it with `make up`; check UI_PORT in `.env`.",
    )
