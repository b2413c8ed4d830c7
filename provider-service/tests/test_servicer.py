"""The calls of ProviderService, through a real channel."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any
from uuid import UUID

import parley_provider_sdk as sdk
import pytest
from parley_provider_service.bootstrap import NAME, build_server
from parley_rpc import context
from parley_rpc.client import Peer
from parley_rpc.context import ADMIN, USER, Metadata
from parley_rpc.faults import DeadlineExceeded, Fault, RemoteFault, kind_of, reason_of
from parley_tests.believing import OpenToAnybody, new_caller
from uuid_utils.compat import uuid7

from parley.provider.v1 import model_pb2, provider_pb2, reply_pb2, usage_pb2
from parley.provider.v1.provider_pb2_grpc import ProviderServiceStub

from .fakes import DONE, wait
from .scene import Scene

pytestmark = pytest.mark.unit

Call = Callable[..., Any]
HI = sdk.TextDelta("Hi there")


@pytest.fixture
def scene() -> Scene:
    return Scene(HI, DONE)


@pytest.fixture
async def peer(scene: Scene) -> AsyncIterator[Peer]:
    server = build_server(scene.servicer, OpenToAnybody())
    await server.start("127.0.0.1:0", [NAME])
    peer = Peer("provider", f"127.0.0.1:{server.port}", None)
    yield peer
    await peer.aclose()
    await server.stop(0)
    await scene.generation.aclose(1)


@pytest.fixture
def stub(peer: Peer) -> Any:
    return ProviderServiceStub(peer.channel)


def metadata(user: UUID, role: str = USER) -> Metadata:
    return new_caller(str(user), "key", "request", valid_for=60, role=role).metadata


def request_class(method: str) -> Any:
    """Find a request among the modules of the contract."""
    modules = (provider_pb2, model_pb2, reply_pb2, usage_pb2)
    found = (getattr(module, f"{method}Request", None) for module in modules)
    return next(one for one in found if one is not None)


@pytest.fixture
def call(peer: Peer, stub: Any, ada: UUID) -> Call:
    """Call a method by its name in Ada's name; raise the fault that comes back."""

    async def call(method: str, user: UUID = ada, role: str = USER, **fields: Any) -> Any:
        request, shown = request_class(method)(**fields), metadata(user, role)
        return await peer.unary(getattr(stub, method)(request, timeout=5, metadata=shown))

    return call


@pytest.fixture
def generate(stub: Any, ada: UUID) -> Call:
    """Begin a reply; return its stream."""

    def generate(seconds: float = 5.0, **fields: Any) -> Any:
        message = reply_pb2.InputMessage(
            role=reply_pb2.ROLE_USER, parts=[reply_pb2.Part(text="Hello!")]
        )
        values = {"provider": "acme", "model": "small", "messages": [message], "stream": True}
        request = reply_pb2.GenerateReplyRequest(**{"usage_id": str(uuid7()), **values, **fields})
        return stub.GenerateReply(request, timeout=seconds, metadata=metadata(ada))

    return generate


async def heard(
    stream: AsyncIterator[reply_pb2.GenerateReplyResponse],
) -> tuple[list[str | None], Fault]:
    """Return the kinds of a stream's events, and the fault it ended with."""
    events = []
    try:
        async for event in stream:
            events += [event.WhichOneof("event")]
    except Fault as fault:
        return [*events], fault
    raise AssertionError("The stream did not fail.")


async def test_providers_are_listed(call: Call) -> None:
    await call("ListModels", provider="acme")

    [acme] = (await call("ListProviders")).providers

    assert (
        "acme",
        provider_pb2.PROVIDER_STATUS_READY,
        True,
        True,
        "small",
        ["small", "large"],
    ) == (
        acme.name,
        acme.status,
        acme.enabled,
        acme.is_default,
        acme.default_model,
        list(acme.models),
    )


async def test_a_provider_is_checked(call: Call) -> None:
    checkup = await call("CheckProvider", provider="acme")

    assert (provider_pb2.PROVIDER_STATUS_READY, "Well.") == (checkup.status, checkup.detail)


async def test_models_come_in_pages(call: Call, scene: Scene) -> None:
    scene.provider.listed = [sdk.ModelInfo(name) for name in ("c", "a", "b")]

    first = await call("ListModels", provider="acme", page_size=2)
    rest = await call("ListModels", provider="acme", page_token=first.next_page_token)

    assert ["a", "b", "c"] == [model.name for model in [*first.models, *rest.models]]
    assert "" == rest.next_page_token


