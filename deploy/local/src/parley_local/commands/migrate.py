"""`parley migrate`: the schemas of all services, and nothing else."""

from rich.console import Console

from parley_local.settings import Settings, read_environment
from parley_local.system import System


def migrate() -> None:
    """Brings the schemas of all services up to date; 1 when that fails."""
    console = Console()
    System(Settings(), read_environment(), console, ui=False).migrate()
    console.print("The schemas are up to date.")
