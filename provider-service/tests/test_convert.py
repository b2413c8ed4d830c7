"""Between the contract's messages and the core's values."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import parley_provider_sdk as sdk
import pytest
from google.protobuf.struct_pb2 import Struct
from parley_provider_service.api import configurations, convert, fields, records
from parley_provider_service.core.model import (
    Ask,
    Checkup,
    Cost,
    Ended,
    Event,
    Installed,
    Listing,
    Model,
    Price,
    ProviderStatus,
    UsageRecord,
)
from parley_rpc.context import Caller
from parley_rpc.faults import InvalidArgument, Unauthenticated
from uuid_utils.compat import uuid7

from parley.provider.v1 import provider_pb2, reply_pb2, usage_pb2
from parley.provider.v1.reply_pb2 import Blob, Part

pytestmark = pytest.mark.unit

USAGE = sdk.Usage(1, 2, 3, 4, cache_write_tokens=5, long_cache_write_tokens=6)
PB_USAGE = reply_pb2.Usage(
    input_tokens=1,
    output_tokens=2,
    cached_input_tokens=3,
    reasoning_tokens=4,
    source=reply_pb2.USAGE_SOURCE_REPORTED,
    cache_write_tokens=5,
    long_cache_write_tokens=6,
)
PRICE = Price(1, 2, 3, "list 1", 0, 5)
CALLER = Caller("0198a000-0000-7000-8000-00000000000a", "key", b"")


def user(*parts: reply_pb2.Part) -> reply_pb2.InputMessage:
    return reply_pb2.InputMessage(role=reply_pb2.ROLE_USER, parts=parts)


def ask(**fields: Any) -> Ask:
    request = reply_pb2.GenerateReplyRequest(
        **{"usage_id": str(uuid7()), "provider": "acme", "model": "small", **fields}
    )
    return convert.from_ask(request, CALLER, 5.0)


@pytest.mark.parametrize(
    ("event", "written"),
    [
        (sdk.TextDelta("Hi."), reply_pb2.GenerateReplyResponse(text="Hi.")),
        (sdk.ReasoningDelta("Hm."), reply_pb2.GenerateReplyResponse(reasoning="Hm.")),
        (
            sdk.ToolCallDelta(1, "call", "search", "{}", b"meta"),
            reply_pb2.GenerateReplyResponse(
                tool_call=reply_pb2.ToolCallDelta(
                    index=1,
                    tool_call_id="call",
                    name="search",
                    arguments="{}",
                    provider_metadata=b"meta",
                )
            ),
        ),
        (sdk.UsageUpdate(USAGE), reply_pb2.GenerateReplyResponse(usage=PB_USAGE)),
        (
            sdk.Logprobs(
                [sdk.TokenLogprob("Hi", -0.5, b"Hi", [sdk.TokenLogprob("Ho", -1.5)])],
            ),
            reply_pb2.GenerateReplyResponse(
                logprobs=reply_pb2.Logprobs(
                    tokens=[
                        reply_pb2.TokenLogprob(
                            token="Hi",
                            logprob=-0.5,
                            bytes=b"Hi",
                            top=[reply_pb2.TokenLogprob(token="Ho", logprob=-1.5)],
                        )
                    ]
                )
            ),
        ),
        (
            Ended(sdk.FinishReason.STOP, USAGE, Cost(7, "list 1"), "acme", "small", "END"),
            reply_pb2.GenerateReplyResponse(
                finished=reply_pb2.Finished(
                    reason=reply_pb2.FINISH_REASON_STOP,
                    usage=PB_USAGE,
                    cost=reply_pb2.Cost(nano_usd=7, price_version="list 1"),
                    provider="acme",
                    model="small",
                    stop_sequence="END",
                )
            ),
        ),
    ],
)
def test_every_event_is_written(event: Event, written: reply_pb2.GenerateReplyResponse) -> None:
    assert [written] == list(convert.to_event(event))


def test_an_unknown_cost_is_absent_and_not_zero() -> None:
    [written] = convert.to_event(Ended(sdk.FinishReason.STOP, USAGE, None))

    assert not written.finished.HasField("cost")


def test_every_word_of_ours_has_one_in_the_contract() -> None:
    assert set(ProviderStatus) == configurations.STATUSES.keys()
    assert set(sdk.FinishReason) == convert.REASONS.keys()
    assert set(sdk.UsageSource) == convert.SOURCES.keys()
    assert set(sdk.Role) == set(convert.ROLES.values())
    for table in (configurations.STATUSES, convert.REASONS, convert.SOURCES):
        assert set(range(1, len(table) + 1)) == set(table.values())


SEARCH = reply_pb2.Tool(name="search", description="Searches.", parameters="{}", strict=True)


def test_a_request_is_read_with_all_its_parts() -> None:
    options = Struct()
    options.update({"seed": 42, "bias": 0.5, "deep": [{"n": 1}, "x", None, True]})
    parts = [
        Part(text="Hi.", provider_metadata=b"meta"),
        Part(reasoning="Hm."),
        Part(image=Blob(media_type="image/png", data=b"png")),
        Part(file=Blob(media_type="text/plain", data=b"txt", name="a.txt")),
        Part(tool_call=reply_pb2.ToolCall(tool_call_id="c", name="search", arguments="{}")),
        Part(tool_result=reply_pb2.ToolResult(tool_call_id="c", content="no", is_error=True)),
    ]

    read = ask(
        system="Be brief.",
        messages=[user(*parts)],
        temperature=0.0,
        stream=True,
        tools=[SEARCH],
        provider_options=options,
    )

    assert [
        sdk.TextPart("Hi.", b"meta"),
        sdk.ReasoningPart("Hm."),
        sdk.ImagePart("image/png", b"png"),
        sdk.FilePart("text/plain", b"txt", "a.txt"),
        sdk.ToolCallPart("c", "search", "{}"),
        sdk.ToolResultPart("c", "no", is_error=True),
    ] == read.request.messages[0].parts
    assert (0.0, None, True, "Be brief.") == (
        read.request.temperature,
        read.request.max_tokens,
        read.request.stream,
        read.request.system,
    )
    assert [sdk.Tool("search", "Searches.", "{}", strict=True)] == read.request.tools
    expected = {"seed": 42, "bias": 0.5, "deep": [{"n": 1}, "x", None, True]}
    assert expected == read.request.provider_options
    assert isinstance(read.request.provider_options["seed"], int)
    assert (UUID(CALLER.user_id), "key", 5.0) == (read.owner_id, read.key_id, read.seconds)


def test_what_is_asked_of_a_few_vendors_is_read_and_absent_is_not_zero() -> None:
    few: dict[str, Any] = {
        "frequency_penalty": 0.0,
        "presence_penalty": -0.5,
        "top_k": 40,
        "top_logprobs": 0,
        "reasoning_tokens": 1_024,
    }

    read, without = ask(**few, options_dialect="acmish"), ask()

    assert few == {name: getattr(read.request, name) for name in few}
    assert "acmish" == read.options_dialect
    assert {None} == {getattr(without.request, name) for name in few}
    assert "" == without.options_dialect


def test_an_image_may_be_an_address_and_belong_to_an_answer_of_a_tool() -> None:
    there = Blob(url="https://acme.example/cat.png?sig=a%20b")
    parts = [
        Part(image=there, provider_metadata=b"meta"),
        Part(file=Blob(url="http://acme.example/a.pdf", media_type="application/pdf", name="a")),
        Part(
            tool_result=reply_pb2.ToolResult(
                tool_call_id="c", images=[Blob(media_type="image/png", data=b"png"), there]
            )
        ),
    ]

    read = ask(messages=[user(*parts)]).request.messages[0].parts

    image = sdk.ImagePart("", b"", url=there.url)
    assert [
        sdk.ImagePart("", b"", "", b"meta", there.url),
        sdk.FilePart("application/pdf", b"", "a", url="http://acme.example/a.pdf"),
        sdk.ToolResultPart("c", "", images=(sdk.ImagePart("image/png", b"png"), image)),
    ] == read


def test_marks_are_read() -> None:
    keep = reply_pb2.KEEP_LONG
    call = reply_pb2.ToolCall(tool_call_id="c", name="a")
    given: list[Part] = [
        Part(text="Hi", keep=keep),
        Part(image=Blob(url="http://acme.example/a"), keep=keep),
        Part(file=Blob(data=b"a"), keep=keep),
        Part(tool_call=call, keep=keep),
        Part(tool_result=reply_pb2.ToolResult(tool_call_id="c"), keep=keep),
        Part(text="End"),
    ]
    tools = [reply_pb2.Tool(name="a", keep=reply_pb2.KEEP_SHORT), reply_pb2.Tool(name="b")]
    marks = [reply_pb2.SystemMark(end=2, keep=keep)]

    request = ask(messages=[user(*given)], tools=tools, system="abc", system_marks=marks).request

    long = sdk.Keep.LONG
    parts = [part for part in request.messages[0].parts if not isinstance(part, sdk.ReasoningPart)]
    assert [long] * 5 + [None] == [part.keep for part in parts]
    assert [sdk.Keep.SHORT, None] == [tool.keep for tool in request.tools]
    assert [sdk.SystemMark(2, long)] == list(request.system_marks)


def of_image(**blob: Any) -> dict[str, Any]:
    return {"messages": [user(Part(image=Blob(**blob)))]}


@pytest.mark.parametrize(
    "blob",
    [
        {"url": "https://acme.example/cat.png", "data": b"png"},
        {"url": "file:///etc/passwd"},
        {"url": "data:image/png;base64,AAAA"},
        {"url": "ftp://acme.example/cat.png"},
        {"url": "//acme.example/cat.png"},
        {"url": "https:///cat.png"},
        {"url": "https://[::1/cat.png"},
        {"url": "https://acme.example/a b"},
        {"url": "https://acme.example/\r\nX: y"},
        {"url": "https://acme.example/" + "x" * 8_192},
    ],
)
def test_an_address_that_no_vendor_should_be_told_is_refused(blob: dict[str, Any]) -> None:
    with pytest.raises(InvalidArgument, match="must be an address, http or https") as caught:
        ask(**of_image(**blob))

    assert {"field": "messages.parts.url"} == caught.value.metadata


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"usage_id": ""}, "usage_id"),
        (of_image(media_type="image/png"), "messages.parts.data"),
        ({"usage_id": "7"}, "usage_id"),
        ({"messages": [reply_pb2.InputMessage(parts=[reply_pb2.Part(text="x")])]}, "messages.role"),
        ({"messages": [user(reply_pb2.Part())]}, "messages.parts"),
        (
            {
                "messages": [
                    user(reply_pb2.Part(file=reply_pb2.Blob(data=b"x" * (20 * 1024 * 1024 + 1))))
                ]
            },
            "messages.parts.data",
        ),
    ],
)
def test_what_cannot_be_said_to_a_provider_is_refused(fields: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        ask(**fields)

    assert {"field": field} == caught.value.metadata


def test_a_user_who_is_no_uuid_is_refused() -> None:
    with pytest.raises(Unauthenticated):
        fields.owner_of(Caller("ada", "key", b""))


def test_a_provider_is_written() -> None:
    installed = Installed("acme", "Acme", "parley-provider-acme", "1.0", error="Torn.")
    listing = Listing(
        installed, ProviderStatus.BROKEN, True, True, "small", ["small"], installed.error
    )

    assert provider_pb2.Provider(
        name="acme",
        display_name="Acme",
        status=provider_pb2.PROVIDER_STATUS_BROKEN,
        enabled=True,
        is_default=True,
        default_model="small",
        models=["small"],
        plugin_package="parley-provider-acme",
        plugin_version="1.0",
        error="Torn.",
        plugin="acme",
        circuit=provider_pb2.CIRCUIT_CLOSED,
    ) == configurations.to_provider(listing)


def test_a_checkup_is_written() -> None:
    now = datetime(2026, 11, 23, tzinfo=UTC)

    written = configurations.to_checkup(Checkup("acme", ProviderStatus.READY, 1.5, now, "Well."))

    assert ("acme", provider_pb2.PROVIDER_STATUS_READY, 1.5, now, "Well.") == (
        written.provider,
        written.status,
        written.latency_ms,
        written.checked_at.ToDatetime(UTC),
        written.detail,
    )


def test_a_model_is_written_with_and_without_its_price() -> None:
    model = Model("acme", "s", "S", 5, 6, frozenset({"tools", "text"}), PRICE)

    written = configurations.to_model(model)

    assert (5, 6, ["text", "tools"]) == (
        written.context_window,
        written.max_output_tokens,
        list(written.capabilities),
    )
    assert (1, 2, "list 1") == (
        written.price.input_nano_usd_per_million,
        written.price.output_nano_usd_per_million,
        written.price.version,
    )
    now = datetime(2026, 11, 27, tzinfo=UTC)
    read = configurations.from_price(written.price, now)
    assert replace(PRICE, version="set by an administrator 2026-11-27") == read
    unsaid = configurations.from_price(configurations.to_price(Price(1, 2, None, "x")), now)
    assert (None, None, None) == (unsaid.cached_input, unsaid.cache_write, unsaid.long_cache_write)
    assert not configurations.to_model(Model("acme", "s", "S")).HasField("price")


def test_a_row_of_the_ledger_is_written() -> None:
    usage_id = uuid7()

    held = records.to_record(UsageRecord(usage_id, False, None, None))
    settled = records.to_record(UsageRecord(usage_id, True, USAGE, Cost(7, "list 1")))

    assert usage_pb2.UsageRecord(usage_id=str(usage_id)) == held
    assert (PB_USAGE, 7) == (settled.usage, settled.cost.nano_usd)


@pytest.mark.parametrize("place", ["", "small", "gr\u00fc\u00df/e:1", "x" * 200])
def test_a_token_holds_its_place(place: str) -> None:
    assert place == fields.from_token(fields.to_token(place))


@pytest.mark.parametrize("token", ["!", "x", "\u00e9", "//79"])
def test_a_token_that_is_not_ours_is_refused(token: str) -> None:
    with pytest.raises(InvalidArgument, match="page_token"):
        fields.from_token(token)


@pytest.mark.parametrize(("asked", "size"), [(0, 100), (1, 1), (100, 100)])
def test_a_page_size_of_zero_means_as_much_as_there_can_be(asked: int, size: int) -> None:
    assert size == fields.page_size(asked, 100)


@pytest.mark.parametrize("asked", [-1, 101])
def test_a_page_size_out_of_range_is_refused(asked: int) -> None:
    with pytest.raises(InvalidArgument, match="page_size"):
        fields.page_size(asked, 100)
