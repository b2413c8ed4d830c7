"""The body of a Chat Completions request, as far as it is understood."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

from msgspec import Meta, Struct, field

from parley_gateway.api.schemas.fields import CHAT_ID

# Each choice is a call of its own.
MOST_CHOICES = 16
LARGEST = 2**31 - 1
LARGEST_SEED = 2**63 - 1
Model = Annotated[str, Meta(min_length=1, max_length=300, pattern=r"^[^\0]*$")]
Count = Annotated[int, Meta(ge=1, le=LARGEST)]
Penalty = Annotated[float, Meta(ge=-2, le=2)]
Stop = Annotated[str, Meta(min_length=1)]
Effort = Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"]
Detail = Literal["auto", "low", "high", "original"]
Json: TypeAlias = dict[str, Any]


class Text(Struct, tag_field="type", tag="text"):
    """Text."""

    text: str


class OnlyText(Struct):
    """Text, where there can be nothing else."""

    type: Literal["text"]
    text: str


class ImageAddress(Struct):
    """Where an image is: an address, or all of it as a `data:` URL."""

    url: str
    detail: Detail | None = None


class Image(Struct, tag_field="type", tag="image_url"):
    """An image."""

    image_url: ImageAddress


class FileData(Struct):
    """A file, as a `data:` URL or in base64."""

    file_data: str | None = None
    filename: str | None = None
    file_id: str | None = None


class File(Struct, tag_field="type", tag="file"):
    """A file."""

    file: FileData


class Audio(Struct, tag_field="type", tag="input_audio"):
    """A recording, which is refused."""

    input_audio: Json


class Refusal(Struct, tag_field="type", tag="refusal"):
    """What a model said when it refused."""

    refusal: str


class Called(Struct):
    """The function that was called, and with what."""

    name: str
    arguments: str = ""
    # Of a call in the old form, which has no place of its own for it.
    extra_content: Json | None = None


class Call(Struct):
    """A call that the model asked for."""

    id: str
    function: Called
    type: Literal["function"] = "function"
    extra_content: Json | None = None


class Thought(Struct):
    """A piece of reasoning, with what its vendor wants back."""

    text: str | None = None
    signature: str | None = None
    type: str | None = None


class System(Struct, tag_field="role", tag="system"):
    """An instruction."""

    content: str | list[OnlyText]


class Developer(Struct, tag_field="role", tag="developer"):
    """An instruction, by its newer name."""

    content: str | list[OnlyText]


class User(Struct, tag_field="role", tag="user"):
    """What somebody said."""

    content: str | list[Text | Image | File | Audio]


class Assistant(Struct, tag_field="role", tag="assistant"):
    """What a model said."""

    content: str | list[Text | Refusal] | None = None
    refusal: str | None = None
    tool_calls: list[Call] | None = None
    function_call: Called | None = None
    reasoning_content: str | None = None
    reasoning_details: list[Thought] | None = None
    extra_content: Json | None = None
    # A former reply that was spoken, which is refused.
    audio: Json | None = None


class Tool(Struct, tag_field="role", tag="tool"):
    """What a tool answered."""

    content: str | list[Text | Image]
    tool_call_id: str


class FunctionResult(Struct, tag_field="role", tag="function"):
    """What a function answered, in the old form."""

    content: str | None
    name: str


Message = System | Developer | User | Assistant | Tool | FunctionResult


class Function(Struct):
    """A function that may be called."""

    name: Annotated[str, Meta(min_length=1, max_length=128)]
    description: str | None = None
    parameters: Json | None = None
    strict: bool | None = None


class FunctionTool(Struct):
    """A tool that may be called."""

    type: Literal["function"]
    function: Function


class Named(Struct):
    """Names a function."""

    name: str


class NamedTool(Struct, tag_field="type", tag="function"):
    """The tool that must be called."""

    function: Named


class NamedFunction(Struct):
    """A tool among those that may be called."""

    function: Named
    type: Literal["function"] = "function"


class Allowed(Struct):
    """The tools that may be called now."""

    mode: Literal["auto", "required"]
    tools: list[NamedFunction]


class AllowedTools(Struct, tag_field="type", tag="allowed_tools"):
    """Leaves some of the tools."""

    allowed_tools: Allowed


class Schema(Struct):
    """The schema that a reply keeps to."""

    name: Annotated[str, Meta(pattern=r"^[a-zA-Z0-9_-]{1,64}$")]
    description: str | None = None
    schema: Json | None = None
    strict: bool | None = None


class Prose(Struct, tag_field="type", tag="text"):
    """Asks for prose."""


class AnyObject(Struct, tag_field="type", tag="json_object"):
    """Asks for a JSON object."""


class SchemaFormat(Struct, tag_field="type", tag="json_schema"):
    """Asks for JSON that keeps to a schema."""

    json_schema: Schema


class StreamOptions(Struct):
    """How a reply is streamed."""

    include_usage: bool | None = None
    include_obfuscation: bool | None = None


class CompletionBody(Struct, forbid_unknown_fields=True, kw_only=True):
    """A request; what is not named here is an option of the vendor's (`parameters.py`)."""

    model: Model
    messages: Annotated[list[Message], Meta(min_length=1)]
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    n: Annotated[int, Meta(ge=1, le=MOST_CHOICES)] | None = None
    max_tokens: Count | None = None
    max_completion_tokens: Count | None = None
    temperature: Annotated[float, Meta(ge=0, le=2)] | None = None
    top_p: Annotated[float, Meta(ge=0, le=1)] | None = None
    frequency_penalty: Penalty | None = None
    presence_penalty: Penalty | None = None
    seed: Annotated[int, Meta(ge=-LARGEST_SEED, le=LARGEST_SEED)] | None = None
    stop: Stop | Annotated[list[Stop], Meta(max_length=16)] | None = None
    logprobs: bool | None = None
    top_logprobs: Annotated[int, Meta(ge=0, le=20)] | None = None
    tools: Annotated[list[FunctionTool], Meta(max_length=128)] | None = None
    tool_choice: Literal["none", "auto", "required"] | NamedTool | AllowedTools | None = None
    parallel_tool_calls: bool | None = None
    functions: Annotated[list[Function], Meta(max_length=128)] | None = None
    function_call: Literal["none", "auto"] | Named | None = None
    response_format: Prose | AnyObject | SchemaFormat | None = None
    reasoning_effort: Effort | None = None
    # Of ours: the chat that this continues.
    conversation: Annotated[str, Meta(pattern=CHAT_ID)] | None = None
    # Hints, and what only some vendors know (`parameters.py`).
    user: str | None = None
    safety_identifier: str | None = None
    metadata: dict[str, str] | None = None
    prompt_cache_key: str | None = None
    prompt_cache_options: Json | None = None
    prompt_cache_retention: str | None = None
    service_tier: str | None = None
    store: bool | None = None
    modalities: list[str] | None = None
    audio: Json | None = None
    moderation: Json | None = None
    logit_bias: dict[str, float] | None = None
    prediction: Json | None = None
    verbosity: str | None = None
    web_search_options: Json | None = None


class EmbeddingsBody(Struct, forbid_unknown_fields=True, kw_only=True):
    """A request for vectors."""

    model: Model
    input: Stop | Annotated[list[Stop], Meta(min_length=1, max_length=2048)]
    dimensions: Annotated[int, Meta(ge=1, le=65_536)] | None = None
    encoding_format: Literal["float", "base64"] = field(default="float")
    user: str | None = None
