"""The processes of Parley: what each is called, where it listens, and what it may know."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass

from parley_local.identity import SETTINGS, Identity
from parley_local.settings import Settings

ADMISSION = frozenset({"API_KEY", "KEY_PEPPER"})
# Only the provider service opens vendors' keys.
MASTER = frozenset({"MASTER_KEY", "MASTER_KEY_FILE"})
DATABASE = frozenset({"DATABASE_URL", "DB_HOST", "DB_PORT", "DB_NAME", "DB_USER", "DB_PASSWORD"})


@dataclass(frozen=True)
class Service:
    """One part of Parley that runs as `python -m <module> serve`."""

    name: str
    module: str
    host: str
    port: int
    health_path: str | None = None
    migrates: bool = True
    withheld: frozenset[str] = ADMISSION | MASTER

    @property
    def port_setting(self) -> str:
        """The setting that gives it another port."""
        return f"{self.name.upper()}_PORT"

    def command(self, verb: str) -> list[str]:
        """How it is run; `-P` keeps the folders of the current directory from posing as modules."""
        return [sys.executable, "-P", "-m", self.module, verb]

    def environment(self, everything: Mapping[str, str], identity: Identity) -> dict[str, str]:
        """The settings, without the secrets that are none of its business, and its own keys."""
        withheld = self.withheld | SETTINGS
        known = {name: value for name, value in everything.items() if name not in withheld}
        return known | identity.environment(self.name)


def services(settings: Settings) -> list[Service]:
    """All of them, in the order in which they start; they stop in the opposite one."""
    host = settings.grpc_host
    return [
        Service("prompt", "parley_prompt_service", host, settings.prompt_port),
        Service(
            "provider", "parley_provider_service", host, settings.provider_port, withheld=ADMISSION
        ),
        Service("chat", "parley_chat_service", host, settings.chat_port),
        Service(
            "gateway",
            "parley_gateway",
            settings.gateway_host,
            settings.gateway_port,
            health_path="/health",
            withheld=MASTER,
        ),
        Service(
            "ui",
            "parley_ui",
            settings.ui_host,
            settings.ui_port,
            health_path="/",
            migrates=False,
            withheld=DATABASE | MASTER | {"KEY_PEPPER"},
        ),
    ]
