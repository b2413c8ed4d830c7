"""The commands of the chat service: `serve` and `migrate`."""

from __future__ import annotations

import argparse
import logging
import pkgutil
import sys

from parley_rpc import log

from parley_chat_service.settings import Settings

# By name, so that serving does not load what only migrating needs.
COMMANDS = {
    "serve": "parley_chat_service.bootstrap:serve",
    "migrate": "parley_chat_service.migrations.upgrade:migrate",
}


def main() -> int:
    """Run one command and return the exit code."""
    parser = argparse.ArgumentParser(prog="parley-chat-service", description=__doc__)
    parser.add_argument("command", choices=COMMANDS)
    arguments = parser.parse_args()
    run = pkgutil.resolve_name(COMMANDS[arguments.command])
    settings = Settings()
    log.configure("chat", settings.log_level)
    try:
        return int(run(settings))
    except Exception:  # the last place where a failure can be told
        logging.getLogger(__name__).exception("failed", extra={"whole": True})
        return 1


if __name__ == "__main__":
    sys.exit(main())
