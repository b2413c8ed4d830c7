"""LangChain in front of Anthropic's wire: reads where that is, and reports what it made of it."""

from __future__ import annotations

import json
import sys
from typing import Any

from langchain_anthropic import ChatAnthropic
from langchain_core.messages import HumanMessage, ToolMessage
from langchain_core.tools import tool
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


def joined(chat: Any, asked: Any) -> Any:
    """Return a message that came in pieces."""
    pieces = list(chat.stream(asked))
    message = pieces[0]
    for piece in pieces[1:]:
        message = message + piece
    return message


def called(chat: Any, asked: str, then: str, *, stream: bool) -> list[Any]:
    """Have a tool called and answered; return the call, and what is said at last."""
    adding = tool(add)
    bound, messages = chat.bind_tools([adding]), [HumanMessage(asked)]
    message = joined(bound, messages) if stream else bound.invoke(messages)
    [call] = message.tool_calls
    result = ToolMessage(str(adding.invoke(call["args"])), tool_call_id=call["id"])
    answered = bound.invoke([*messages, message, result, HumanMessage(then)])
    return [call["name"], call["args"], answered.text]


def main() -> None:
    """Do what its users do."""
    given = json.load(sys.stdin)
    where = {"base_url": given["url"], "api_key": given["key"], "max_retries": 0}
    chat = ChatAnthropic(model="demo/demo", max_tokens=1024, **where)
    said = chat.invoke("/echo Hello you")
    streamed = joined(chat, "/echo Hello you")
    thinking = {"type": "enabled", "budget_tokens": 1024}
    thinker = ChatAnthropic(model="demo/demo", max_tokens=2048, thinking=thinking, **where)
    thought = joined(thinker, "/think Hm.\nYes.")
    signing = ChatAnthropic(model=given["signing"], max_tokens=1024, **where)
    call = {"tool_call_id": "c1", "name": "add", "arguments": '{"a": 1, "b": 2}'}
    asked = f"#peer {json.dumps({'texts': ['I add.'], 'calls': [call]})}"
    found = {
        "said": said.content,
        "usage": usage_of(said),
        "model": said.response_metadata["model_name"],
        "streamed": streamed.text,
        "streamed_usage": usage_of(streamed),
        "thought": [block["type"] for block in thought.content],
        "structured": [
            type(chat.with_structured_output(City, method=method).invoke("A city?")).__name__
            for method in ("json_schema", "function_calling")
        ],
        "called": [
            called(signing, asked, '#peer {"texts": ["3."]}', stream=stream)
            for stream in (False, True)
        ],
        "counted": chat.get_num_tokens_from_messages([HumanMessage("How many words?")]) > 0,
    }
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
