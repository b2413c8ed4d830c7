"""The calls of conversations and prompts."""

from base64 import b64encode
from collections.abc import Callable, Sequence
from typing import Any, TypedDict, TypeVar, Unpack
from uuid import uuid4

from parley_client import types
from parley_client.answers import Answer
from parley_client.call import OK, Call, Paging, into, known, nothing, page, page_of, path
from parley_client.decode import decode

T = TypeVar("T")

UNHEALTHY = frozenset({503})  # an answer all the same, where health is the question


class ChatFilter(Paging, total=False):
    """Which chats: words in the title, and a provider's name."""

    q: str | None
    provider: str | None


class ChatOptions(TypedDict, total=False):
    """What may be said along with a message; what is left out is the chat's or the user's own."""

    chat_id: str | None
    provider: str | None
    model: str | None
    temperature: float | None
    max_tokens: int | None
    fallbacks: Sequence[str] | None  # `provider/model`, asked in turn when the provider fails
    system_prompt_id: str | None
    attachments: Sequence[types.Attachment] | None  # at most 10
    idempotency_key: str | None  # one is made when none is given


class PromptChange(TypedDict, total=False):
    """What is to change in a prompt."""

    name: str
    content: str
    description: str | None


def about() -> Call[types.About]:
    """Asks who answers."""
    return Call("GET", "/", into(types.About), at_once=True)


def health() -> Call[types.Health]:
    """Asks for the state of the platform; an unhealthy one answers too."""
    expected = OK | UNHEALTHY
    return Call("GET", "/health", into(types.Health), expected=expected, at_once=True)


def is_live() -> Call[bool]:
    """Asks whether the gateway's process works."""
    return Call("GET", "/livez", _succeeded, expected=OK | UNHEALTHY, at_once=True)


def is_ready() -> Call[bool]:
    """Asks whether the gateway can take requests."""
    return Call("GET", "/readyz", _succeeded, expected=OK | UNHEALTHY, at_once=True)


def chat(message: str, **options: Unpack[ChatOptions]) -> Call[types.Reply]:
    """Sends a message and waits for the whole reply."""
    return _turn({"message": message}, options, into(types.Reply))


def stream_chat(message: str, **options: Unpack[ChatOptions]) -> Call[None]:
    """Sends a message; the reply comes as events."""
    return _turn({"message": message, "stream": True}, options, nothing)


def stream_message(chat_id: str, message_id: str, after: str | None = None) -> Call[None]:
    """Asks for a reply as events, from a position on, or from its start."""
    headers = {} if after is None else {"Last-Event-ID": after}
    where = path("/chats", chat_id, "messages", message_id, "stream")
    return Call("GET", where, nothing, headers=headers)


def stop_message(chat_id: str, message_id: str) -> Call[types.Message]:
    """Stops a reply that is being made; one that is over stays as it is."""
    where = path("/chats", chat_id, "messages", message_id, "stop")
    return Call("POST", where, into(types.Message), repeatable=True, patient=True)


def list_chats(**query: Unpack[ChatFilter]) -> Call[types.Page[types.Chat]]:
    """Asks for the caller's chats, newest first."""
    return Call("GET", "/chat/history", page_of(types.Chat, "chats"), known(query))


def get_chat(chat_id: str, **query: Unpack[Paging]) -> Call[types.History]:
    """Asks for a chat and a page of its messages, oldest first."""
    return Call("GET", path("/chat/history", chat_id), _history, known(query))


def list_messages(chat_id: str, **query: Unpack[Paging]) -> Call[types.Page[types.Message]]:
    """Asks for a page of a chat's messages, oldest first."""
    read = page_of(types.Message, "messages")
    return Call("GET", path("/chat/history", chat_id), read, known(query))


def delete_chat(chat_id: str) -> Call[None]:
    """Deletes a chat; what it cost stays on record."""
    return Call("DELETE", path("/chat/delete", chat_id), nothing)


def get_active_prompt() -> Call[types.ActivePrompt]:
    """Asks which system prompt the caller's messages use."""
    return Call("GET", "/system-prompt", into(types.ActivePrompt))


def set_active_prompt(prompt: str) -> Call[types.ActivePrompt]:
    """Makes this text the caller's own prompt `custom`, and active."""
    body = {"prompt": prompt}
    return Call("POST", "/system-prompt", into(types.ActivePrompt), body=body)


def list_prompts(**query: Unpack[Paging]) -> Call[types.Page[types.Prompt]]:
    """Asks for the prompts the caller may use: the shared ones and their own."""
    return Call("GET", "/system-prompts", page_of(types.Prompt, "prompts"), known(query))


def create_prompt(name: str, content: str, description: str | None = None) -> Call[types.Prompt]:
    """Adds a prompt to the caller's library."""
    body = known({"name": name, "content": content, "description": description})
    return Call("POST", "/system-prompts", into(types.Prompt), body=body)


def get_prompt(prompt_id: str) -> Call[types.Prompt]:
    """Asks for one prompt."""
    return Call("GET", path("/system-prompts", prompt_id), into(types.Prompt))


def update_prompt(prompt_id: str, **change: Unpack[PromptChange]) -> Call[types.Prompt]:
    """Changes what is given and leaves the rest."""
    return Call("PUT", path("/system-prompts", prompt_id), into(types.Prompt), body=dict(change))


def delete_prompt(prompt_id: str) -> Call[None]:
    """Deletes one of the caller's prompts."""
    return Call("DELETE", path("/system-prompts", prompt_id), nothing)


def activate_prompt(prompt_id: str) -> Call[types.Prompt]:
    """Makes a prompt the one that the caller's next message uses."""
    where = path("/system-prompts", prompt_id, "activate")
    return Call("POST", where, into(types.Prompt), repeatable=True)


def _turn(body: dict[str, Any], options: ChatOptions, read: Callable[[Answer], T]) -> Call[T]:
    body |= known(options)
    if "attachments" in body:
        body["attachments"] = [_attachment(one) for one in body["attachments"]]
    headers = {"Idempotency-Key": body.pop("idempotency_key", None) or uuid4().hex}
    return Call(
        "POST",
        "/chat",
        read,
        body=body,
        headers=headers,
        slow=True,
        repeatable=True,
        patient=True,
    )


def _attachment(file: types.Attachment) -> dict[str, Any]:
    data = b64encode(file.data).decode()
    return known({"media_type": file.media_type, "data": data, "name": file.name})


def _history(answer: Answer) -> types.History:
    body = answer.fields()
    return types.History(decode(types.Chat, body), page(types.Message, "messages", body))


def _succeeded(answer: Answer) -> bool:
    return answer.status in OK
