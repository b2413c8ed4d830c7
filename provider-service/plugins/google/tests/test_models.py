"""What is asked through the vendor's own library."""

import json
from typing import Any

import httpx2
import pytest
from google import genai
from google.genai import types
from parley_provider_google.models import VendorLibrary, _unanswered
from parley_provider_google.provider import GoogleProvider
from parley_provider_google.settings import GoogleSettings
from parley_provider_sdk import (
    BackendError,
    BackendTimeout,
    BackendUnreachable,
    BadRequest,
    BadResponse,
    Effort,
    ImagePart,
    Message,
    ModelInfo,
    ModelNotFound,
    OutputFormat,
    ProviderError,
    RateLimited,
    ReplyRequest,
    Role,
    TextPart,
    Tool,
    ToolCallPart,
    ToolChoice,
    ToolMode,
    ToolResultPart,
)
from parley_provider_sdk.testing import Peer, fold
from parley_tests.google_peer import camel_cased

pytestmark = pytest.mark.unit

KEY = "AIza-secret-of-the-tests"
MODEL = "gemini-2.5-flash-peer"
JSON = "application/json"
QUESTION = Message(Role.USER, [TextPart("What is 1 + 1? 世界"), ImagePart("image/png", b"\x00")])
CALL = Message(Role.ASSISTANT, [TextPart("Let me see."), ToolCallPart("c1", "add", '{"a":1}')])
RESULT = Message(Role.TOOL, [ToolResultPart("c1", "2")])
SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}}
TOOL = Tool("add", "Adds.", json.dumps(SCHEMA))


async def test_models_are_the_vendors_from_all_pages(provider: GoogleProvider, wire: Peer) -> None:
    makes = frozenset({"text", "reasoning"})
    for _ in range(2):
        assert await provider.list_models() == [
            ModelInfo("gemini-3-flash-peer", "Gemini 3 Flash Peer", 1048576, 65536, makes),
            ModelInfo("gemini-2.5-flash-peer", "Gemini 2.5 Flash Peer", 1048576, 65536, makes),
            ModelInfo(
                "gemini-2.0-flash-peer",
                "Gemini 2.0 Flash Peer",
                1048576,
                65536,
                frozenset({"text"}),
            ),
            ModelInfo(
                "gemini-embedding-peer",
                "Gemini Embedding Peer",
                1048576,
                1,
                frozenset({"embedding"}),
            ),
        ]
    assert ["/v1beta/models"] * 4 == [request.path for request in wire.requests]


async def test_a_server_may_say_less_of_its_models(provider: GoogleProvider, wire: Peer) -> None:
    rows = [{"name": "models/a"}, {"name": "b", "odd": 1}, {"displayName": "nameless"}]
    wire.script(raw=json.dumps({"models": rows, "odd": 1}), raw_type=JSON)
    assert [ModelInfo("a"), ModelInfo("b")] == await provider.list_models()


async def test_pages_without_end_are_refused(provider: GoogleProvider, wire: Peer) -> None:
    wire.script(raw=json.dumps({"models": [], "nextPageToken": "again"}), raw_type=JSON)
    with pytest.raises(BadResponse):
        await provider.list_models()
    assert 101 == len(wire.requests)


@pytest.mark.parametrize(
    ("script", "failure"),
    [
        ({"error": "internal"}, BackendError),
        ({"raw": "<html>", "raw_type": "text/html"}, BadResponse),
        ({"raw": "<html>", "raw_type": "text/html", "status": 404}, BadResponse),
        ({"raw": "{half", "raw_type": JSON}, BadResponse),
        ({"raw": "7", "raw_type": JSON, "status": 500}, BackendError),
        ({"raw": '{"models":[7]}', "raw_type": JSON}, BadResponse),
        ({"raw": '{"models":[{"name":7}]}', "raw_type": JSON}, BadResponse),
        ({"raw": "", "status": 302, "headers": {"Location": "http://127.0.0.1:9/"}}, BadResponse),
    ],
)
async def test_a_failure_has_its_class_and_makes_it_unwell(
    provider: GoogleProvider, wire: Peer, script: dict[str, Any], failure: type[ProviderError]
) -> None:
    wire.script(**script)
    with pytest.raises(failure) as caught:
        await provider.list_models()
    # The library's errors hold the request's headers, so none may be behind ours.
    assert (None, None) == (caught.value.__cause__, caught.value.__context__)
    assert not (await provider.health_check()).healthy


async def test_a_list_of_one_error_and_its_delay_are_read(
    provider: GoogleProvider, wire: Peer
) -> None:
    details = [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "34s"}]
    error = {"error": {"code": 429, "status": "RESOURCE_EXHAUSTED", "details": details}}
    wire.script(raw=json.dumps([error]), raw_type=JSON, status=429)
    with pytest.raises(RateLimited) as caught:
        await provider.list_models()
    assert 34.0 == caught.value.retry_after


@pytest.mark.parametrize(
    ("error", "failure"),
    [
        (httpx2.ReadTimeout("slow"), BackendTimeout),
        (httpx2.ConnectTimeout("away"), BackendUnreachable),
        (httpx2.ConnectError("away"), BackendUnreachable),
        (httpx2.RemoteProtocolError("odd"), BadResponse),
    ],
)
def test_the_librarys_errors_have_their_class(
    error: httpx2.HTTPError, failure: type[ProviderError]
) -> None:
    assert failure is type(_unanswered(error))


async def test_a_vendor_that_is_away_is_unreachable() -> None:
    library = VendorLibrary(GoogleSettings(base_url="http://127.0.0.1:9"))
    with pytest.raises(BackendUnreachable):
        await library.models()
    await library.aclose()