async def test_a_model_is_found(call: Call) -> None:
    model = (await call("GetModel")).model

    assert ("acme", "small", 1_000_000) == (
        model.provider,
        model.name,
        model.price.input_nano_usd_per_million,
    )


async def test_a_reply_is_streamed_and_its_usage_can_be_looked_up(
    peer: Peer, call: Call, generate: Call, bob: UUID
) -> None:
    usage_id = str(uuid7())

    events = [event async for event in peer.stream(generate(usage_id=usage_id))]

    assert ["text", "finished"] == [event.WhichOneof("event") for event in events]
    assert (reply_pb2.FINISH_REASON_STOP, 20, 50) == (
        events[-1].finished.reason,
        events[-1].finished.usage.output_tokens,
        events[-1].finished.cost.nano_usd,
    )
    [record] = (await call("ListUsage", usage_ids=[usage_id])).records
    assert (usage_id, True, 50) == (record.usage_id, record.settled, record.cost.nano_usd)
    assert not (await call("ListUsage", user=bob, usage_ids=[usage_id])).records


async def test_usage_comes_in_pages(peer: Peer, call: Call, generate: Call) -> None:
    ids = sorted(str(uuid7()) for _ in range(3))
    for usage_id in ids:
        _ = [event async for event in peer.stream(generate(usage_id=usage_id))]

    first = await call("ListUsage", usage_ids=ids, page_size=2)
    rest = await call("ListUsage", usage_ids=ids, page_token=first.next_page_token)

    assert ids == [record.usage_id for record in [*first.records, *rest.records]]
    assert "" == rest.next_page_token


async def test_a_service_learns_in_nobodys_name_what_calls_used(
    peer: Peer, stub: Any, generate: Call, ada: UUID
) -> None:
    ids = sorted(str(uuid7()) for _ in range(2))
    for usage_id in ids:
        _ = [event async for event in peer.stream(generate(usage_id=usage_id))]

    asked = usage_pb2.GetUsageRequest(usage_ids=[ids[1], str(uuid7()), ids[0]])
    records = (await peer.unary(stub.GetUsage(asked, timeout=5))).records

    assert [(usage_id, True, str(ada), 50) for usage_id in ids] == [
        (one.usage_id, one.settled, one.user_id, one.cost.nano_usd) for one in records
    ]


async def test_a_failure_comes_after_the_usage(peer: Peer, scene: Scene, generate: Call) -> None:
    scene.provider.script = (HI, sdk.RateLimited("Slower.", retry_after=2.5))

    events, fault = await heard(peer.stream(generate()))

    assert ["text", "usage"] == events
    assert ("rate_limited", "Slower.", 2.5) == (
        reason_of(fault),
        fault.sentence,
        fault.retry_after,
    )


async def test_a_caller_who_hangs_up_closes_the_vendors_stream(
    scene: Scene, generate: Call, ada: UUID
) -> None:
    scene.provider.script = (HI, wait(30), DONE)
    stream = generate()
    await stream.read()

    stream.cancel()
    async with asyncio.timeout(5):
        while scene.generation.open:  # noqa: ASYNC110  (a fact to wait for, not an event)
            await asyncio.sleep(0.01)
    await asyncio.sleep(0)

    assert 1 == scene.provider.closed_streams
    [row] = scene.ledger.books.rows.values()
    assert row.settlement is not None
    assert ("stopped", ada) == (row.settlement.outcome, row.hold.owner_id)
    assert sdk.Usage(2, 2, source=sdk.UsageSource.ESTIMATED) == row.settlement.usage


async def test_the_usage_arrives_before_the_deadline(
    peer: Peer, scene: Scene, generate: Call
) -> None:
    scene.provider.script = (HI, wait(30), DONE)

    events, fault = await heard(peer.stream(generate(2.0)))

    assert ["text", "usage"] == events
    assert ("timeout", DeadlineExceeded) == (reason_of(fault), kind_of(fault))


