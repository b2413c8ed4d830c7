"""How many tokens of context each model is loaded with, so that none of a chat is cut unseen.

Left alone, Ollama loads a model with a context of its own choice and drops the oldest messages of a
longer chat without a word. Four things prevent that:

1. Every request names its context, `num_ctx`, and so it is known. It may not exceed what the model
   was made for, what its Modelfile says, or what an administrator sets.
2. Every request forbids the cut (`truncate` and `shift` are false; servers have known these since
   before the oldest that is safe to run), so the server refuses what does not fit.
3. What surely does not fit is not even sent, which also holds for older servers. Characters decide:
   no language and no code that we know has more than six of them a token on average.
4. A prompt that was counted as exactly the whole context was cut to it, by an older server.

Within these bounds the context grows with the chats: memory for the whole context of a modern model
(128 Ki tokens, 16 GB and more) is not there on the machines that Ollama runs on. A change loads the
model anew, so sizes are powers of two, and a size is never taken back. The size is chosen from more
tokens than there will be: one for every three bytes. Text that is denser still (digits, emoji) may
need a larger context than was chosen. The server then refuses it, the context is widened fourfold,
and the failure says that the same request may succeed now. A token has at least one byte, so once
is enough.
"""

from __future__ import annotations

from parley_provider_sdk import (
    ContextTooLong,
    ImagePart,
    Message,
    Part,
    ReasoningPart,
    ReplyRequest,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)

from parley_provider_ollama.models import Details

# The least context, which every machine has memory for.
LEAST = 8192
CHARACTERS_PER_TOKEN = 6
BYTES_PER_TOKEN = 3
# Tokens that templates put around a message, that an image is turned into, and that a reply has
# room for when its length is not limited.
MESSAGE_TOKENS = 16
IMAGE_TOKENS = 1024
REPLY_TOKENS = 2048
# What one widening multiplies a context by, and where it ends when nobody says what a model holds.
WIDENING = 4
UNKNOWN_MOST = 1 << 20


class Windows:
    """The contexts that one server's models have been loaded with."""

    def __init__(self, cap: int = 0) -> None:
        """`cap` is what an administrator allows; 0 is no limit."""
        self._cap = cap
        # By name in lower case, as servers compare them.
        self._sizes: dict[str, int] = {}

    def fit(self, request: ReplyRequest, details: Details) -> int:
        """Returns the context for a request. Raises ContextTooLong when none is large enough."""
        model = request.model.lower()
        least, most = least_tokens(request), self._most(details)
        if most and least > most:
            raise too_long(least, most)
        if self._cap or details.num_ctx:
            return most
        wanted = max(most_tokens(request), self._sizes.get(model, LEAST))
        size = 1 << (min(wanted, UNKNOWN_MOST) - 1).bit_length()
        size = min(size, most) if most else size
        if details:
            # Only of models that are there: the names in requests are anybody's.
            self._sizes[model] = size
        return size

    def widen(self, model: str, size: int, details: Details) -> bool:
        """Makes room after a refusal; says whether there is any to be had."""
        most = self._most(details) or UNKNOWN_MOST
        if self._cap or details.num_ctx or size >= most:
            return False
        known = self._sizes.get(model.lower(), 0)
        self._sizes[model.lower()] = max(known, min(size * WIDENING, most))
        return True

    def _most(self, details: Details) -> int:
        """Returns the largest context that a model may have; 0 when nobody says."""
        known = (self._cap, details.num_ctx, details.context_length)
        return min((one for one in known if one), default=0)


def least_tokens(request: ReplyRequest) -> int:
    """Returns how many tokens a request has at the least."""
    texts = len(request.system) + sum(map(_characters, request.messages))
    tools = sum(len(tool.description) + len(tool.parameters) for tool in request.tools)
    return -(-(texts + tools) // CHARACTERS_PER_TOKEN)


def most_tokens(request: ReplyRequest) -> int:
    """Returns how many tokens a request and its reply have at the most, save for odd texts."""
    texts = len(request.system.encode(errors="replace")) + sum(map(_bytes, request.messages))
    tools = sum(len(f"{one.name}{one.description}{one.parameters}") for one in request.tools)
    images = sum(_images(part) for one in request.messages for part in one.parts)
    given = -(-(texts + tools) // BYTES_PER_TOKEN) + IMAGE_TOKENS * images
    return (
        given
        + MESSAGE_TOKENS * (1 + len(request.messages))
        + (REPLY_TOKENS if request.max_tokens is None else request.max_tokens)
    )


def too_long(tokens: int, context: int) -> ContextTooLong:
    """Returns the error, with both counts."""
    return ContextTooLong(
        f"The conversation has {tokens} tokens or more, the model's context holds {context}."
    )


def _characters(message: Message) -> int:
    """Counts what the model reads for certain: templates leave out old reasoning."""
    return sum(len(_text(part)) for part in message.parts)


def _bytes(message: Message) -> int:
    texts = (
        part.text if isinstance(part, ReasoningPart) else _text(part) for part in message.parts
    )
    return sum(len(text.encode(errors="replace")) for text in texts)


def _images(part: Part) -> int:
    return len(part.images) if isinstance(part, ToolResultPart) else isinstance(part, ImagePart)


def _text(part: Part) -> str:
    match part:
        case TextPart():
            return part.text
        case ToolCallPart():
            return part.arguments
        case ToolResultPart():
            return part.content
    return ""
