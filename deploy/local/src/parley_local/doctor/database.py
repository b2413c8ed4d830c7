"""The database: from "nothing answers" to "the schemas are not there", one step after the other."""

import psycopg
from psycopg import pq
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from parley_local.doctor.finding import Finding, failure, ok, warning

SCHEMAS = ("chat", "gateway", "prompt", "provider")
EVERY_SERVER_HAS = ("postgres", "template1")
CONNECT_SECONDS = 5
HERE = frozenset({"", "localhost", "127.0.0.1", "::1"})
SHORTEST_PASSWORD = 12


def check_database(url: str, *, embedded: bool) -> list[Finding]:
    """Looks at the server, then the credentials and the database, then the schemas."""
    try:
        conninfo = make_conninfo(url, connect_timeout=CONNECT_SECONDS)
    except psycopg.ProgrammingError as error:
        return [failure("database", f"DATABASE_URL is not a URL: {error}", "Correct it in `.env`.")]
    if pq.PGconn.ping(conninfo.encode()) != pq.Ping.OK:
        return [_unreachable(conninfo, embedded=embedded)]
    try:
        with psycopg.connect(conninfo) as connection:
            reached = ok("database", _whereabouts(conninfo))
            return [reached, *check_password(conninfo), _check_schemas(connection)]
    except psycopg.OperationalError as error:
        return [_refused(conninfo, error)]


def check_password(conninfo: str) -> list[Finding]:
    """Warns of a password that anybody would try, where others than this machine may try it."""
    known = conninfo_to_dict(conninfo)
    host, password = str(known.get("host", "")), str(known.get("password", ""))
    if host.startswith("/") or host in HERE or not password:
        return []
    names = {str(known.get("user", "")).lower(), str(known.get("dbname", "")).lower()}
    if len(password) >= SHORTEST_PASSWORD and password.lower() not in names:
        return []
    return [
        warning(
            "database password",
            f"It is short or a name, and PostgreSQL listens at {host} for others, too.",
            "Set another one with `alter role … password …`, and in DATABASE_URL or DB_PASSWORD.",
        )
    ]


def _check_schemas(connection: psycopg.Connection) -> Finding:
    query = "select nspname from pg_namespace where nspname = any(%s)"
    found = {name for (name,) in connection.execute(query, [list(SCHEMAS)])}
    missing = [name for name in SCHEMAS if name not in found]
    if missing:
        return failure(
            "schemas",
            f"Not migrated: {', '.join(missing)}.",
            "Run `parley migrate`; `parley up` does so by itself.",
        )
    return ok("schemas", ", ".join(SCHEMAS))


def _unreachable(conninfo: str, *, embedded: bool) -> Finding:
    if embedded:
        return failure(
            "database",
            "The embedded PostgreSQL is not running.",
            "Start Parley with `make up`, or set DATABASE_URL to a server of your own.",
        )
    return failure(
        "database",
        f"Nothing takes connections at {_whereabouts(conninfo)}.",
        "Start PostgreSQL, and check DATABASE_URL, or DB_HOST and DB_PORT, in `.env`: the name "
        "must resolve from here, with no firewall between. See `docker compose ps` for containers.",
    )


def _refused(conninfo: str, error: psycopg.OperationalError) -> Finding:
    """The server answers but does not let us in; the database may be what is missing."""
    known = conninfo_to_dict(conninfo)
    name, user = known.get("dbname"), known.get("user")
    if any(_enters(make_conninfo(conninfo, dbname=other)) for other in EVERY_SERVER_HAS):
        return failure(
            "database",
            f"There is no database {name!r} that {user!r} may enter.",
            f"Make it with `createdb --owner {user} {name}`, or correct DATABASE_URL or DB_NAME.",
        )
    return failure(
        "database",
        f"PostgreSQL does not let {user!r} in: {error}",
        "Check the user and the password in DATABASE_URL, or DB_USER and DB_PASSWORD, in `.env`.",
    )


def _enters(conninfo: str) -> bool:
    try:
        psycopg.connect(conninfo).close()
    except psycopg.OperationalError:
        return False
    return True


def _whereabouts(conninfo: str) -> str:
    known = conninfo_to_dict(conninfo)
    host, port = known.get("host", "localhost"), known.get("port", 5432)
    return f"{host}:{port}, database {known.get('dbname')}"
