"""`python -m parley_ui serve`: the page, until it is told to stop."""

import argparse
import signal
import sys

from parley_ui import server
from parley_ui.settings import Settings


def main() -> None:
    parser = argparse.ArgumentParser(prog="parley-ui", description="The page of Parley.")
    parser.add_argument("command", choices=["serve"])
    parser.parse_args()
    # The server stops gracefully on its own and then raises the signal again, for us.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    signal.signal(signal.SIGINT, lambda *_: sys.exit(0))
    server.run(Settings())


if __name__ == "__main__":
    main()
