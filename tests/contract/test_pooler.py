"""Behind a pooler that gives each transaction any connection, nobody acts for somebody else."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest
from parley_tests.platform import free_port
from parley_tests.pools import make_roles, module_of
from psycopg.conninfo import conninfo_to_dict

PACKAGE = "parley_chat_service"
POOLER = shutil.which("pgbouncer")
ANYBODY = 65534
STARTED_WITHIN_SECONDS = 10.0
ADA, BOB = UUID(int=10), UUID(int=11)
THINGS = f"""
create table chat.things as select unnest('{{{ADA},{BOB}}}'::uuid[]) as owner_id;
alter table chat.things enable row level security;
create policy own on chat.things to parley_chat
    using (owner_id = nullif(current_setting('app.user', true), '')::uuid);
grant select on chat.things to parley_chat;
"""

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(POOLER is None, reason="pgbouncer is not installed"),
]


@contextmanager
def pooler(url: str) -> Iterator[str]:
    """Run pgbouncer with one connection to the database; yield where it listens."""
    known = conninfo_to_dict(url)
    port, sockets = free_port(), Path(str(known.get("host", "")))
    account = sockets.stat().st_uid if sockets.is_dir() else ANYBODY
    target = " ".join(f"{name}='{value}'" for name, value in known.items())
    settings = f"""
[databases]
parley = {target} connect_query='set role parley_chat; set search_path = chat'
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
auth_type = any
pool_mode = transaction
default_pool_size = 1
unix_socket_dir =
"""
    with tempfile.TemporaryDirectory() as name:
        file = Path(name) / "pgbouncer.ini"
        file.write_text(settings)
        options: dict[str, Any] = {}
        if os.geteuid() == 0:
            options = {"user": account or ANYBODY, "extra_groups": []}
            for path in (file, file.parent):
                os.chown(path, options["user"], -1)
        process = subprocess.Popen(
            [str(POOLER), "--quiet", str(file)], stderr=subprocess.DEVNULL, **options
        )
        try:
            yield f"host=127.0.0.1 port={port} dbname=parley user=anybody"
        finally:
            process.terminate()
            process.wait()


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[Any]:
    """Connect as a service does, but without prepared statements, which need a newer pooler."""
    give_up = time.monotonic() + STARTED_WITHIN_SECONDS
    while True:
        try:
            connection = await module_of(PACKAGE).Connection.connect(
                url, autocommit=True, prepare_threshold=None
            )
        except psycopg.OperationalError:
            if time.monotonic() > give_up:
                raise
            await asyncio.sleep(0.05)
        else:
            break
    async with connection:
        yield connection


async def seen(connection: Any) -> tuple[int, list[UUID]]:
    """Return which server answered, and whose rows it showed."""
    cursor = await connection.execute("select pg_backend_pid(), array(select owner_id from things)")
    pid, owners = await cursor.fetchone()
    return pid, owners


async def test_clients_that_share_a_connection_see_their_own_rows(database_url: str) -> None:
    make_roles(module_of(PACKAGE), database_url)
    with psycopg.connect(database_url) as owner:
        owner.execute(THINGS.encode())
    with pooler(database_url) as url:
        async with AsyncExitStack() as stack:
            clients = [await stack.enter_async_context(connected(url)) for _ in range(6)]
            for client, user in zip(clients, [ADA, BOB, None] * 2, strict=True):
                client.owner_id = user
            rounds = [await asyncio.gather(*map(seen, clients)) for _ in range(20)]

    assert 1 == len({pid for one in rounds for pid, _ in one})
    for one in rounds:
        assert [[ADA], [BOB], []] * 2 == [owners for _, owners in one]
