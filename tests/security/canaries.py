"""Secrets that can be found again, and everything that a client may do wrong with them."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx

PROMPT = "canary-prompt-mXq7TjR2"
ANSWER = "canary-answer-Wb4LzK9e"
SYSTEM = "canary-system-Hs8VcN3u"
FILE = b"canary-file-Qy5DgP6o"
VENDOR_KEY = "sk-canary-vendor-Zt2MfB8w"
STORED_KEY = "sk-canary-stored-Jr6XnA4k"
WRONG_KEY = "sk-canary-wrong-Lp9EhS1y"
FIRST_KEY = "canary-first-key-Uv3GwC7d"
PEPPER = "canary-pepper-Fk1NqT5z-long"
# What nobody but its owner ever reads, and what nobody reads at all.
TEXTS = {"prompt": PROMPT.encode(), "answer": ANSWER.encode(), "system": SYSTEM.encode()}
SECRETS = {
    "vendor's key": VENDOR_KEY.encode(),
    "stored key": STORED_KEY.encode(),
    "wrong key": WRONG_KEY.encode(),
    "first key": FIRST_KEY.encode(),
    "pepper": PEPPER.encode(),
}


@dataclass
class Canaries:
    """What must not be found, by name."""

    found_nowhere: dict[str, bytes] = field(default_factory=lambda: dict(SECRETS))

    def issue(self, name: str, key: str) -> str:
        """Remember a key of ours, and its secret alone."""
        self.found_nowhere[name] = key.encode()
        self.found_nowhere[f"{name}, its secret"] = key.rpartition("_")[2].encode()
        return key

    def forms(self) -> Iterator[tuple[str, bytes]]:
        """Every secret in every form that somebody might have thought safe."""
        for name, secret in self.found_nowhere.items():
            digest = hashlib.sha256(secret)
            yield name, secret
            yield f"{name} in hex", secret.hex().encode()
            yield f"{name} in base64", base64.b64encode(secret).rstrip(b"=")
            yield f"{name} reversed", secret[::-1]
            yield f"{name}, digest without pepper", digest.digest()
            yield f"{name}, digest without pepper in hex", digest.hexdigest().encode()

    def in_output(self, output: bytes) -> list[str]:
        """What of it stands in a log or in a refusal."""
        everything = [*self.forms(), *TEXTS.items(), ("file", FILE)]
        everything.append(("file in base64", base64.b64encode(FILE).rstrip(b"=")))
        return [name for name, secret in everything if secret in output]


def attachment() -> dict[str, str]:
    return {
        "media_type": "image/png",
        "data": base64.b64encode(FILE).decode(),
        "name": "canary.png",
    }


def turn(**more: Any) -> dict[str, Any]:
    return {"message": f"Say {PROMPT}", "attachments": [attachment()], **more}


WRONG_BODIES: dict[str, tuple[str, bytes]] = {
    "truncated": ("/chat", f'{{"message": "{PROMPT}'.encode()),
    "not JSON": ("/chat", PROMPT.encode()),
    "not UTF-8": ("/chat", b'{"message": "\xff' + PROMPT.encode() + b'"}'),
    "a text": ("/chat", f'"{PROMPT}"'.encode()),
    "too large": ("/chat", b'{"message": "' + PROMPT.encode() * 500_000 + b'"}'),
    "too long": ("/chat", b'{"message": "' + PROMPT.encode() * 10_000 + b'"}'),
    "wrong type": ("/chat", f'{{"message": ["{PROMPT}"]}}'.encode()),
    "unknown field": ("/chat", f'{{"message": "Hi", "api_key": "{VENDOR_KEY}"}}'.encode()),
    "wrong number": ("/chat", f'{{"message": "{PROMPT}", "temperature": "{PROMPT}"}}'.encode()),
    "NUL": ("/chat", f'{{"message": "{PROMPT}\\u0000"}}'.encode()),
    "bad attachment": (
        "/chat",
        f'{{"message": "{PROMPT}", "attachments": [{{"media_type": "image/png", '
        f'"data": "!{PROMPT}"}}]}}'.encode(),
    ),
    "prompt with NUL": ("/system-prompt", f'{{"prompt": "{SYSTEM}\\u0000"}}'.encode()),
    "prompt of a number": ("/system-prompts", f'{{"name": 7, "content": "{SYSTEM}"}}'.encode()),
    "key's name": ("/keys", f'{{"name": ["{FIRST_KEY}"]}}'.encode()),
}
WRONG_KEYS: tuple[dict[str, str], ...] = (
    {"Authorization": f"Bearer {WRONG_KEY}"},
    {"Authorization": f"Basic {WRONG_KEY}"},
    {"Authorization": WRONG_KEY},
    {"x-api-key": WRONG_KEY},
    {"x-api-key": WRONG_KEY, "Authorization": f"Bearer {FIRST_KEY}"},
    {"Authorization": f"Bearer parley_key_{WRONG_KEY}"},
    {"Cookie": f"key={WRONG_KEY}"},
)


@dataclass
class Client:
    """Sends things, and keeps all answers."""

    http: httpx.Client
    answers: list[httpx.Response] = field(default_factory=list)

    def send(self, method: str, path: str, **more: Any) -> httpx.Response:
        answer = self.http.request(method, path, **more)
        self.answers.append(answer)
        return answer

    @property
    def refusals(self) -> list[httpx.Response]:
        return [answer for answer in self.answers if answer.is_error]


def written(answer: httpx.Response) -> bytes:
    """An answer as it came, headers first."""
    head = "\n".join(f"{name}: {value}" for name, value in answer.headers.items())
    return head.encode() + b"\n" + answer.content