async def test_health_is_one_question_without_retries(provider: GoogleProvider, wire: Peer) -> None:
    assert (await provider.health_check()).healthy
    wire.script(error="overloaded")
    assert not (await provider.health_check()).healthy
    assert ["/v1beta/models"] * 2 == [request.path for request in wire.requests]


async def test_the_environment_decides_nothing(wire: Peer, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "GOOGLE_API_KEY": "AIza-of-the-environment",
        "GEMINI_API_KEY": "AIza-of-the-environment",
        "GOOGLE_GENAI_USE_VERTEXAI": "true",
        "GOOGLE_GENAI_USE_ENTERPRISE": "true",
        "GOOGLE_CLOUD_PROJECT": "project",
        "GOOGLE_CLOUD_LOCATION": "nowhere",
        "GOOGLE_GEMINI_BASE_URL": "http://127.0.0.1:9",
        "GOOGLE_GENAI_API_VERSION": "v0",
        "GOOGLE_GENAI_CLIENT_MODE": "replay",
        "HTTP_PROXY": "http://127.0.0.1:9",
    }.items():
        monkeypatch.setenv(name, value)
    for key in (KEY, ""):
        library = VendorLibrary(GoogleSettings(api_key=key, base_url=wire.base_url))
        if key:
            await library.is_well()
        else:
            with pytest.raises(ProviderError):
                await library.is_well()
        await library.aclose()
    assert [KEY, "none"] == [request.headers["x-goog-api-key"] for request in wire.requests]
    assert {"/v1beta/models"} == {request.path for request in wire.requests}


async def test_tokens_are_counted_with_instruction_and_tools(
    provider: GoogleProvider, wire: Peer
) -> None:
    hi = ReplyRequest(MODEL, [Message(Role.USER, [TextPart("Twelve chars")])])
    assert 7 == await provider.count_tokens(hi)
    more = ReplyRequest(MODEL, hi.messages, system="Be very brief.", tools=[TOOL])
    assert await provider.count_tokens(more) > 14
    assert f"/v1beta/models/{MODEL}:countTokens" == wire.requests[-1].path
    assert [] == wire.requests[-1].body["contents"]
    with pytest.raises(ModelNotFound):
        await provider.count_tokens(ReplyRequest("gemini-none", hi.messages))
    with pytest.raises(BadRequest):
        await provider.count_tokens(ReplyRequest(MODEL, ()))
    wire.script(raw="{}", raw_type=JSON)
    with pytest.raises(BadResponse):
        await provider.count_tokens(hi)


@pytest.mark.parametrize("stream", [True, False])
async def test_our_body_is_the_one_that_the_vendors_library_sends(
    provider: GoogleProvider, wire: Peer, stream: bool
) -> None:
    request = ReplyRequest(
        MODEL,
        [QUESTION, CALL, RESULT],
        system="Be brief.",
        temperature=0.0,
        max_tokens=9,
        stream=stream,
        tools=[TOOL],
        tool_choice=ToolChoice(ToolMode.NAMED, "add"),
        output=OutputFormat(json.dumps(SCHEMA)),
        reasoning_effort=Effort.HIGH,
        stop=("END",),
        top_p=0.5,
        seed=7,
    )
    await fold(provider.chat_completion(request))
    await ask_through_the_library(wire, stream=stream)
    ours, theirs = wire.requests
    assert camel_cased(theirs.body) == ours.body
    assert theirs.path == ours.path
    for name in ("content-type", "x-goog-api-key"):
        assert theirs.headers[name] == ours.headers[name]


CONTENTS: list[Any] = [
    types.UserContent(
        [
            types.Part(text="What is 1 + 1? 世界"),
            types.Part.from_bytes(data=b"\x00", mime_type="image/png"),
        ]
    ),
    types.ModelContent(
        [
            types.Part(text="Let me see."),
            types.Part(function_call=types.FunctionCall(id="c1", name="add", args={"a": 1})),
        ]
    ),
    types.UserContent(
        types.Part(
            function_response=types.FunctionResponse(id="c1", name="add", response={"output": "2"})
        )
    ),
]
CONFIG = types.GenerateContentConfig(
    system_instruction="Be brief.",
    temperature=0.0,
    max_output_tokens=9,
    tools=[
        types.Tool(
            function_declarations=[
                types.FunctionDeclaration(
                    name="add", description="Adds.", parameters_json_schema=SCHEMA
                )
            ]
        )
    ],
    tool_config=types.ToolConfig(
        function_calling_config=types.FunctionCallingConfig(
            mode=types.FunctionCallingConfigMode.ANY, allowed_function_names=["add"]
        )
    ),
    response_mime_type="application/json",
    response_json_schema=SCHEMA,
    thinking_config=types.ThinkingConfig(thinking_budget=24576, include_thoughts=True),
    stop_sequences=["END"],
    top_p=0.5,
    seed=7,
)


async def ask_through_the_library(wire: Peer, *, stream: bool) -> None:
    async with httpx2.AsyncClient(trust_env=False) as http:
        options = types.HttpOptions(
            base_url=wire.base_url, api_version="v1beta", httpx_async_client=http
        )
        with genai.Client(enterprise=False, api_key=KEY, http_options=options) as client:
            models = client.aio.models
            if stream:
                made = await models.generate_content_stream(
                    model=MODEL, contents=CONTENTS, config=CONFIG
                )
                [chunk async for chunk in made]
            else:
                await models.generate_content(model=MODEL, contents=CONTENTS, config=CONFIG)
