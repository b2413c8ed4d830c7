"""Serves a fake gateway for looking at the page by hand: `python -m parley_tests.fake_gateway`."""

import time

from parley_tests.fake_gateway import fake_gateway

if __name__ == "__main__":
    with fake_gateway(8000, pace=0.05) as running:
        print(f"{running.url}, key {running.key}", flush=True)
        time.sleep(86_400)
