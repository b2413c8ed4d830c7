"""What can become of a database: each fault for the length of a block."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

import psycopg

from parley_tests.breakable import BreakablePostgres, Wire

PREFIX = "parley_"


@dataclass(frozen=True)
class Site:
    """A server, and the way to it that the services use."""

    postgres: BreakablePostgres
    wire: Wire

    def connections(self) -> int:
        """Count the connections that the services hold."""
        with psycopg.connect(self.postgres.url) as owner:
            count = "select count(*) from pg_stat_activity where application_name like %s"
            row = owner.execute(count, [f"{PREFIX}%"]).fetchone()
        return int(row[0]) if row else 0


@contextmanager
def stopped(site: Site) -> Iterator[None]:
    """It was shut down, and is started again."""
    site.postgres.stop()
    yield
    site.postgres.start()


@contextmanager
def killed(site: Site) -> Iterator[None]:
    """Its first process was killed, and is started again."""
    site.postgres.kill()
    yield
    site.postgres.start()


@contextmanager
def frozen(site: Site) -> Iterator[None]:
    """No process of it does anything."""
    site.postgres.freeze()
    yield
    site.postgres.thaw()


@contextmanager
def silent(site: Site) -> Iterator[None]:
    """Nothing comes through the network, and nothing is refused either."""
    site.wire.fall_silent()
    yield
    site.wire.speak()


@contextmanager
def read_only(site: Site) -> Iterator[None]:
    """Nothing may be written, as on a standby."""
    site.postgres.set(default_transaction_read_only="on")
    yield
    site.postgres.set()


@contextmanager
def crowded(site: Site) -> Iterator[None]:
    """No further connection is taken; those that are there may stay."""
    elsewhere = urlsplit(site.postgres.url)._replace(path="/postgres").geturl()
    with psycopg.connect(elsewhere, autocommit=True) as owner:
        owner.execute("alter database parley connection limit 0")
        yield
        owner.execute("alter database parley connection limit -1")


@contextmanager
def full(site: Site) -> Iterator[None]:
    """Others hold all connections: those of the services are lost, and none is to be had."""
    with psycopg.connect(site.postgres.url) as owner, crowded(site):
        end = (
            "select pg_terminate_backend(pid) from pg_stat_activity where application_name like %s"
        )
        owner.execute(end, [f"{PREFIX}%"])
        yield


def locked(table: str) -> Callable[[Site], AbstractContextManager[None]]:
    """Somebody holds a lock on a table."""

    @contextmanager
    def held(site: Site) -> Iterator[None]:
        with psycopg.connect(site.postgres.url) as owner:
            owner.execute(f"lock table {table} in access exclusive mode".encode())
            yield

    return held


FAULTS = {
    "stopped": stopped,
    "killed": killed,
    "frozen": frozen,
    "silent": silent,
    "read-only": read_only,
    "crowded": crowded,
    "full": full,
    **{
        f"locked {table}": locked(table)
        for table in (
            "chat.chats",
            "chat.messages",
            "chat.workers",
            "gateway.api_keys",
            "gateway.rate_limits",
            "prompt.system_prompts",
            "provider.provider_usage",
        )
    },
}
