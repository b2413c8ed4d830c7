"""A server that speaks the Gemini wire on a real socket and does as it is told.

In a test: `async with Peer(GoogleDialect()) as peer: … peer.base_url …`, scripted with
`peer.script(...)` (parley_provider_sdk/testing/peer.py). As a process:
`python -m parley_tests.google_peer --port 0` prints one JSON line with its base URL.

Where the details of the wire come from, as files of the installed `google.genai` package:

- bodies of requests, their fields: models.py (`_GenerateContentParameters_to_mldev`,
  `_GenerateContentConfig_to_mldev`, `_Part_to_mldev`, `_ToolConfig_to_mldev`), types.py
- chunks, candidates, counts, finish and block reasons: types.py (`GenerateContentResponse`,
  `Candidate`, `GenerateContentResponseUsageMetadata`, `FinishReason`, `BlockedReason`)
- thoughts and their signatures, base64 on the wire: types.py (`Part`), tests/chats
- events, bare JSON between them, errors within a stream: _api_client.py (`HttpResponse`)
- error bodies: errors.py; their details: `google/rpc/error_details.proto`, and reasons:
  `google/api/error_reason.proto` of the installed `googleapis-common-protos`
- models and their pages: models.py (`_Model_from_mldev`, `_ListModelsConfig_to_mldev`), pagers.py
- counting: models.py (`_CountTokensParameters_to_mldev`)
- vectors: models.py (`_EmbedContentParameters_to_mldev`), types.py (`EmbedContentResponse`)
- probabilities: types.py (`LogprobsResult`); images of tools: types.py (`FunctionResponsePart`)

The vendor's sentences in failures are those that its users quote in public issues. Its signatures
are opaque; the peer's say which content they sign, so that it notices one that was moved or joined.
"""

from parley_tests.google_peer.failures import FAILURES
from parley_tests.google_peer.replies import signature_of
from parley_tests.google_peer.requests import camel_cased
from parley_tests.google_peer.wire import MODELS, GoogleDialect

__all__ = ["FAILURES", "MODELS", "GoogleDialect", "camel_cased", "signature_of"]
