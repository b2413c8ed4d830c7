"""An honest provider with a wire, small and invented: lines of JSON over HTTP.

POST /talk  {"model", "said": [{"who", "bits": […]}], "stream"}
→ {"open": true} {"think": "…", "sig": "…"} {"say": "…"} {"done": "stop", "in": 5, "out": 2}
"""

import json
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from parley_provider_sdk import (
    AuthenticationFailed,
    FinishReason,
    Health,
    ModelInfo,
    ModelNotFound,
    Overloaded,
    Part,
    ProviderError,
    ReasoningDelta,
    ReasoningPart,
    ReplyRequest,
    ReplyStream,
    TextPart,
    ToolCallPart,
    ToolResultPart,
    Usage,
)
from parley_provider_sdk.failures import Refusal, failure
from parley_provider_sdk.http import Call, Vendor
from parley_provider_sdk.reading import LineCutter, Reading
from parley_provider_sdk.testing import Answer, Dialect, Received, Script
from typing_extensions import override

KEY = "toy-secret-of-the-tests"
SIGNATURES = ("signed-by-the-toy-1", "signed-by-the-toy-2")
FAILURES: Mapping[type[ProviderError], str] = MappingProxyType(
    {AuthenticationFailed: "authentication", ModelNotFound: "model_not_found", Overloaded: "busy"}
)
STATUS = MappingProxyType({"authentication": 401, "model_not_found": 404, "busy": 503})


class ToyDialect(Dialect):
    """Invented, so it is from nowhere."""

    models = ("toy-1",)
    stream_type = "application/x-ndjson"

    @override
    def key_of(self, headers: Mapping[str, str], query: Mapping[str, str]) -> str:
        return headers.get("x-key", "")

    @override
    def model_of(self, path: str, body: Any) -> str | None:
        return str(body["model"]) if path == "/talk" else None

    @override
    def is_streamed(self, path: str, body: Any) -> bool:
        return bool(body["stream"])

    @override
    def last_text(self, body: Any) -> str:
        return "".join(bit.get("say", "") for bit in body["said"][-1]["bits"])

    @override
    def events(self, body: Any, texts: Sequence[str], script: Script) -> list[bytes]:
        news = b'{"news": {"x": [1]}}\n' if script.unknown else b""
        return [
            news + json.dumps(one, ensure_ascii=False).encode() + b"\n"
            for one in self._lines(texts, script)
        ]

    @override
    def whole(self, body: Any, texts: Sequence[str], script: Script) -> bytes:
        return json.dumps({"lines": self._lines(texts, script)}).encode()

    @override
    def failure(self, name: str, **words: str) -> Answer:
        return Answer(STATUS[name], json.dumps({"error": f"{name} {words.get('key')}"}).encode())

    @override
    def error_event(self, name: str) -> bytes:
        return json.dumps({"error": name}).encode() + b"\n"

    @override
    def other(self, asked: Received) -> Answer | None:
        return Answer(200, b'["toy-1"]') if asked.path == "/models" else None

    def _lines(self, texts: Sequence[str], script: Script) -> list[dict[str, Any]]:
        thoughts: list[dict[str, Any]] = [{"think": text} for text in script.reasoning]
        if thoughts:
            thoughts[-1]["sig"] = SIGNATURES[0]
        said = [{"say": text} for text in texts]
        calls = [{"call": dict(call), "sig": SIGNATURES[1]} for call in script.calls]
        end: dict[str, Any] = {"done": "tool" if calls else "stop"}
        if script.usage:
            end |= {"in": 5, "out": len(texts) + len(calls) + len(thoughts)}
        return [{"open": True}, *thoughts, *said, *calls, end]


class ToyReading(Reading):
    """Reads the toy's lines."""

    def __init__(self, request: ReplyRequest, cutter: LineCutter) -> None:
        super().__init__(request, cutter)
        self.why: FinishReason | None = None

    @override
    def read(self, event: bytes) -> None:
        self.read_line(json.loads(event))

    @override
    def read_whole(self, body: bytes) -> None:
        for line in json.loads(body)["lines"]:
            self.read_line(line)

    @override
    def reason(self) -> FinishReason | None:
        return self.why

    def read_line(self, line: Mapping[str, Any]) -> None:
        if "error" in line:
            raise failure(Overloaded, said=line["error"])
        self.think(line.get("think", ""))
        self.say(line.get("say", ""))
        if call := line.get("call"):
            given = call["tool_call_id"], call["name"], call["arguments"]
            signed = self.signed(line["sig"])
            self.call(
                given[0], call_id=given[0], name=given[1], arguments=given[2], metadata=signed
            )
        elif "sig" in line:
            self.attach(ReasoningDelta, self.signed(line["sig"]))
        if "done" in line:
            self.why, self.done = FinishReason(line["done"]), True
            self.usage = self.counted(line)

    def signed(self, signature: str) -> bytes:
        return json.dumps({"sig": signature}).encode()

    def counted(self, line: Mapping[str, Any]) -> Usage | None:
        return Usage(line["in"], line["out"]) if "in" in line else None


class Toy:
    """Keeps to the contract."""

    reading: type[ToyReading] = ToyReading

    def __init__(self, base_url: str) -> None:
        self.vendor = Vendor(base_url, headers={"X-Key": KEY}, failure=Refusal.failure, secret=KEY)

    async def chat_completion(self, request: ReplyRequest) -> ReplyStream:
        said = [{"who": m.role, "bits": [self.bit(p) for p in m.parts]} for m in request.messages]
        body = {"model": request.model, "said": said, "stream": request.stream}
        call = Call("/talk", json.dumps(body).encode())
        async for event in self.vendor.reply(call, self.reading(request, self.cutter()), request):
            yield event

    def cutter(self) -> LineCutter:
        return LineCutter()

    def bit(self, part: Part) -> dict[str, Any]:
        bit: dict[str, Any] = {}
        if isinstance(part, TextPart):
            bit = {"say": part.text}
        elif isinstance(part, ReasoningPart):
            bit = {"think": part.text}
        elif isinstance(part, ToolCallPart):
            bit = {"call": part.tool_call_id}
        elif isinstance(part, ToolResultPart):
            bit = {"result": part.content}
        return bit | self.given_back(part.provider_metadata)

    def given_back(self, metadata: bytes) -> dict[str, Any]:
        given: dict[str, Any] = json.loads(metadata or b"{}")
        return given

    async def list_models(self) -> Sequence[ModelInfo]:
        return [ModelInfo(name) for name in json.loads(await self.vendor.ask(Call("/models")))]

    async def health_check(self) -> Health:
        try:
            await self.list_models()
        except ProviderError as error:
            return Health(healthy=False, detail=error.message)
        return Health(healthy=True)

    async def aclose(self) -> None:
        await self.vendor.aclose()
