"""Responses as documents: what was asked, repeated, and what came of it."""

from __future__ import annotations

import base64
import time
from collections.abc import Mapping
from typing import Any, NamedTuple

from parley_rpc.faults import Fault

from parley.chat.v1 import chat_pb2
from parley.provider.v1 import reply_pb2
from parley_gateway.api.dialects.failures import Dialect, word_of
from parley_gateway.api.dialects.responses import names
from parley_gateway.api.dialects.responses.asked import Question

Document = dict[str, Any]
# What the original says of a request that says nothing; what is not kept reads so later.
NEUTRAL: Document = {
    "object": "response",
    "background": False,
    "completed_at": None,
    "conversation": None,
    "error": None,
    "frequency_penalty": 0.0,
    "incomplete_details": None,
    "instructions": None,
    "max_output_tokens": None,
    "max_tool_calls": None,
    "metadata": {},
    "output": [],
    "parallel_tool_calls": True,
    "presence_penalty": 0.0,
    "previous_response_id": None,
    "prompt_cache_key": None,
    "reasoning": {"effort": None, "summary": None},
    "safety_identifier": None,
    "service_tier": "default",
    "store": True,
    "temperature": 1.0,
    "text": {"format": {"type": "text"}, "verbosity": "medium"},
    "tool_choice": "auto",
    "tools": [],
    "top_logprobs": 0,
    "top_p": 1.0,
    "truncation": "disabled",
    "usage": None,
    "user": None,
}
# What of the body's own fields, and of those that it does not know, is repeated as it was sent.
REPEATED = (
    "instructions",
    "max_output_tokens",
    "metadata",
    "parallel_tool_calls",
    "previous_response_id",
    "temperature",
    "tool_choice",
    "top_logprobs",
    "top_p",
    "background",
    "store",
)
REPEATED_OTHERS = (
    "max_tool_calls",
    "prompt_cache_key",
    "safety_identifier",
    "truncation",
    "user",
)
# What the original has codes for; all else is a fault of the server's.
CODES = {400: "invalid_prompt", 413: "invalid_prompt", 429: "rate_limit_exceeded"}
INCOMPLETE = {
    reply_pb2.FINISH_REASON_LENGTH: "max_output_tokens",
    reply_pb2.FINISH_REASON_FILTERED: "content_filter",
}
STATUSES = {
    chat_pb2.MESSAGE_STATUS_RUNNING: "in_progress",
    chat_pb2.MESSAGE_STATUS_COMPLETE: "completed",
    chat_pb2.MESSAGE_STATUS_STOPPED: "cancelled",
    chat_pb2.MESSAGE_STATUS_FAILED: "failed",
    chat_pb2.MESSAGE_STATUS_INTERRUPTED: "failed",
}

# Who says messages of text, images and files.
SPEAKERS: dict[int, str] = {
    reply_pb2.ROLE_USER: "user",
    reply_pb2.ROLE_SYSTEM: "system",
    reply_pb2.ROLE_DEVELOPER: "developer",
}


class Ending(NamedTuple):
    """How a response ended."""

    status: str
    incomplete: str = ""


def ending_of(reason: int) -> Ending:
    """Return how a reply ended that the vendor ended."""
    incomplete = INCOMPLETE.get(reason)  # type: ignore[call-overload]  # an enum is a number
    return Ending("incomplete", incomplete) if incomplete else Ending("completed")


def ending(message: chat_pb2.Message) -> Ending:
    """Return how a stored reply ended, or that it has not."""
    status = STATUSES.get(message.status, "failed")
    return ending_of(message.finish_reason) if status == "completed" else Ending(status)


def begun(question: Question, response_id: str, model: str) -> Document:
    """Return a response that is being made: what was asked, and nothing else yet."""
    body, others = question.body, question.others
    document = NEUTRAL | {
        "id": response_id,
        "created_at": int(time.time()),
        "status": "in_progress",
        "model": model,
        "service_tier": "auto",
        "output": [],
    }
    for name in REPEATED:
        value = getattr(body, name)
        if value is not None:
            document[name] = value
    for name in REPEATED_OTHERS:
        if others.get(name) is not None:
            document[name] = others[name]
    if body.chat_id:
        document["conversation"] = {"id": body.chat_id}
    if body.tools:
        document["tools"] = [tool(one) for one in body.tools]
    document["text"] = text(question)
    if body.reasoning is not None:
        thinking = body.reasoning
        summary = thinking.summary or thinking.generate_summary
        document["reasoning"] = {"effort": thinking.effort, "summary": summary}
    return document


