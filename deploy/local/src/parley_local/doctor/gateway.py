"""The gateway and what it knows: the services, the key."""

from collections.abc import Iterator

from parley_client import Client, GatewayUnreachable, ParleyError

from parley_local.doctor.finding import Finding, Verdict, failure, ok, skipped
from parley_local.doctor.key import WAIT, Kept, check_key
from parley_local.doctor.providers import check_providers


def check_gateway(
    url: str, key: str | None, *, local_url: str = "", kept_key: str | None = None
) -> Iterator[Finding]:
    """Looks at the gateway at `url`, and with the key at what it tells to a user only.

    `local_url` is where `make up` has one, and `kept_key` the key that it made: they tell a
    setting that is wrong from a gateway that is away.
    """
    with Client(url, key, timeouts=WAIT) as client:
        reached = list(_check_health(client, url, local_url))
        yield from reached
        if reached[0].verdict is Verdict.FAILURE:
            yield skipped("key", "There is no gateway to ask.")
            yield skipped("providers", "There is no gateway to ask.")
            return
        accepted = check_key(client, key, Kept(url, kept_key))
        yield accepted
        if accepted.verdict is Verdict.OK:
            yield from check_providers(client)
        else:
            yield skipped("providers", "The gateway tells them to users only.")


def _check_health(client: Client, url: str, local_url: str) -> Iterator[Finding]:
    try:
        health = client.health()
    except GatewayUnreachable as error:
        yield _unreachable(url, local_url, error)
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


def _unreachable(url: str, local_url: str, error: GatewayUnreachable) -> Finding:
    if local_url not in ("", url) and _is_gateway(local_url):
        return failure(
            "gateway",
            f"Nothing answers at {url}, but there is a gateway at {local_url}.",
            f"API_URL is wrong: take it out of `.env`, or set it to {local_url}, and start the "
            "page anew.",
        )
    return failure(
        "gateway",
        f"Nothing answers at {url}: {error}",
        "Start Parley with `make up`, which says why when it cannot start. Check API_URL in "
        "`.env`: it must be the address of the gateway as seen from here, with its port.",
    )


def _is_gateway(url: str) -> bool:
    try:
        with Client(url, timeouts=WAIT) as client:
            return bool(client.health().version)
    except ParleyError:
        return False


def _judge_service(name: str, status: str) -> Finding:
    if status == "ok":
        return ok(f"service {name}", status)
    return failure(
        f"service {name}",
        status,
        f"Look into `$PARLEY_HOME/logs/{'postgres' if name == 'database' else name}.log`, or "
        "`docker compose logs`.",
    )
