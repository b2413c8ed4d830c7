"""Every call of the gateway as a value: what to send, and how to read the answer."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from typing import Any, Generic, TypedDict, TypeVar, Unpack
from urllib.parse import quote

from parley_client import types
from parley_client.answers import Answer, refusal
from parley_client.decode import decode, decode_all

T = TypeVar("T")

OK = frozenset(range(200, 300))
UNHEALTHY = frozenset({503})  # an answer all the same, where health is the question


@dataclass(frozen=True, slots=True)
class Call(Generic[T]):
    """One request, not sent yet."""

    method: str
    path: str
    read: Callable[[Answer], T]
    query: Mapping[str, str | int] = field(default_factory=dict)
    body: Mapping[str, Any] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    expected: frozenset[int] = OK
    slow: bool = False  # a model has to think before the answer comes

    def answered(self, answer: Answer) -> T:
        """Returns what the answer says, or raises what it refuses with."""
        if answer.status not in self.expected or answer.media_type == "application/problem+json":
            raise refusal(answer)
        return self.read(answer)

    def page_after(self, page: "types.Page[Any]") -> "Call[T] | None":
        """Returns the call for the page after `page`, or None at the end of the list."""
        if page.next_page_token is None:
            return None
        return replace(self, query={**self.query, "page_token": page.next_page_token})


class Paging(TypedDict, total=False):
    """Which part of a list; sizes go from 1 to 100."""

    page_size: int
    page_token: str | None


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
    system_prompt_id: str | None
    idempotency_key: str | None


class PromptChange(TypedDict, total=False):
    """What is to change in a prompt."""

    name: str
    content: str
    description: str | None


class KeyOptions(TypedDict, total=False):
    """What else may be said of a new key; `user_id` by administrators only."""

    user_id: str | None
    scopes: Sequence[str] | None
    expires_at: datetime | None
    limits: types.Limits | None
    budgets: types.Budgets | None


def about() -> Call[types.About]:
    """Asks who answers."""
    return Call("GET", "/", _into(types.About))


def health() -> Call[types.Health]:
    """Asks for the state of the platform; an unhealthy one answers too."""
    return Call("GET", "/health", _into(types.Health), expected=OK | UNHEALTHY)


def is_live() -> Call[bool]:
    """Asks whether the gateway's process works."""
    return Call("GET", "/livez", _succeeded, expected=OK | UNHEALTHY)


def is_ready() -> Call[bool]:
    """Asks whether the gateway can take requests."""
    return Call("GET", "/readyz", _succeeded, expected=OK | UNHEALTHY)


def chat(message: str, **options: Unpack[ChatOptions]) -> Call[types.Reply]:
    """Sends a message and waits for the whole reply."""
    return _turn({"message": message}, options, _into(types.Reply))


def stream_chat(message: str, **options: Unpack[ChatOptions]) -> Call[None]:
    """Sends a message; the reply comes as events."""
    return _turn({"message": message, "stream": True}, options, _nothing)


def list_chats(**query: Unpack[ChatFilter]) -> Call[types.Page[types.Chat]]:
    """Asks for the caller's chats, newest first."""
    return Call("GET", "/chat/history", _page_of(types.Chat, "chats"), _known(query))


def get_chat(chat_id: str, **query: Unpack[Paging]) -> Call[types.History]:
    """Asks for a chat and a page of its messages, oldest first."""
    return Call("GET", _path("/chat/history", chat_id), _history, _known(query))


def list_messages(chat_id: str, **query: Unpack[Paging]) -> Call[types.Page[types.Message]]:
    """Asks for a page of a chat's messages, oldest first."""
    read = _page_of(types.Message, "messages")
    return Call("GET", _path("/chat/history", chat_id), read, _known(query))


def delete_chat(chat_id: str) -> Call[None]:
    """Deletes a chat; what it cost stays on record."""
    return Call("DELETE", _path("/chat/delete", chat_id), _nothing)


def get_active_prompt() -> Call[types.ActivePrompt]:
    """Asks which system prompt the caller's messages use."""
    return Call("GET", "/system-prompt", _into(types.ActivePrompt))


def set_active_prompt(prompt: str) -> Call[types.ActivePrompt]:
    """Makes this text the caller's own prompt `custom`, and active."""
    body = {"prompt": prompt}
    return Call("POST", "/system-prompt", _into(types.ActivePrompt), body=body)


def list_prompts(**query: Unpack[Paging]) -> Call[types.Page[types.Prompt]]:
    """Asks for the prompts the caller may use: the shared ones and their own."""
    return Call("GET", "/system-prompts", _page_of(types.Prompt, "prompts"), _known(query))


