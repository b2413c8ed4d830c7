"""The OpenAPI document: complete, and true to what the routes do."""

from __future__ import annotations

import re

import pytest
from fastapi import FastAPI
from parley_gateway.api.openapi import describe
from parley_gateway.api.problems import MEDIA_TYPE
from parley_gateway.api.schemas import fields

pytestmark = pytest.mark.unit

# The users' document and `api.md`: the routes that people and programs were promised.
PROMISED = """
GET / | GET /health | POST /chat | GET /chat/history | GET /chat/history/{chat_id}
GET /chats/{chat_id}/messages/{message_id}/stream
POST /chats/{chat_id}/messages/{message_id}/stop | DELETE /chat/delete/{chat_id}
GET /system-prompt | POST /system-prompt
GET /system-prompts | POST /system-prompts | GET /system-prompts/{prompt_id}
PUT /system-prompts/{prompt_id} | DELETE /system-prompts/{prompt_id}
POST /system-prompts/{prompt_id}/activate | GET /providers | GET /providers/{provider}/models
GET /providers/{provider}/health | GET /livez | GET /readyz | GET /me | POST /me/context
POST /providers | POST /providers/credentials/rotate | PATCH /providers/{provider}
DELETE /providers/{provider} | PUT /providers/{provider}/credentials
DELETE /providers/{provider}/credentials | POST /providers/{provider}/models/refresh
PATCH /providers/{provider}/models/{model} | DELETE /providers/{provider}/models/{model}
GET /aliases | PUT /aliases/{alias} | DELETE /aliases/{alias}
GET /usage | GET /usage/records
GET /users | POST /users | GET /users/{user_id} | PATCH /users/{user_id}
GET /keys | POST /keys | DELETE /keys/{key_id} | POST /keys/{key_id}/rotate | GET /audit
POST /v1/chat/completions | POST /v1/embeddings | GET /v1/models | GET /v1/models/{model}
POST /v1/messages | POST /v1/messages/count_tokens
POST /v1/responses | POST /v1/responses/input_tokens | GET /v1/responses/{response_id}
DELETE /v1/responses/{response_id} | POST /v1/responses/{response_id}/cancel
GET /v1/responses/{response_id}/input_items | POST /v1/conversations
GET /v1/conversations/{conversation_id} | DELETE /v1/conversations/{conversation_id}
GET /v1/conversations/{conversation_id}/items
GET /v1/conversations/{conversation_id}/items/{item_id}
"""
PUBLIC = {"/", "/health", "/livez", "/readyz"}
# Where others' words are spoken, in which an invalid field is a bad request like any other.
DIALECTS = "/v1/"
Operation = dict[str, object]


@pytest.fixture
def operations(app: FastAPI) -> dict[str, Operation]:
    paths = describe(app)["paths"]
    return {f"{verb.upper()} {path}": paths[path][verb] for path in paths for verb in paths[path]}


def test_every_route_that_was_promised_is_there(operations: dict[str, Operation]) -> None:
    promised = {route.strip() for line in PROMISED.splitlines() for route in line.split("|")}

    assert promised - {""} == set(operations)


def test_operations_have_names_and_places(operations: dict[str, Operation]) -> None:
    assert len(operations) == len({str(op["operationId"]) for op in operations.values()})
    for operation in operations.values():
        assert operation["summary"]
        assert operation["description"]
        assert operation["tags"]


def statuses(operation: Operation) -> set[str]:
    responses = operation["responses"]
    assert isinstance(responses, dict)
    return set(responses)


def test_guarded_operations_want_a_key_and_say_how_they_fail(
    operations: dict[str, Operation],
) -> None:
    for name, operation in operations.items():
        method, path = name.split()
        if path in PUBLIC:
            assert "security" not in operation
            continue
        assert [{"bearer": []}, {"x-api-key": []}] == operation["security"]
        assert {"401", "429", "500", "503", "504"} <= statuses(operation), name
        invalid = "400" if path.startswith(DIALECTS) else "422"
        if "requestBody" in operation:
            assert {"400", "413", invalid} <= statuses(operation), name
        if "{" in path:
            assert {"404", invalid} <= statuses(operation), name
        assert method in {"GET", "POST", "PUT", "PATCH", "DELETE"}


def test_every_failure_is_a_problem_with_examples(app: FastAPI) -> None:
    document = describe(app)
    examples = document["components"]["examples"]
    for path in set(document["paths"]) - PUBLIC:
        for operation in document["paths"][path].values():
            for status, response in operation["responses"].items():
                if int(status) < 400:
                    continue
                if path.startswith(DIALECTS):
                    assert response["content"]["application/json"]["examples"]
                    continue
                told = response["content"][MEDIA_TYPE]
                assert "#/components/schemas/Problem" == told["schema"]["$ref"]
                for reason in told["examples"]:
                    assert int(status) == examples[reason]["value"]["status"]


def test_every_answer_and_body_has_an_example(app: FastAPI) -> None:
    document = describe(app)
    schemas = document["components"]["schemas"]
    for operation in (op for path in document["paths"].values() for op in path.values()):
        shown = [operation["requestBody"]] if "requestBody" in operation else []
        shown += [r for status, r in operation["responses"].items() if status in {"200", "201"}]
        for thing in shown:
            told = thing["content"].get("application/json")
            if told is None:
                assert thing["content"]["text/event-stream"]["example"]
                continue
            if "example" in told or "examples" in told:
                continue
            name = told["schema"]["$ref"].rpartition("/")[2]
            assert schemas[name]["examples"], name


def test_the_stream_is_described(operations: dict[str, Operation]) -> None:
    responses = operations["POST /chat"]["responses"]
    assert isinstance(responses, dict)
    content = responses["200"]["content"]

    assert {"application/json", "text/event-stream"} == set(content)
    assert "event: delta" in content["text/event-stream"]["example"]


def test_what_one_operation_makes_others_are_linked_to(app: FastAPI) -> None:
    paths = describe(app)["paths"]
    links = {
        name: link["parameters"]
        for verbs in paths.values()
        for operation in verbs.values()
        for response in operation["responses"].values()
        for name, link in response.get("links", {}).items()
    }

    assert {"prompt_id": "$response.body#/prompt_id"} == links["activate_prompt"]
    assert {
        "chat_id": "$response.body#/chat_id",
        "message_id": "$response.body#/message_id",
    } == links["stop_message"]
    assert "update_model" not in links


def test_what_is_blank_is_so_for_every_reader_of_the_document() -> None:
    """The short form for it means other characters in ECMAScript, which JSON Schema follows."""
    filled = re.compile(fields.FILLED["pattern"])

    assert "\\s" not in filled.pattern
    assert not [
        code for code in range(1, 0x110000) if bool(filled.match(chr(code))) == chr(code).isspace()
    ]
