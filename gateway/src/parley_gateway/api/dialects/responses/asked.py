"""What a client asks for: the body of a response, and what of it the contract has."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct
from parley_rpc.faults import InvalidArgument

from parley.provider.v1.reply_pb2 import (
    EFFORT_HIGH,
    EFFORT_LOW,
    EFFORT_MEDIUM,
    EFFORT_MINIMAL,
    EFFORT_NONE,
    EFFORT_XHIGH,
    GenerateReplyRequest,
    OutputFormat,
)
from parley_gateway.api.dialects import bodies
from parley_gateway.api.dialects.bodies import hand_on, json_of
from parley_gateway.api.dialects.failures import Dialect
from parley_gateway.api.dialects.responses import items, tools
from parley_gateway.api.schemas.chats import MOST_TOKENS

LOGPROBS = "message.output_text.logprobs"
# What may be wished for and is there anyway, or is of tools that are the vendor's own.
INCLUDABLE = frozenset(
    {
        LOGPROBS,
        "reasoning.encrypted_content",
        "message.input_image.image_url",
        "computer_call_output.output.image_url",
        "file_search_call.results",
        "web_search_call.results",
        "web_search_call.action.sources",
        "code_interpreter_call.outputs",
    }
)
EFFORTS = {
    "none": EFFORT_NONE,
    "minimal": EFFORT_MINIMAL,
    "low": EFFORT_LOW,
    "medium": EFFORT_MEDIUM,
    "high": EFFORT_HIGH,
    "xhigh": EFFORT_XHIGH,
    "max": EFFORT_XHIGH,
}
# What changes no answer, or only who is billed how and how fast: the README says why of each.
HINTS = frozenset(
    {
        "user",
        "safety_identifier",
        "prompt_cache_key",
        "prompt_cache_retention",
        "prompt_cache_options",
        "stream_options",
        "max_tool_calls",
        "service_tier",
        "truncation",
    }
)
# Values of hints that do change something.
TELLING: dict[str, frozenset[object]] = {
    "service_tier": frozenset({"flex", "priority", "scale", "fast", "ultrafast"}),
    "truncation": frozenset({"auto"}),
}
Name = Annotated[str, Meta(min_length=1, max_length=250)]
ChatName = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]{1,50}\Z")]


class Format(Struct, rename={"schema_": "schema"}, forbid_unknown_fields=True):
    """In which form the answer is to be."""

    type: Literal["text", "json_object", "json_schema"] = "text"
    name: Annotated[str, Meta(pattern=r"^[a-zA-Z0-9_-]{1,64}$")] = ""
    schema_: dict[str, Any] | None = None
    strict: bool | None = None
    description: str | None = None


class Text(Struct, forbid_unknown_fields=True):
    """How the answer is to be written."""

    format: Format | None = None
    verbosity: Literal["low", "medium", "high"] | None = None


class Thinking(Struct, forbid_unknown_fields=True):
    """How long to think."""

    effort: Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"] | None = None
    summary: Literal["auto", "concise", "detailed"] | None = None
    generate_summary: Literal["auto", "concise", "detailed"] | None = None
    context: Literal["auto", "current_turn", "all_turns"] | None = None
    mode: str | None = None


class ConversationName(Struct):
    """A conversation by its name."""

    id: ChatName


class Asked(Struct):
    """What a response and the count of its input have in common."""

    model: Name
    input: str | list[dict[str, Any]]
    instructions: str | None = None
    tools: list[dict[str, Any]] | None = None
    tool_choice: str | dict[str, Any] | None = None
    parallel_tool_calls: bool | None = None
    text: Text | None = None
    reasoning: Thinking | None = None


class Body(Asked, kw_only=True):
    """The body of a response."""

    previous_response_id: str | None = None
    conversation: ChatName | ConversationName | None = None
    max_output_tokens: Annotated[int, Meta(ge=1, le=MOST_TOKENS)] | None = None
    temperature: Annotated[float, Meta(ge=0, le=2)] | None = None
    top_p: Annotated[float, Meta(ge=0, le=1)] | None = None
    top_logprobs: Annotated[int, Meta(ge=0, le=20)] | None = None
    include: list[str] | None = None
    metadata: dict[str, str] | None = None
    store: bool | None = None
    stream: bool | None = None
    background: bool | None = None

    @property
    def stored(self) -> bool:
        """Say whether the response is kept: as in the original, unless told otherwise."""
        return self.store is not False

    @property
    def chat_id(self) -> str:
        """Return the conversation that it belongs to; empty for none."""
        name = self.conversation
        return name.id if isinstance(name, ConversationName) else name or ""


class Question(Struct):
    """A body, and what comes of it."""

    body: Body
    # What the type does not know, as it was sent.
    others: dict[str, Any]
    request: GenerateReplyRequest


def asked(sent: bytes) -> Question:
    """Read the body of a response; MalformedBody, InvalidArgument."""
    body, others = bodies.decode(sent, Body)
    refuse_contradictions(body)
    request = common(body, others, kept=body.stored)
    for name, value in (
        ("temperature", body.temperature),
        ("max_tokens", body.max_output_tokens),
        ("top_p", body.top_p),
    ):
        if value is not None:
            setattr(request, name, value)
    if wants_logprobs(body):
        request.top_logprobs = body.top_logprobs or 0
    request.stream = body.stream is True
    return Question(body, others, request)


def refuse_contradictions(body: Body) -> None:
    """Refuse fields that do not go together; InvalidArgument."""
    if body.previous_response_id is not None and body.conversation is not None:
        told = "Name the response before or the conversation, not both."
        raise InvalidArgument.of("conversation", told)
    for number, one in enumerate(body.include or ()):
        if one not in INCLUDABLE:
            raise InvalidArgument.of(f"include[{number}]", "There is nothing of this name.")
    if body.stored:
        if wants_logprobs(body):
            told = "A stored response keeps no probabilities: say `store: false`."
            raise InvalidArgument.of("include" if body.include else "top_logprobs", told)
        return
    for name, given in (
        ("background", body.background or None),
        ("previous_response_id", body.previous_response_id),
        ("conversation", body.conversation),
    ):
        if given is not None:
            raise InvalidArgument.of(name, "It needs a response that is stored.")


def wants_logprobs(body: Body) -> bool:
    """Say whether the probabilities of tokens are asked for."""
    return LOGPROBS in (body.include or ()) or bool(body.top_logprobs)


def common(body: Asked, others: dict[str, Any], *, kept: bool = False) -> GenerateReplyRequest:
    """Write what the input consists of, and how it is to be answered; InvalidArgument.

    What is `kept` has the instructions of its input among its messages: the chat service shows
    them to the model now and later.
    """
    conversation = items.read(body.input)
    said = [body.instructions, *([] if kept else conversation.system)]
    request = GenerateReplyRequest(
        model=body.model,
        system="\n\n".join(one for one in said if one),
        messages=conversation.messages if kept else conversation.spoken,
        parallel_tool_calls=body.parallel_tool_calls,
    )
    options = {name: value for name, value in others.items() if counts(name, value)}
    tools.add(request, options, body.tools or [], body.tool_choice)
    if body.text is not None:
        add_text(request, options, body.text)
    if body.reasoning is not None:
        add_thinking(request, options, body.reasoning)
    if "tools" in options and others.get("max_tool_calls"):
        options["max_tool_calls"] = others["max_tool_calls"]
    hand_on(request, options, Dialect.OPENAI)
    return request


def counts(name: str, value: object) -> bool:
    """Say whether a field that the contract does not have changes anything."""
    if value is None:
        return False
    if name in HINTS:
        return isinstance(value, str) and value in TELLING.get(name, ())
    return True


def add_text(request: GenerateReplyRequest, options: dict[str, Any], text: Text) -> None:
    """Add in which form the answer is to be; InvalidArgument."""
    if text.verbosity in ("low", "high"):
        options["text"] = {"verbosity": text.verbosity}
    form = text.format
    if form is None or form.type == "text":
        return
    output = OutputFormat()
    if form.type == "json_schema":
        if form.schema_ is None or not form.name:
            raise InvalidArgument.of("text.format", "A schema and its name are needed.")
        schema = dict(form.schema_)
        if form.description:
            schema.setdefault("description", form.description)
        output = OutputFormat(
            schema=json_of(schema).decode(), name=form.name, strict=form.strict or False
        )
    request.output.CopyFrom(output)


def add_thinking(
    request: GenerateReplyRequest, options: dict[str, Any], thinking: Thinking
) -> None:
    """Add how long to think. What there is to be seen of it is always shown."""
    if thinking.effort is not None:
        request.reasoning_effort = EFFORTS[thinking.effort]
    special: dict[str, Any] = {}
    if thinking.context not in (None, "auto"):
        special["context"] = thinking.context
    if thinking.mode not in (None, "standard"):
        special["mode"] = thinking.mode
    if special:
        options["reasoning"] = special
