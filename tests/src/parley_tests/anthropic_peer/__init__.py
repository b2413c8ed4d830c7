"""A server that speaks Anthropic's wire on a real socket and does as it is told.

In a test: `async with Peer(AnthropicDialect()) as peer: … peer.base_url …`, scripted with
`peer.script(...)`; `parley_provider_sdk.testing.peer` says how, from without as well. As a process:
`python -m parley_tests.anthropic_peer --port 0` prints one JSON line with its base URL.

A reasoning text that begins with `#redacted ` comes as a block of encrypted reasoning. Thinking is
signed, and a block that comes back changed is refused, as are other requests that the vendor
refuses (`checks.py`).

Where the details of the wire come from, as files of the installed `anthropic` package (2.10):

- names and order of events, deltas: types/raw_*_event.py, types/raw_content_block_delta.py,
  types/signature_delta.py, lib/streaming/_messages.py; pings and errors among them: _streaming.py
- blocks: types/thinking_block.py, …/redacted_thinking_block.py, …/tool_use_block.py
- addresses, images of tools: types/url_image_source_param.py, …/url_pdf_source_param.py,
  …/tool_result_block_param.py
- whole replies, reasons to stop: types/message.py, types/stop_reason.py
- counts of tokens: types/usage.py, types/message_delta_usage.py, types/output_tokens_details.py
- what is kept of prompts, and told of it: types/cache_control_ephemeral_param.py,
  types/cache_creation.py
- models and pages of them: types/model_info.py, types/model_capabilities.py, pagination.py
- counting: types/message_tokens_count.py
- error bodies: types/shared/error_response.py, …/error_type.py, _exceptions.py; causes by
  `error_code`: _error_classes.py
- the key in `Authorization`, the version in `anthropic-version`: _client.py, _constants.py
- what a thinking block must keep: types/thinking_block_param.py; what `thinking` takes by model:
  types/thinking_types.py

The sentences of errors, which the package does not hold, and which the vendor's documentation and
public reports quote: too long a prompt, spend limits, parameters that a model does not take,
thinking that was changed, missing fields. That calls need tools beside them was the vendor's rule
until 2025-02-27 and is still that of other servers that speak its wire: the peer is the stricter.
"""

from parley_tests.anthropic_peer.failures import ERRORS, error_body
from parley_tests.anthropic_peer.wire import MODELS, REDACTED, AnthropicDialect, prompt_tokens

__all__ = ["ERRORS", "MODELS", "REDACTED", "AnthropicDialect", "error_body", "prompt_tokens"]
