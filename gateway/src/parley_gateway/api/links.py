"""Links of the OpenAPI document: which operation makes what others are asked for by name."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

Document = dict[str, Any]


class Source(NamedTuple):
    """Where a name in a path comes from: an operation, and a field of its answer."""

    operation_id: str
    field: str


SOURCES = {
    "chat_id": Source("send_message", "chat_id"),
    "message_id": Source("send_message", "message_id"),
    "prompt_id": Source("create_prompt", "prompt_id"),
    "provider": Source("create_provider", "name"),
    "user_id": Source("create_user", "user_id"),
    "key_id": Source("create_key", "key_id"),
    "response_id": Source("create_response", "id"),
}


def add_links(document: Document) -> None:
    """Link each operation to the one whose answer holds all that its path names."""
    operations = {one["operationId"]: one for one in every_operation(document)}
    for name, operation in operations.items():
        named = [one["name"] for one in operation.get("parameters", ()) if one["in"] == "path"]
        sources = [SOURCES[one] for one in named if one in SOURCES]
        makers = {source.operation_id for source in sources}
        if len(sources) < len(named) or len(makers) != 1:
            continue
        responses = operations[makers.pop()]["responses"]
        made = next(response for status, response in responses.items() if status[0] == "2")
        made.setdefault("links", {})[name] = {
            "operationId": name,
            "parameters": {
                parameter: f"$response.body#/{source.field}"
                for parameter, source in zip(named, sources, strict=True)
            },
        }


def every_operation(document: Document) -> Iterator[Document]:
    """Yield the operations of a document."""
    for verbs in document["paths"].values():
        yield from verbs.values()
