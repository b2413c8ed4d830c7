"""LangChain in front of OpenAI's wire: reads where that is, and reports what it made of it."""

from __future__ import annotations

import json
import sys
from typing import Any

from langchain_core.messages import HumanMessage, ToolMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI, OpenAIEmbeddings
from pydantic import BaseModel


class City(BaseModel):
    """A city."""

    name: str
    people: int


def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


def usage_of(message: Any) -> int:
    """Return how many tokens a message took."""
    counted = message.usage_metadata or {}
    return int(counted.get("total_tokens", 0))


def main() -> None:
    """Do what its users do."""
    given = json.load(sys.stdin)
    where = {"base_url": given["url"], "api_key": given["key"], "max_retries": 0}
    chat = ChatOpenAI(model="demo/demo", **where)
    said = chat.invoke("/echo Hello you")
    pieces = list(chat.stream("/echo Hello you", stream_usage=True))
    streamed = pieces[0]
    for piece in pieces[1:]:
        streamed = streamed + piece
    calls = chat.bind_tools([adding := tool(add)])
    asked = HumanMessage('/call add {"a": 1, "b": 2}')
    called = calls.invoke([asked])
    [call] = called.tool_calls
    result = ToolMessage(str(adding.invoke(call["args"])), tool_call_id=call["id"])
    answered = calls.invoke([asked, called, result])
    # By count of tokens it would split texts itself, with tables that it fetches from elsewhere.
    embeddings = OpenAIEmbeddings(
        model="demo/demo-embedding", check_embedding_ctx_length=False, dimensions=8, **where
    )
    vectors = embeddings.embed_documents(["Venus", "Mars"])
    found = {
        "said": said.content,
        "usage": usage_of(said),
        "model": said.response_metadata["model_name"],
        "streamed": streamed.content,
        "streamed_usage": usage_of(streamed),
        "call": [call["name"], call["args"]],
        "answered": bool(answered.content),
        "structured": [
            type(chat.with_structured_output(City, method=method).invoke("A city?")).__name__
            for method in ("json_schema", "function_calling")
        ],
        "batch": [len(one) for one in vectors],
        "query": embeddings.embed_query("Venus") == vectors[0],
    }
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