def tool(asked: Mapping[str, Any]) -> Document:
    """Repeat a tool; what a function may leave out is there."""
    if asked.get("type") != "function":
        return dict(asked)
    return {"description": None, "parameters": None, "strict": False} | dict(asked)


def text(question: Question) -> Document:
    """Repeat how the answer is to be written."""
    asked = question.body.text
    form: Document = {"type": "text"}
    if asked is not None and asked.format is not None:
        form = {"type": asked.format.type}
        if asked.format.type == "json_schema":
            form |= {
                "name": asked.format.name,
                "schema": asked.format.schema_,
                "strict": asked.format.strict or False,
                "description": asked.format.description,
            }
    verbosity = asked.verbosity if asked is not None else None
    return {"format": form, "verbosity": verbosity or "medium"}


def ended(document: Document, how: Ending, output: list[Document], used: Document | None) -> None:
    """Add to a response what came of it."""
    document["status"] = how.status
    document["output"] = output
    document["usage"] = used
    document["service_tier"] = "default"
    if how.incomplete:
        document["incomplete_details"] = {"reason": how.incomplete}
    if how.status == "completed":
        document["completed_at"] = int(time.time())


def usage(used: reply_pb2.Usage) -> Document:
    """Count the tokens of a response."""
    return {
        "input_tokens": used.input_tokens,
        "input_tokens_details": {
            "cached_tokens": used.cached_input_tokens,
            "cache_write_tokens": used.cache_write_tokens,
        },
        "output_tokens": used.output_tokens,
        "output_tokens_details": {"reasoning_tokens": used.reasoning_tokens},
        "total_tokens": used.input_tokens + used.output_tokens,
    }


def error(fault: Fault) -> Document:
    """Say in a response why it failed."""
    status = word_of(fault, Dialect.OPENAI).status
    return {"code": CODES.get(status, "server_error"), "message": fault.sentence}


def stored(message: chat_pb2.Message, chat_id: str, previous: str = "") -> Document:
    """Return a stored reply as a response: what was asked is not kept, and reads as neutral."""
    document = NEUTRAL | {
        "id": names.response_id(message.message_id),
        "model": model_name(message.provider, message.model),
        "previous_response_id": names.response_id(previous) if previous else None,
        "conversation": {"id": chat_id} if chat_id.startswith("conv_") else None,
    }
    finish(document, message)
    # Not kept.
    document["completed_at"] = None
    return document


def finish(document: Document, message: chat_pb2.Message) -> None:
    """Add to a response what stands in the reply that was stored."""
    how = ending(message)
    used = usage(message.usage) if message.HasField("usage") else None
    document["created_at"] = int(message.created_at.ToSeconds())
    ended(document, how, output_of(message, how), used)
    if message.provider:
        document["model"] = model_name(message.provider, message.model)
    if how.status == "failed":
        reason = message.error_reason or "interrupted"
        document["error"] = {"code": "server_error", "message": f"The reply failed: {reason}."}


def model_name(provider: str, model: str) -> str:
    """Name who answers, so that it can be asked for by that name."""
    return f"{provider}/{model}" if provider and model else provider or model


def items_of(message: chat_pb2.Message) -> list[Document]:
    """Return the items of a stored message, oldest first."""
    if message.role == reply_pb2.ROLE_ASSISTANT:
        return output_of(message, ending(message))
    return input_items(message)


def output_of(message: chat_pb2.Message, how: Ending) -> list[Document]:
    """Return the items of a reply that was stored, in the order of the original."""
    output = []
    of = message.message_id
    status = "completed" if how.status == "completed" else "incomplete"
    if message.reasoning:
        output.append(reasoning_item(names.item_id("rs", of, 0), message.reasoning))
    refused = message.finish_reason == reply_pb2.FINISH_REASON_REFUSAL
    if message.content or (how.status == "completed" and not message.tool_calls):
        made = refusal_part(message.content) if refused else text_part(message.content)
        output.append(message_item(names.item_id("msg", of, 0), status, [made]))
    for number, call in enumerate(message.tool_calls):
        output.append(call_item(names.item_id("fc", of, number), "completed", call))
    return output