@pytest.mark.parametrize(
    ("method", "fields", "reason"),
    [
        ("CheckProvider", {"provider": "acne"}, "provider_not_found"),
        ("ListModels", {"provider": "acne"}, "provider_not_found"),
        ("ListModels", {"provider": "acme", "page_size": 1_001}, "invalid_argument"),
        ("ListProviders", {"page_size": -1}, "invalid_argument"),
        ("ListProviders", {"page_token": "?"}, "invalid_argument"),
        ("GetModel", {"provider": "acne"}, "provider_not_found"),
        ("GetModel", {"model": "smal"}, "model_not_found"),
        ("ListUsage", {"usage_ids": ["7"]}, "invalid_argument"),
        ("ListUsage", {"usage_ids": [str(uuid7())] * 501}, "invalid_argument"),
        ("GetUsage", {"usage_ids": ["7"]}, "invalid_argument"),
        ("GetUsage", {"usage_ids": [str(uuid7())] * 501}, "invalid_argument"),
    ],
)
async def test_failures_have_reasons(
    call: Call, method: str, fields: dict[str, Any], reason: str
) -> None:
    with pytest.raises(RemoteFault) as caught:
        await call(method, **fields)

    assert reason == reason_of(caught.value)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"usage_id": "7"}, "invalid_argument"),
        ({"messages": []}, "invalid_argument"),
        ({"provider": "acne"}, "provider_not_found"),
    ],
)
async def test_a_reply_that_cannot_be_begun_has_a_reason(
    peer: Peer, generate: Call, fields: dict[str, Any], reason: str
) -> None:
    with pytest.raises(RemoteFault) as caught:
        _ = [event async for event in peer.stream(generate(**fields))]

    assert reason == reason_of(caught.value)


