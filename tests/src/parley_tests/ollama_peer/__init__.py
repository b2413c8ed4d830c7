"""A server that speaks Ollama's wire on a real socket and does as it is told.

In a test: `async with OllamaPeer() as peer: … peer.base_url …`, scripted with `peer.script(...)`.
As a process: `python -m parley_tests.ollama_peer --port 0` prints one JSON line with its base URL.
`parley_provider_sdk.testing.peer` says what a script can hold and how it is changed from outside.

Where the details of the wire come from, as files of the installed `ollama` package …

- requests, replies, lists and details of models, vectors, probabilities: _types.py
- lines, errors within a stream, `{"error": …}` beside a status: _client.py

… and of the repository github.com/ollama/ollama at fb30760, for what the package leaves open:

- the fields that are left out when empty, ids of tool calls, `truncate`, `shift`: api/types.go
- the sentences of failures and their statuses: server/routes.go (ChatHandler, handleScheduleError,
  streamResponse), server/images.go (CheckCapabilities), server/sched.go (ErrMaxQueue),
  llm/llama_server.go (a prompt that is too long, a runner that died)
- what happens to a prompt that is too long: server/prompt.go (chatPrompt)
- characters that are escaped in JSON: Go's encoding/json
"""

from parley_tests.ollama_peer.server import OllamaPeer
from parley_tests.ollama_peer.wire import (
    ERRORS,
    MODELS,
    OllamaDialect,
    prompt_tokens,
    reply_text,
)

__all__ = ["ERRORS", "MODELS", "OllamaDialect", "OllamaPeer", "prompt_tokens", "reply_text"]
