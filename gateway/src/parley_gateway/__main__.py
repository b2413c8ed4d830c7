"""The commands of the gateway: `serve`, `migrate`, and `openapi`, which writes its document."""

from __future__ import annotations

import argparse
import logging
import pkgutil
import sys

from parley_rpc import log

from parley_gateway.settings import Settings

# By name, so that serving does not load what only migrating needs.
COMMANDS = {
    "serve": "parley_gateway.bootstrap:serve",
    "migrate": "parley_gateway.migrations.upgrade:migrate",
    "openapi": "parley_gateway.bootstrap:write_openapi",
}


def main() -> int:
    """Run one command and return the exit code."""
    parser = argparse.ArgumentParser(prog="parley-gateway", description=__doc__)
    parser.add_argument("command", choices=COMMANDS)
    arguments = parser.parse_args()
    settings = Settings()
    log.configure("gateway", settings.log_level)
    try:
        return int(pkgutil.resolve_name(COMMANDS[arguments.command])(settings))
    except Exception:  # the last place where a failure can be told
        logging.getLogger(__name__).exception("failed", extra={"whole": True})
        return 1


if __name__ == "__main__":
    sys.exit(main())
