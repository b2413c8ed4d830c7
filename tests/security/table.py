"""Who may do what: what the matrix expects of each operation, and what each name in it means.

A new route is a line in `TABLE`, and one in `NAMES` when it names something in a new way.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any


class Access(Enum):
    """For whom an operation is."""

    PUBLIC = auto()  # everybody, without any key
    OWN = auto()  # everybody, for what is theirs
    SHARED = auto()  # everybody, for what belongs to all
    ADMIN = auto()  # administrators


class Name(Enum):
    """What a parameter names."""

    CHAT = auto()
    MESSAGE = auto()
    PROMPT = auto()
    VERSION = auto()
    RESPONSE = auto()
    ITEM = auto()
    USER = auto()
    KEY = auto()
    PROVIDER = auto()
    MODEL = auto()
    ALIAS = auto()
    # A place in a list that somebody else was shown.
    PLACE = auto()
    # A user whose things only they and administrators may ask for.
    WHOSE = auto()
    # A name that everybody has for themselves: another's is free.
    FREE = auto()
    # Nothing that belongs to anybody: a number, a word that filters, …
    PLAIN = auto()


@dataclass(frozen=True, slots=True)
class Row:
    """What is expected of one operation."""

    access: Access
    # What is sent; `{word}` stands for what the world made for the case (`world.Scene`).
    body: dict[str, Any] | None = None
    # Administrators may do it to what is others'.
    admin_too: bool = False
    # A key that may only read may do it; None: when its method is GET.
    reading: bool | None = None
    # What the query has to say besides.
    query: dict[str, str] = field(default_factory=dict)


PUBLIC, OWN, SHARED, ADMIN = Access
NEW_PROVIDER = {"name": "p-{fresh}", "plugin": "demo"}
ANTHROPIC_BODY = {"model": "demo/demo", "messages": [{"role": "user", "content": "Hello"}]}

TABLE: dict[str, Row] = {
    "GET /": Row(PUBLIC),
    "GET /health": Row(PUBLIC),
    "GET /livez": Row(PUBLIC),
    "GET /readyz": Row(PUBLIC),
    "POST /chat": Row(OWN, {"message": "Hello", "chat_id": "c-{fresh}"}),
    "POST /v1/chat/completions": Row(
        OWN, {"model": "demo/demo", "messages": [{"role": "user", "content": "Hello"}]}
    ),
    "POST /v1/embeddings": Row(OWN, {"model": "demo/demo-embedding", "input": "Hello"}),
    "GET /v1/models": Row(SHARED),
    "GET /v1/models/{model}": Row(SHARED),
    "GET /chat/history": Row(OWN),
    "GET /chat/history/{chat_id}": Row(OWN),
    "DELETE /chat/delete/{chat_id}": Row(OWN),
    "GET /chats/{chat_id}/messages/{message_id}/stream": Row(OWN),
    "POST /chats/{chat_id}/messages/{message_id}/stop": Row(OWN),
    "GET /system-prompt": Row(OWN),
    "POST /system-prompt": Row(OWN, {"prompt": "Be brief."}),
    "GET /system-prompts": Row(OWN),
    "POST /system-prompts": Row(OWN, {"name": "New {fresh}", "content": "Be brief."}),
    "GET /system-prompts/{prompt_id}": Row(OWN),
    "PUT /system-prompts/{prompt_id}": Row(OWN, {"content": "Be long."}),
    "DELETE /system-prompts/{prompt_id}": Row(OWN),
    "POST /system-prompts/{prompt_id}/activate": Row(OWN),
    "GET /providers": Row(SHARED),
    "POST /providers": Row(ADMIN, NEW_PROVIDER),
    "GET /providers/{provider}/models": Row(SHARED),
    "GET /providers/{provider}/health": Row(SHARED),
    "POST /providers/credentials/rotate": Row(ADMIN),
    "PATCH /providers/{provider}": Row(ADMIN, {"priority": 7}),
    "DELETE /providers/{provider}": Row(ADMIN),
    "PUT /providers/{provider}/credentials": Row(ADMIN, {"api_key": "sk-anything"}),
    "DELETE /providers/{provider}/credentials": Row(ADMIN),
    "POST /providers/{provider}/models/refresh": Row(ADMIN),
    "PATCH /providers/{provider}/models/{model}": Row(ADMIN, {"context_window": 1000}),
    "DELETE /providers/{provider}/models/{model}": Row(ADMIN),
    "GET /aliases": Row(SHARED),
    "PUT /aliases/{alias}": Row(ADMIN, {"provider": "demo"}),
    "DELETE /aliases/{alias}": Row(ADMIN),
    "GET /usage": Row(OWN),
    "GET /usage/records": Row(OWN),
    "GET /me": Row(OWN),
    "POST /me/context": Row(OWN, {}, reading=True),
    "GET /users": Row(ADMIN),
    "POST /users": Row(ADMIN, {"name": "u-{fresh}"}),
    "GET /keys": Row(OWN),
    "POST /keys": Row(OWN, {"name": "k-{fresh}"}),
    "DELETE /keys/{key_id}": Row(OWN, admin_too=True),
    "GET /users/{user_id}": Row(ADMIN),
    "PATCH /users/{user_id}": Row(ADMIN, {"role": "user"}),
    "POST /keys/{key_id}/rotate": Row(OWN, {}, admin_too=True),
    "GET /audit": Row(ADMIN),
    "POST /v1/responses": Row(OWN, {"model": "demo/demo", "input": "Hello"}),
    "POST /v1/responses/input_tokens": Row(OWN, {"model": "demo/demo", "input": "Hello"}),
    "GET /v1/responses/{response_id}": Row(OWN),
    "DELETE /v1/responses/{response_id}": Row(OWN),
    "POST /v1/responses/{response_id}/cancel": Row(OWN),
    "GET /v1/responses/{response_id}/input_items": Row(OWN),
    "POST /v1/conversations": Row(OWN, {}),
    "GET /v1/conversations/{conversation_id}": Row(OWN),
    "DELETE /v1/conversations/{conversation_id}": Row(OWN),
    "GET /v1/conversations/{conversation_id}/items": Row(OWN),
    "GET /v1/conversations/{conversation_id}/items/{item_id}": Row(OWN),
    "POST /v1/messages": Row(OWN, ANTHROPIC_BODY | {"max_tokens": 100}),
    "POST /v1/messages/count_tokens": Row(OWN, ANTHROPIC_BODY, reading=True),
}
# Where, and under which name. A path's names are ids, always; in queries and bodies those are
# that end in `_id` or are named here.
NAMES: dict[tuple[str, str], Name] = {
    ("path", "chat_id"): Name.CHAT,
    ("path", "message_id"): Name.MESSAGE,
    ("path", "response_id"): Name.RESPONSE,
    ("path", "conversation_id"): Name.CHAT,
    ("path", "item_id"): Name.ITEM,
    ("path", "prompt_id"): Name.PROMPT,
    ("path", "version"): Name.VERSION,
    ("path", "user_id"): Name.USER,
    ("path", "key_id"): Name.KEY,
    ("path", "provider"): Name.PROVIDER,
    ("path", "model"): Name.MODEL,
    ("path", "alias"): Name.ALIAS,
    ("query", "page_token"): Name.PLACE,
    ("query", "user_id"): Name.WHOSE,
    # Of one's own rows those of a key; of another's key there are none.
    ("query", "key_id"): Name.PLAIN,
    ("query", "q"): Name.PLAIN,
    ("query", "provider"): Name.PLAIN,
    ("query", "model"): Name.PLAIN,
    # Of the list of models, which is everybody's.
    ("query", "after_id"): Name.PLAIN,
    ("query", "before_id"): Name.PLAIN,
    ("query", "page_size"): Name.PLAIN,
    ("query", "include_gone"): Name.PLAIN,
    # Of a response or of a conversation, which the path names.
    ("query", "stream"): Name.PLAIN,
    ("query", "starting_after"): Name.PLAIN,
    ("query", "include"): Name.PLAIN,
    ("query", "include_obfuscation"): Name.PLAIN,
    ("query", "limit"): Name.PLAIN,
    ("query", "order"): Name.PLAIN,
    ("query", "after"): Name.PLAIN,
    ("query", "group_by"): Name.PLAIN,
    ("query", "format"): Name.PLAIN,
    ("query", "from"): Name.PLAIN,
    ("query", "to"): Name.PLAIN,
    # Of the audit log, which administrators alone read.
    ("query", "actor"): Name.PLAIN,
    ("query", "action"): Name.PLAIN,
    ("body", "chat_id"): Name.FREE,
    ("body", "conversation"): Name.FREE,
    ("body", "previous_response_id"): Name.RESPONSE,
    ("body", "system_prompt_id"): Name.PROMPT,
    ("body", "user_id"): Name.WHOSE,
    ("body", "provider"): Name.PROVIDER,
    ("body", "model"): Name.MODEL,
    ("body", "plugin"): Name.PLAIN,
}
# Routes that no document tells of: pages about the API itself, the same for everybody.
HIDDEN = frozenset(
    {
        "GET /openapi.json",
        "HEAD /openapi.json",
        "GET /docs",
        "GET /redoc",
        "GET /docs/problems/{reason}",
        "MOUNT /docs/assets/{path}",
    }
)
