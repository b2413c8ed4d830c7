"""What is said in the words of one wire, said in those of the other.

Options come in the words of `/chat/completions` or of `/responses`, whichever wire this address
speaks. What has no place on it is refused by name. Names that both wires have, and those that
neither has, go on as they are: the vendor knows them, or says that it does not.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from parley_provider_sdk import BadRequest, UnsupportedParameter

from parley_provider_openai.wire import JSON

_LOGPROBS = "message.output_text.logprobs"
# Nothing is encrypted on the wire of chats, so whoever asks for it gets all that there is.
_ENCRYPTED = "reasoning.encrypted_content"
_ON_CHAT_ONLY = (
    "audio",
    "frequency_penalty",
    "function_call",
    "functions",
    "logit_bias",
    "modalities",
    "prediction",
    "presence_penalty",
    "seed",
    "stop",
    "top_k",
    "web_search_options",
)
_ON_RESPONSES_ONLY = (
    "access_programs",
    "background",
    "background_options",
    "context_management",
    "conversation",
    "image",
    "max_tool_calls",
    "previous_response_id",
    "prompt",
)
# Tools of the vendor's making that the client has to run: nobody would be told of their calls.
_RUN_BY_CLIENTS = frozenset(
    {"apply_patch", "computer", "computer_use_preview", "custom", "local_shell", "shell"}
)
# Wishes that reasoning be shown: the wire of chats has no word for it, and hides none that it has.
_SHOWN = ("summary", "generate_summary")


def on_chat(options: Mapping[str, Any], *, own: bool) -> JSON:
    """Returns options in the words of `/chat/completions`. Raises BadRequest.

    `own` says that OpenAI itself will read them; other servers have words of their own besides.
    """
    made = _taken(options, _ON_RESPONSES_ONLY, "/chat/completions")
    text = _object(made.pop("text", None), "text")
    if "verbosity" in text:
        made["verbosity"] = text.pop("verbosity")
    _refuse((f"text.{name}" for name in text), "/chat/completions")
    _reason_on_chat(made, own=own)
    if made.pop("truncation", None) not in (None, "disabled"):
        _refuse(["truncation"], "/chat/completions")
    for name in listed(made.pop("include", None), "include"):
        if name == _LOGPROBS:
            made["logprobs"] = True
        elif name != _ENCRYPTED:
            _refuse([f"include: {name}"], "/chat/completions")
    if made.get("stream_options") is not None:
        made["stream_options"] = _object(made["stream_options"], "stream_options")
    return made


def on_responses(options: Mapping[str, Any]) -> JSON:
    """Returns options in the words of `/responses`. Raises BadRequest."""
    made = _taken(options, _ON_CHAT_ONLY, "/responses")
    if (verbosity := made.pop("verbosity", None)) is not None:
        made["text"] = {**_object(made.get("text"), "text"), "verbosity": verbosity}
    if (effort := made.pop("reasoning_effort", None)) is not None:
        made["reasoning"] = {**_object(made.get("reasoning"), "reasoning"), "effort": effort}
    if made.pop("logprobs", None):
        made["include"] = [*listed(made.get("include"), "include"), _LOGPROBS]
    streamed = _object(made.pop("stream_options", None), "stream_options")
    # On this wire usage always comes.
    streamed.pop("include_usage", None)
    return {**made, "stream_options": streamed} if streamed else made


def _reason_on_chat(made: JSON, *, own: bool) -> None:
    reasoning = _object(made.get("reasoning"), "reasoning")
    rest = [name for name in reasoning if name not in ("effort", *_SHOWN)]
    if rest and not own:
        return  # a compatible server's own word
    _refuse((f"reasoning.{name}" for name in rest), "/chat/completions")
    made.pop("reasoning", None)
    if reasoning.get("effort") is not None:
        made["reasoning_effort"] = reasoning["effort"]


def _taken(options: Mapping[str, Any], elsewhere: Iterable[str], wire: str) -> JSON:
    """Returns a copy without what is null of what the other wire alone has; refuses the rest."""
    made = dict(options)
    for name in elsewhere:
        if made.pop(name, None) is not None:
            _refuse([name], wire)
    for tool in listed(made.get("tools"), "tools"):
        kind = tool.get("type") if isinstance(tool, Mapping) else None
        if kind in _RUN_BY_CLIENTS:
            # Named so that nobody takes it for tools in general, which the model may well take.
            raise UnsupportedParameter(f"Calls of a tool '{kind}' are not read.", f"tools.{kind}")
    if made.get("n") not in (None, 1):
        raise UnsupportedParameter("One answer is made at a time: 'n' is 1.", "n")
    return made


def _refuse(names: Iterable[str], wire: str) -> None:
    for name in names:
        raise UnsupportedParameter(f"This provider speaks {wire}, which has no '{name}'.", name)


def listed(value: object, name: str) -> list[Any]:
    """Returns the list that an option is; empty without one. Raises BadRequest."""
    if value is None:
        return []
    if not isinstance(value, list):
        raise BadRequest(f"The option '{name}' is no list.")
    return value


def _object(value: object, name: str) -> JSON:
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise BadRequest(f"The option '{name}' is no object.")
    return dict(value)