def create_prompt(name: str, content: str, description: str | None = None) -> Call[types.Prompt]:
    """Adds a prompt to the caller's library."""
    body = _known({"name": name, "content": content, "description": description})
    return Call("POST", "/system-prompts", _into(types.Prompt), body=body)


def get_prompt(prompt_id: str) -> Call[types.Prompt]:
    """Asks for one prompt."""
    return Call("GET", _path("/system-prompts", prompt_id), _into(types.Prompt))


def update_prompt(prompt_id: str, **change: Unpack[PromptChange]) -> Call[types.Prompt]:
    """Changes what is given and leaves the rest."""
    return Call("PUT", _path("/system-prompts", prompt_id), _into(types.Prompt), body=dict(change))


def delete_prompt(prompt_id: str) -> Call[None]:
    """Deletes one of the caller's prompts."""
    return Call("DELETE", _path("/system-prompts", prompt_id), _nothing)


def activate_prompt(prompt_id: str) -> Call[types.Prompt]:
    """Makes a prompt the one that the caller's next message uses."""
    return Call("POST", _path("/system-prompts", prompt_id, "activate"), _into(types.Prompt))


def list_providers() -> Call[tuple[types.Provider, ...]]:
    """Asks who offers models, and in what state they are."""
    return Call("GET", "/providers", _list_of(types.Provider, "providers"))


def list_models(provider: str) -> Call[tuple[types.Model, ...]]:
    """Asks a provider for its models."""
    return Call("GET", _path("/providers", provider, "models"), _list_of(types.Model, "models"))


def get_provider_health(provider: str) -> Call[types.ProviderHealth]:
    """Asks a provider how it is, just now; an unhealthy one answers too."""
    return Call("GET", _path("/providers", provider, "health"), _into(types.ProviderHealth))


def me() -> Call[types.Me]:
    """Asks whom the key belongs to."""
    return Call("GET", "/me", _into(types.Me))


def list_users(**query: Unpack[Paging]) -> Call[types.Page[types.User]]:
    """Asks for all users (administrators only)."""
    return Call("GET", "/users", _page_of(types.User, "users"), _known(query))


def create_user(name: str, role: str | None = None) -> Call[types.User]:
    """Adds a user (administrators only); `role` is user or admin."""
    return Call("POST", "/users", _into(types.User), body=_known({"name": name, "role": role}))


def list_keys(**query: Unpack[Paging]) -> Call[types.Page[types.Key]]:
    """Asks for the caller's keys."""
    return Call("GET", "/keys", _page_of(types.Key, "keys"), _known(query))


def create_key(name: str, **options: Unpack[KeyOptions]) -> Call[types.NewKey]:
    """Makes a key; its secret is in this answer and never again."""
    body = _known({"name": name, **options})
    for part in ("limits", "budgets"):
        if part in body:
            body[part] = _known(asdict(body[part]))
    return Call("POST", "/keys", _into(types.NewKey), body=body)


def delete_key(key_id: str) -> Call[None]:
    """Revokes a key."""
    return Call("DELETE", _path("/keys", key_id), _nothing)


def _turn(body: dict[str, Any], options: ChatOptions, read: Callable[[Answer], T]) -> Call[T]:
    body |= _known(options)
    key = body.pop("idempotency_key", None)
    headers = {"Idempotency-Key": key} if key else {}
    return Call("POST", "/chat", read, body=body, headers=headers, slow=True)


def _path(*parts: str) -> str:
    first, *rest = parts
    return "/".join((first, *(quote(part, safe="") for part in rest)))


def _known(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _into(kind: type[T]) -> Callable[[Answer], T]:
    return lambda answer: decode(kind, answer.fields())


def _list_of(kind: type[T], name: str) -> Callable[[Answer], tuple[T, ...]]:
    return lambda answer: decode_all(kind, answer.fields().get(name))


def _page_of(kind: type[T], name: str) -> Callable[[Answer], types.Page[T]]:
    return lambda answer: _page(kind, name, answer.fields())


def _page(kind: type[T], name: str, body: Mapping[str, Any]) -> types.Page[T]:
    return types.Page(decode_all(kind, body.get(name)), body.get("next_page_token"))


def _history(answer: Answer) -> types.History:
    body = answer.fields()
    return types.History(decode(types.Chat, body), _page(types.Message, "messages", body))


def _nothing(_: Answer) -> None:
    return None


def _succeeded(answer: Answer) -> bool:
    return answer.status in OK