@pytest.fixture
def unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Answers are given a second for their way back, as much as a busy machine may need."""
    monkeypatch.setattr(context, "HOP_SECONDS", 1.0)


@pytest.mark.usefixtures("unhurried")
@pytest.mark.parametrize(("method", "role"), [("ListModels", USER), ("RefreshModels", ADMIN)])
async def test_a_vendor_is_waited_for_as_long_as_the_caller_waits(
    peer: Peer, stub: Any, scene: Scene, ada: UUID, method: str, role: str
) -> None:
    scene.provider.listed = wait(30)
    request, shown = request_class(method)(provider="acme"), metadata(ada, role)

    with pytest.raises(RemoteFault) as caught:
        await peer.unary(getattr(stub, method)(request, timeout=1.5, metadata=shown))

    assert "timeout" == reason_of(caught.value)


@pytest.mark.usefixtures("unhurried")
async def test_a_provider_is_found_silent_before_the_caller_goes(
    peer: Peer, stub: Any, scene: Scene, ada: UUID
) -> None:
    scene.provider.health = wait(30)
    request = provider_pb2.CheckProviderRequest(provider="acme")

    asked = stub.CheckProvider(request, timeout=1.5, metadata=metadata(ada))

    assert provider_pb2.PROVIDER_STATUS_UNHEALTHY == (await peer.unary(asked)).status


async def test_a_reply_for_nobody_is_refused(peer: Peer, stub: Any) -> None:
    request = reply_pb2.GenerateReplyRequest(usage_id=str(uuid7()), provider="acme", model="small")

    with pytest.raises(RemoteFault) as caught:
        _ = [event async for event in peer.stream(stub.GenerateReply(request, timeout=5))]

    assert "unauthenticated" == reason_of(caught.value)


ADMINS: dict[str, dict[str, Any]] = {
    "CreateProvider": {"name": "other", "plugin": "acme"},
    "UpdateProvider": {"provider": "acme", "priority": 3},
    "DeleteProvider": {"provider": "acme"},
    "SetCredential": {"provider": "acme", "api_key": "sk-acme-0123456789"},
    "DeleteCredential": {"provider": "acme"},
    "RotateCredentials": {},
    "RefreshModels": {"provider": "acme"},
    "UpdateModel": {"provider": "acme", "model": "small", "context_window": 9},
    "ResetModel": {"provider": "acme", "model": "small"},
}


@pytest.mark.parametrize("method", ADMINS)
async def test_what_is_an_administrators_is_refused_to_others(call: Call, method: str) -> None:
    with pytest.raises(Fault) as caught:
        await call(method, **ADMINS[method])

    assert "permission_denied" == reason_of(caught.value)


async def test_how_a_provider_is_configured_is_for_administrators(call: Call, scene: Scene) -> None:
    await scene.catalog.refresh()
    await call("SetCredential", role=ADMIN, **ADMINS["SetCredential"])
    await call("UpdateProvider", role=ADMIN, provider="acme", max_replies=7, retry_timeouts=True)

    [shown] = (await call("ListProviders", role=ADMIN)).providers
    [hidden] = (await call("ListProviders")).providers

    assert (7, True, "acme", provider_pb2.CIRCUIT_CLOSED) == (
        shown.configuration.max_replies,
        shown.configuration.retry_timeouts,
        shown.plugin,
        shown.circuit,
    )
    assert not hidden.HasField("configuration")
    assert "sk-acme" not in str(shown)


async def test_a_changed_default_is_told(call: Call, scene: Scene) -> None:
    await scene.catalog.refresh()

    answer = await call(
        "UpdateProvider",
        role=ADMIN,
        provider="acme",
        is_default=True,
        default_model="large",
        fallbacks={"choices": [{"provider": "acme", "model": "large"}]},
    )

    assert ("large", True, ["acme/large"]) == (
        answer.provider.default_model,
        answer.provider.configuration.default_model_chosen,
        list(answer.provider.configuration.fallbacks),
    )


async def test_a_configuration_comes_and_goes(call: Call, scene: Scene) -> None:
    await scene.catalog.refresh()

    made = await call("CreateProvider", role=ADMIN, **ADMINS["CreateProvider"])
    await call("DeleteProvider", role=ADMIN, provider="other")

    assert ("other", "acme") == (made.provider.name, made.provider.plugin)
    assert {"acme"} == scene.roster.entries.keys()
    forgotten = await call("DeleteCredential", role=ADMIN, provider="acme")
    assert "" == forgotten.provider.configuration.credential_last4
    assert 0 == (await call("RotateCredentials", role=ADMIN)).rotated


async def test_a_model_is_priced_and_forgotten(call: Call, scene: Scene) -> None:
    await scene.catalog.refresh()
    await call("RefreshModels", role=ADMIN, provider="acme")
    price = {"input_nano_usd_per_million": 5, "output_nano_usd_per_million": 6}

    priced = (
        await call(
            "UpdateModel",
            role=ADMIN,
            provider="acme",
            model="large",
            price=price,
            capabilities=["text", "tools"],
            set_capabilities=True,
        )
    ).model
    await call("ResetModel", role=ADMIN, provider="acme", model="large")

    assert (5, ["text", "tools"], True) == (
        priced.price.input_nano_usd_per_million,
        list(priced.capabilities),
        priced.overridden,
    )
    assert priced.price.version.startswith("set by an administrator 20")
    with pytest.raises(Fault, match="magic"):
        await call(
            "UpdateModel",
            role=ADMIN,
            provider="acme",
            model="large",
            capabilities=["magic"],
            set_capabilities=True,
        )


async def test_tokens_are_counted_or_estimated(call: Call) -> None:
    message = {"role": reply_pb2.ROLE_USER, "parts": [{"text": "12345678"}]}

    counted = await call("CountTokens", request={"provider": "acme", "messages": [message]})

    assert (2, reply_pb2.USAGE_SOURCE_ESTIMATED) == (counted.input_tokens, counted.source)


async def test_the_ledger_is_told_to_its_owner_and_all_of_it_to_administrators(
    call: Call, generate: Call, ada: UUID, bob: UUID
) -> None:
    for _ in range(3):
        [_ async for _ in generate()]

    first = await call("ListUsageRecords", page_size=2)
    rest = await call("ListUsageRecords", page_size=2, page_token=first.next_page_token)
    foreign = await call("ListUsageRecords", user=bob)
    every = await call("ListUsageRecords", user=bob, role=ADMIN)

    assert (2, 1, "", 0, 3) == (
        len(first.records),
        len(rest.records),
        rest.next_page_token,
        len(foreign.records),
        len(every.records),
    )
    record = first.records[0]
    assert (str(ada), "key", "acme", "small", "stop", True) == (
        record.user_id,
        record.key_id,
        record.provider,
        record.model,
        record.outcome,
        record.HasField("settled_at"),
    )
    with pytest.raises(Fault) as caught:
        await call("ListUsageRecords", user=bob, user_id=str(ada))
    assert "permission_denied" == reason_of(caught.value)
    with pytest.raises(Fault, match="page_token"):
        await call("ListUsageRecords", page_token="bm9uc2Vuc2U=")
    for field in ("provider", "model"):
        with pytest.raises(Fault, match=f"{field}: must not hold a NUL"):
            await call("ListUsageRecords", **{field: "a\0b"})


async def test_sums_are_divided_as_asked(call: Call, generate: Call) -> None:
    [_ async for _ in generate()]
    groups = [usage_pb2.USAGE_GROUP_DAY, usage_pb2.USAGE_GROUP_MODEL]

    answer = await call("SummarizeUsage", group_by=groups)
    total = await call("SummarizeUsage")

    assert ["small"] == [row.model for row in answer.rows]
    assert (1, 10, 20, 50) == (
        answer.total.requests,
        answer.total.input_tokens,
        answer.total.output_tokens,
        answer.total.cost_nano_usd,
    )
    assert (0, answer.total) == (len(total.rows), total.total)
    for wrong in ([0], [usage_pb2.USAGE_GROUP_DAY] * 2):
        with pytest.raises(Fault, match="group_by"):
            await call("SummarizeUsage", group_by=wrong)
