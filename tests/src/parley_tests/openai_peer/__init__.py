"""A server that speaks OpenAI's wire on a real socket and does as it is told.

In a test: `async with OpenAIPeer() as peer: … peer.base_url …`, scripted with `peer.script(...)`.
As a process: `python -m parley_tests.openai_peer --port 0` prints one JSON line with its base URL.
`POST /_script`, `POST /_release` and `GET /_log` do from outside what the methods do from within. A
last user message that begins with `#peer {"count": 5}` changes the script for its own reply only.

Where the details of the wire come from, as files of the installed `openai` package:

- chunks, the last one's empty `choices`, `usage` null before: types/chat/chat_completion_chunk.py
- `include_usage`: types/chat/chat_completion_stream_options_param.py
- whole replies, finish reasons: types/chat/chat_completion.py, …/chat_completion_message.py
- counts of tokens: types/completion_usage.py
- models: types/model.py, pagination.py
- error bodies, `error` with four fields: types/shared/error_object.py, _client.py
- `[DONE]`, errors within a stream, line ends: _streaming.py
- `retry-after-ms`, `retry-after`: _base_client.py
"""

from parley_tests.openai_peer.script import DIRECTIVE, Script
from parley_tests.openai_peer.server import OpenAIPeer, Received
from parley_tests.openai_peer.wire import (
    ERRORS,
    MODELS,
    prompt_tokens,
    reply_text,
    reply_tokens,
)

__all__ = [
    "DIRECTIVE",
    "ERRORS",
    "MODELS",
    "OpenAIPeer",
    "Received",
    "Script",
    "prompt_tokens",
    "reply_text",
    "reply_tokens",
]
