"""Providers, models and usage, over a real socket."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from parley_client import (
    AsyncClient,
    Client,
    Credential,
    Price,
    ProblemError,
    Provider,
    provider_calls,
)
from parley_tests.fake_gateway import FakeGateway

pytestmark = pytest.mark.unit


def named(providers: tuple[Provider, ...], name: str) -> Provider:
    return next(one for one in providers if one.name == name)


def test_a_provider_is_added_configured_and_taken_away(
    client: Client, gateway: FakeGateway
) -> None:
    made = client.create_provider("demo-eu", "demo", base_url="https://eu.example")
    assert (made.name, made.kind, made.circuit, made.running) == ("demo-eu", "demo", "closed", 0)
    assert gateway.received[-1].body == {
        "name": "demo-eu",
        "plugin": "demo",
        "base_url": "https://eu.example",
    }

    changed = client.update_provider("demo-eu", fallbacks=["acme/a:b"], priority=5, base_url=None)
    assert gateway.received[-1].body == {
        "fallbacks": ["acme/a:b"],
        "priority": 5,
        "base_url": None,
    }
    assert changed.configuration is not None
    assert changed.configuration.fallbacks == ("acme/a:b",)

    client.delete_provider("demo-eu")
    assert "demo-eu" not in {one.name for one in client.list_providers()}


def test_a_key_is_kept_and_forgotten_and_only_its_end_is_told(client: Client) -> None:
    kept = client.set_credential("acme", "sk-secret-wxyz")
    assert kept.configuration is not None
    assert kept.configuration.credential == Credential("stored", "wxyz")
    assert "secret" not in repr(client.list_providers())
    forgotten = client.delete_credential("acme")
    assert forgotten.configuration is not None
    assert forgotten.configuration.credential is None


def test_keys_are_encrypted_anew(client: Client, gateway: FakeGateway) -> None:
    client.set_credential("acme", "sk-secret")
    gateway.unreadable = ["bare"]
    done = client.rotate_credentials()
    assert (done.rotated, done.unreadable) == (1, ("bare",))


def test_a_model_is_priced_added_and_reset(client: Client, gateway: FakeGateway) -> None:
    price = Price(Decimal("1E-9"), Decimal("1E+1"))
    changed = client.update_model("demo", "org/large:free", price=price, context_window=1000)
    sent = gateway.received[-1]
    assert sent.path == "/providers/demo/models/org/large:free"
    assert sent.body == {"price": {"input": "0.000000001", "output": "10"}, "context_window": 1000}
    assert (changed.overridden, changed.context_window) == (True, 1000)
    assert "org/large:free" in {model.name for model in client.refresh_models("demo")}

    client.reset_model("demo", "org/large:free")
    with pytest.raises(ProblemError, match="model_not_found"):
        client.reset_model("demo", "org/large:free")


def test_a_model_is_given_another_name(client: Client, gateway: FakeGateway) -> None:
    fast = client.set_alias("fast", "demo", "demo-fast")
    assert (fast.alias, fast.provider, fast.model) == ("fast", "demo", "demo-fast")
    assert fast.updated_at is not None
    assert client.set_alias("any:1", "acme").model is None
    assert gateway.received[-1].body == {"provider": "acme"}
    assert [one.alias for one in client.list_aliases()] == ["any:1", "fast"]

    client.delete_alias("fast")
    with pytest.raises(ProblemError, match="alias_not_found"):
        client.delete_alias("fast")


def test_models_that_are_gone_are_asked_for(client: Client, gateway: FakeGateway) -> None:
    client.list_models("demo")
    client.list_models("demo", include_gone=True)
    asked = [dict(one.query) for one in gateway.calls("GET", "/providers/demo/models")]
    assert asked == [{}, {"include_gone": "true"}]


def test_what_is_for_administrators_is_refused_to_others(
    client: Client, gateway: FakeGateway
) -> None:
    gateway.role = "user"
    with pytest.raises(ProblemError, match="permission_denied"):
        client.update_provider("demo", enabled=False)
    assert named(client.list_providers(), "demo").configuration is None


@pytest.fixture
def spent(gateway: FakeGateway) -> FakeGateway:
    gateway.add_usage("2026-11-01", "demo", "small")
    gateway.add_usage("2026-11-02", "demo", "large")
    gateway.add_usage("2026-11-02", "demo", "large", cost=None)
    return gateway


def test_usage_is_summed(client: Client, spent: FakeGateway) -> None:
    report = client.summarize_usage(
        ["day", "model"], since=date(2026, 11, 2), until=datetime(2026, 11, 3, tzinfo=UTC)
    )
    assert spent.received[-1].query == {
        "group_by": "day,model",
        "from": "2026-11-02",
        "to": "2026-11-03T00:00:00+00:00",
    }
    (row,) = report.rows
    assert (row.day, row.model, row.provider) == ("2026-11-02", "large", None)
    assert (row.requests, row.unpriced_requests) == (2, 1)
    assert report.total.cost.amount == Decimal("0.000125")


def test_usage_is_a_table(client: Client, spent: FakeGateway) -> None:
    table = client.summarize_usage_as_csv(["day"])
    assert table == "day,requests\r\n2026-11-01,1\r\n2026-11-02,2\r\n"


def test_calls_are_walked_newest_first(client: Client, spent: FakeGateway) -> None:
    spent.usage[0]["attempts"] = [{"provider": "a", "model": "m", "outcome": "overloaded"}]
    records = list(client.all_usage_records(page_size=2))
    assert [record.model for record in records] == ["large", "large", "small"]
    assert records[-1].attempts[0].outcome == "overloaded"
    assert [one.model for one in client.list_usage_records(model="small").items] == ["small"]


def test_fallbacks_go_with_a_message(client: Client, gateway: FakeGateway) -> None:
    client.chat("Hello", fallbacks=["acme/large", "bare"])
    assert gateway.received[-1].body["fallbacks"] == ["acme/large", "bare"]


async def test_the_async_client_does_the_same(spent: FakeGateway) -> None:
    async with AsyncClient(spent.url, spent.key) as client:
        provider = await client.update_provider("acme", enabled=False)
        report = await client.summarize_usage()
        records = [record async for record in client.all_usage_records(page_size=1)]
    assert (provider.status, report.rows, report.total.requests) == ("disabled", (), 3)
    assert len(records) == 3


def test_a_key_does_not_show_in_a_call() -> None:
    assert "secret" not in repr(provider_calls.set_credential("acme", "sk-secret"))
