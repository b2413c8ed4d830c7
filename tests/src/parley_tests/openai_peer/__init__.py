"""A server that speaks OpenAI's wire on a real socket and does as it is told.

In a test: `async with OpenAIPeer() as peer: … peer.base_url …`, scripted with `peer.script(...)`.
As a process: `python -m parley_tests.openai_peer --port 0` prints one JSON line with its base URL.
What it can be told, and how from outside, `parley_provider_sdk/testing/peer.py` says. It speaks
both wires, `/chat/completions` and `/responses`, whichever is asked for, and refuses what the real
one refuses (`checks.py`). `o9-peer` always reasons, `gpt-peer-mini` never does.

Where the details of the wires come from, as files of the installed `openai` package:

- chunks, the last one's empty `choices`, `usage` null before: types/chat/chat_completion_chunk.py
- `include_usage`: types/chat/chat_completion_stream_options_param.py
- whole replies, finish reasons: types/chat/chat_completion.py, …/chat_completion_message.py
- counts of tokens: types/completion_usage.py, types/responses/response_usage.py
- responses, why they are incomplete: types/responses/response.py, …/response_status.py
- their items: types/responses/response_output_item.py, …/response_output_message.py,
  …/response_output_text.py, …/response_output_refusal.py, …/response_reasoning_item.py,
  …/response_function_tool_call.py
- their events: types/responses/response_stream_event.py and the files that it names; which of them
  must come before which: lib/streaming/responses/_responses.py
- what a request may hold: types/responses/response_create_params.py, …/response_input_item.py,
  …/input_token_count_params.py
- counting: types/responses/input_token_count_response.py
- vectors: types/create_embedding_response.py, types/embedding_create_params.py (how many at once),
  resources/embeddings.py
- probabilities: types/chat/chat_completion_token_logprob.py, types/responses/response_includable.py
  (asked for), …/response_output_text.py, …/response_text_delta_event.py (which has no bytes)
- models: types/model.py, pagination.py
- error bodies, `error` with four fields: types/shared/error_object.py, _client.py
- codes of failed responses: types/responses/response_error.py, …/response_error_event.py
- `[DONE]`, errors within a stream, line ends: _streaming.py
- `retry-after-ms`, `retry-after`: _base_client.py

The `reasoning_content` of `/chat/completions` is not OpenAI's: compatible servers send it. What the
real API says when it refuses a request is in no file; the sentences are as people have quoted them.
"""

from parley_provider_sdk.testing import Received, Script
from parley_provider_sdk.testing.peer import DIRECTIVE

from parley_tests.openai_peer.content import prompt_tokens, reply_text, reply_tokens
from parley_tests.openai_peer.failures import ERRORS
from parley_tests.openai_peer.wire import MODELS, OpenAIDialect, OpenAIPeer

__all__ = [
    "DIRECTIVE",
    "ERRORS",
    "MODELS",
    "OpenAIDialect",
    "OpenAIPeer",
    "Received",
    "Script",
    "prompt_tokens",
    "reply_text",
    "reply_tokens",
]
