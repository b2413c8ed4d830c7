"""The gateway and what it knows: the services, the key."""

from collections.abc import Iterator

from parley_client import Client, GatewayUnreachable, ParleyError, ProblemError, Timeouts

from parley_local.doctor.finding import Finding, Verdict, failure, ok, skipped
from parley_local.doctor.providers import check_providers

WAIT = Timeouts(connect=2, read=10)


def check_gateway(url: str, key: str | None) -> Iterator[Finding]:
    """Looks at the gateway at `url`, and with the key at what it tells to a user only."""
    with Client(url, key, timeouts=WAIT) as client:
        reached = list(_check_health(client, url))
        yield from reached
        if reached[0].verdict is Verdict.FAILURE:
            yield skipped("key", "There is no gateway to ask.")
            yield skipped("providers", "There is no gateway to ask.")
            return
        accepted = _check_key(client, key)
        yield accepted
        if accepted.verdict is Verdict.OK:
            yield from check_providers(client)
        else:
            yield skipped("providers", "The gateway tells them to users only.")


def _check_health(client: Client, url: str) -> Iterator[Finding]:
    try:
        health = client.health()
    except GatewayUnreachable as error:
        yield failure(
            "gateway",
            f"Nothing answers at {url}: {error}",
            "Start Parley with `make up`. Check API_URL in `.env`: it must be the address of the "
            "gateway as seen from here, with its port.",
        )
        return
    except ParleyError as error:
        yield failure(
            "gateway",
            f"What answers at {url} is no gateway: {error}",
            "Something else uses this port. Set API_URL to where the gateway is, or GATEWAY_PORT "
            "and API_URL to a free port.",
        )
        return
    yield ok("gateway", f"{url}, version {health.version}")
    for name, status in health.services.items():
        yield _judge_service(name, status)


def _judge_service(name: str, status: str) -> Finding:
    if status == "ok":
        return ok(f"service {name}", status)
    return failure(
        f"service {name}",
        status,
        f"Look into `$PARLEY_HOME/logs/{'postgres' if name == 'database' else name}.log`, or "
        "`docker compose logs`.",
    )


def _check_key(client: Client, key: str | None) -> Finding:
    if key is None:
        return failure("key", "There is none.", "Set API_KEY in `.env`, or let `make up` make one.")
    try:
        me = client.me()
    except ProblemError as problem:
        if problem.status == 401:
            return failure(
                "key",
                "The gateway does not accept it (401).",
                "Set API_KEY in `.env` to a key that the gateway knows and restart what reads it: "
                "the page and this command must show the same one. Requests carry it as "
                "`Authorization: Bearer <key>`. It may also have been revoked, or have expired.",
            )
        return failure("key", f"It could not be checked: {problem}", "Try again.")
    except ParleyError as error:
        return failure("key", f"It could not be checked: {error}", "Try again.")
    return ok("key", f"accepted, for {me.name} ({me.role})")
