"""What the demo provider says: the same words for the same request, always."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from itertools import cycle, islice

from parley_provider_sdk import (
    FilePart,
    ImagePart,
    Part,
    ReasoningPart,
    ReplyRequest,
    Role,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)

_QUOTED = 80
_ANSWER = """\
## Hello from the demo provider

You wrote:

> {question}

I am not a language model. I need no key and no network, cost nothing, and say the same words \
to the same request every time, so that you can try everything before you add a real provider.

| What reached me | |
| --- | ---: |
| Messages in this conversation | {messages} |
| Words in them | {words} |
| Images and files | {attachments} |
| Instructed by a system prompt | {instructed} |
{sealed}{shown}{results}
### Add a real provider

Put a key into the file `.env` in the root of Parley and start it again:

```bash
echo 'OPENAI_API_KEY=sk-…' >> .env
make up
```

Any server that speaks OpenAI's wire is reached with `OPENAI_BASE_URL`. A provider of your own \
is one small Python package:

```python
from parley_provider_sdk import ProviderInfo, hookimpl

@hookimpl
def register_providers(register):
    register(INFO, "parley_provider_acme.provider:AcmeProvider")
```

Type `/help` to see how I fail on request.
"""
_SEALED = "| Thoughts of mine that came back with their seal | {} |\n"
_SHOWN = "\n### What I was shown\n\n{}\n"
_RESULTS = "\n### What the tools answered\n\n{}\n"
_REASONING = """\
The last message has {words} words. I can not think about any of them, \
but I can show how thinking looks before the answer comes.
"""
HELP = """\
I do these things on request:

| Message | What happens |
| --- | --- |
| `/error 429` | fails with what that status means; also \
`400 401 402 404 413 422 500 503 504 529 timeout unreachable bad_response content_filtered` |
| `/error 429 7` | the same, and asks to wait 7 s |
| `/slow 30` | says nothing for 30 s, then answers |
| `/hold 2` | says one word, waits 2 s, says another |
| `/cut 20` | breaks off after 20 words |
| `/break 503 text` | says the text, then fails with what that status means |
| `/long 5000` | says 5,000 words |
| `/echo text` | says the text back, byte for byte |
| `/think thoughts` | thinks the first line and says the lines after it |
| `/call add {"a": 1}` | calls this tool, and those in the lines after it |
"""
_LOREM = (
    "Parley lets people talk with models of any vendor and the words of this sentence come "
    "round again and again until there are as many as you asked for."
)


def pieces(text: str) -> list[str]:
    """Cuts a text into words with the white space after them; joined they are the text again."""
    return re.findall(r"\s+|\S+\s*", text)


def count_words(text: str) -> int:
    """Counts the demo's tokens: a token is a word, whatever stands between white space."""
    return len(text.split())


def input_words(request: ReplyRequest) -> int:
    """Counts the words of the system prompt and of every text in the conversation."""
    return count_words(request.system) + sum(count_words(text) for text in _texts(request))


def last_text(request: ReplyRequest) -> str:
    """Returns what the user said last."""
    for message in reversed(request.messages):
        if message.role is Role.USER:
            return "".join(part.text for part in message.parts if isinstance(part, TextPart))
    return ""


def answer(request: ReplyRequest) -> str:
    """Returns the answer in Markdown: a quote, a table and code."""
    question = " ".join(last_text(request).split())
    return _ANSWER.format(
        question=question if len(question) <= _QUOTED else f"{question[:_QUOTED]}…",
        messages=len(request.messages),
        words=input_words(request) - count_words(request.system),
        attachments=sum(isinstance(part, ImagePart | FilePart) for part in _parts(request)),
        instructed="yes" if request.system else "no",
        sealed=_told(_SEALED, sum(map(_is_sealed, _parts(request)))),
        shown=_told(_SHOWN, "\n".join(map(_described, _shown(request)))),
        results=_told(_RESULTS, "\n".join(_results(request))),
    )


def seal(thoughts: str) -> bytes:
    """Returns what the demo wants back with its thoughts."""
    return b'{"demo_seal":%d}' % zlib.crc32(thoughts.encode())


def reasoning(request: ReplyRequest) -> str:
    """Returns what the demo pretends to think."""
    return _REASONING.format(words=count_words(last_text(request)))


def long_text(words: int) -> Iterator[str]:
    """Says so many words."""
    for number, word in enumerate(islice(cycle(_LOREM.split()), words), start=1):
        yield word if number == words else f"{word} "


def _parts(request: ReplyRequest) -> Iterator[Part]:
    for message in request.messages:
        yield from message.parts


def _texts(request: ReplyRequest) -> Iterator[str]:
    return (part.text for part in _parts(request) if isinstance(part, TextPart))


def _told(form: str, what: object) -> str:
    return form.format(what) if what else ""


def _is_sealed(part: Part) -> bool:
    return isinstance(part, ReasoningPart) and part.provider_metadata == seal(part.text)


def _shown(request: ReplyRequest) -> Iterator[ImagePart | FilePart]:
    """Yields what was shown last, by the user or by tools."""
    for part in request.messages[-1].parts if request.messages else ():
        if isinstance(part, ImagePart | FilePart):
            yield part
        elif isinstance(part, ToolResultPart):
            yield from part.images


def _described(part: ImagePart | FilePart) -> str:
    kind = "an image" if isinstance(part, ImagePart) else "a file"
    name = f" `{part.name}`" if part.name else ""
    what = part.media_type or "of a type that nobody told me"
    where = f"at <{part.url}>" if part.url else f"of {len(part.data):,} bytes"
    return f"- {kind}{name}, {what}, {where}"


def _results(request: ReplyRequest) -> Iterator[str]:
    """Yields what the tools have answered that were called last."""
    parts = list(_parts(request))
    names = {one.tool_call_id: one.name for one in parts if isinstance(one, ToolCallPart)}
    last = request.messages[-1].parts if request.messages else ()
    for part in last:
        if isinstance(part, ToolResultPart):
            failed = " failed" if part.is_error else ""
            yield f"- `{names.get(part.tool_call_id, part.tool_call_id)}`{failed}: {part.content}"