def conversation(chat_id: str, created_at: float, metadata: Mapping[str, str]) -> Document:
    """Return a conversation without its items."""
    return {
        "id": chat_id,
        "object": "conversation",
        "created_at": int(created_at),
        "metadata": metadata,
    }


def text_part(text: str, logprobs: list[Document] | None = None) -> Document:
    """Return what the model said."""
    return {"type": "output_text", "annotations": [], "logprobs": logprobs or [], "text": text}


def refusal_part(text: str) -> Document:
    """Return what the model said instead of an answer."""
    return {"type": "refusal", "refusal": text}


def message_item(item_id: str, status: str, content: list[Document]) -> Document:
    """Return an item of what the model said."""
    return {
        "id": item_id,
        "type": "message",
        "status": status,
        "role": "assistant",
        "content": content,
    }


def reasoning_item(item_id: str, text: str, encrypted: str = "") -> Document:
    """Return an item of what the model thought."""
    summary = [{"type": "summary_text", "text": text}] if text else []
    return {
        "id": item_id,
        "type": "reasoning",
        "summary": summary,
        "encrypted_content": encrypted or None,
    }


def call_item(item_id: str, status: str, call: reply_pb2.ToolCall) -> Document:
    """Return an item of a call."""
    return {
        "id": item_id,
        "type": "function_call",
        "status": status,
        "arguments": call.arguments,
        "call_id": call.tool_call_id,
        "name": call.name,
    }


def input_items(message: chat_pb2.Message) -> list[Document]:
    """Return what a user's message was sent as, oldest first."""
    of = message.message_id
    if not message.input:
        part = {"type": "input_text", "text": message.content}
        return [said_item(names.item_id("msg", of, 0), [part])]
    output: list[Document] = []
    for sent in message.input:
        if sent.role in SPEAKERS:
            content = [shown(part) for part in sent.parts]
            item_id = names.item_id("msg", of, len(output))
            output.append(said_item(item_id, content, SPEAKERS[sent.role]))
            continue
        for piece in sent.parts:
            output.append(said(piece, of, len(output)))
    return output


def said_item(item_id: str, content: list[Document], role: str = "user") -> Document:
    """Return an item of what a user said, or who instructs the model."""
    return {
        "id": item_id,
        "type": "message",
        "status": "completed",
        "role": role,
        "content": content,
    }


def said(part: reply_pb2.Part, of: str, number: int) -> Document:
    """Return a piece of what the model or a tool said as an item."""
    if part.HasField("tool_call"):
        return call_item(names.item_id("fc", of, number), "completed", part.tool_call)
    if part.HasField("tool_result"):
        result = part.tool_result
        output: Any = result.content
        if result.images:
            texts = [{"type": "input_text", "text": result.content}] if result.content else []
            output = [*texts, *map(image, result.images)]
        return {
            "id": names.item_id("fco", of, number),
            "type": "function_call_output",
            "status": "completed",
            "call_id": result.tool_call_id,
            "output": output,
        }
    if part.HasField("reasoning"):
        return reasoning_item(names.item_id("rs", of, number), part.reasoning)
    return message_item(names.item_id("msg", of, number), "completed", [text_part(part.text)])


def shown(part: reply_pb2.Part) -> Document:
    """Return a piece of what a user said."""
    if part.HasField("image"):
        return image(part.image)
    if part.HasField("file"):
        blob = part.file
        where = {"file_url": blob.url} if blob.url else {"file_data": data_url(blob)}
        return {"type": "input_file", "filename": blob.name or None, **where}
    return {"type": "input_text", "text": part.text}


def image(blob: reply_pb2.Blob) -> Document:
    """Return an image."""
    return {"type": "input_image", "detail": "auto", "image_url": blob.url or data_url(blob)}


def data_url(blob: reply_pb2.Blob) -> str:
    """Write bytes as an address that holds them."""
    return f"data:{blob.media_type};base64,{base64.b64encode(blob.data).decode()}"
