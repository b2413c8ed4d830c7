"""The keys by which services know each other: Ed25519, as JWKs, each for one purpose."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Generic, TypeVar

import orjson
from joserfc.errors import JoseError
from joserfc.jwk import OKPKey

# What a key may sign: what shows which service calls, or in whose name (the gateway alone).
SERVICE = "service"
CONTEXT = "context"
CURVE: Final = "Ed25519"
# How often a file is looked at, at most.
LOOK_EVERY_SECONDS = 1.0

Read_co = TypeVar("Read_co", covariant=True)

logger = logging.getLogger(__name__)


class IdentityError(Exception):
    """A key is missing or cannot be used; the sentence names the setting."""


@dataclass(frozen=True, slots=True)
class Key:
    """A key, private or public: its id, whose it is, and what it signs."""

    kid: str
    name: str
    purpose: str
    jwk: OKPKey


Trusted = Mapping[tuple[str, str], Key]


@dataclass(frozen=True, slots=True)
class Source:
    """Where a key is set: `<setting>` holds it, or `<setting>_FILE` names a file that does."""

    setting: str
    text: str = ""
    path: Path | None = None

    def read(self) -> str:
        """Return what is set; IdentityError when nothing is."""
        if self.text:
            return self.text
        if self.path is None:
            raise IdentityError(f"{self.setting}_FILE is not set, nor {self.setting}.")
        try:
            return self.path.read_text()
        except (OSError, UnicodeDecodeError) as error:
            raise IdentityError(f"{self.setting}_FILE cannot be read: {error}") from None

    def stamp(self) -> object:
        """Return what changes with the file; None while there is none."""
        try:
            found = self.path.stat() if self.path else None
        except OSError:
            return None
        return found and (found.st_mtime_ns, found.st_size, found.st_ino)


class Watched(Generic[Read_co]):
    """What a source holds, read again within a second after its file has changed.

    A file that has become unusable is reported, and what it held before goes on to count.
    """

    def __init__(
        self,
        source: Source,
        parse: Callable[[str], Read_co],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.source = source
        self.parse = parse
        self.clock = clock
        self._stamp = source.stamp()
        self._value = self._read()
        self._looked_at = clock()

    def current(self) -> Read_co:
        """Return what counts now: the same object until the file changes."""
        if self.source.text or self.clock() - self._looked_at < LOOK_EVERY_SECONDS:
            return self._value
        return self.latest()

    def latest(self) -> Read_co:
        """Return what counts now, by a look at the file."""
        self._looked_at = self.clock()
        stamp = self.source.stamp()
        if stamp != self._stamp:
            self._stamp = stamp
            try:
                self._value = self._read()
            except IdentityError as error:
                logger.error("unusable", extra={"fields": {"reason": str(error)}})  # noqa: TRY400  (says it all)
        return self._value

    def _read(self) -> Read_co:
        text = self.source.read()
        try:
            return self.parse(text)
        except (JoseError, ValueError, KeyError, TypeError, AttributeError) as error:
            # Not the text itself, which may be a secret.
            why = str(error) if isinstance(error, BadKey) else "is no key as Parley makes them"
            raise IdentityError(f"{self.source.setting} {why}.") from None


class BadKey(ValueError):  # noqa: N818  (what is wrong with a key, said of its setting)
    """Says what is wrong with a key."""


def private_key(purpose: str) -> Callable[[str], Key]:
    """Return how to read one private key of a purpose."""

    def parse(text: str) -> Key:
        key = key_of(orjson.loads(text))
        if not key.jwk.is_private:
            raise BadKey("holds a public key; the private one is needed")
        if key.purpose != purpose:
            raise BadKey(f"holds a key for the purpose {key.purpose!r}, not {purpose!r}")
        return key

    return parse


def trusted_keys(text: str) -> Trusted:
    """Read a JWKS of public keys, by purpose and id."""
    keys = [key_of(jwk) for jwk in orjson.loads(text)["keys"]]
    if any(key.jwk.is_private for key in keys):
        raise BadKey("holds a private key among those that all may read")
    if len({key.kid for key in keys}) < len(keys):
        raise BadKey("holds two keys with one kid")
    return {(key.purpose, key.kid): key for key in keys}


def key_of(jwk: Mapping[str, Any]) -> Key:
    """Read a JWK: beside its usual members it has a `kid`, a `name`, and a `purpose`."""
    kid, name, purpose = jwk["kid"], jwk["name"], jwk["purpose"]
    if not all(isinstance(text, str) and text for text in (kid, name, purpose)):
        raise BadKey("holds a key without kid, name or purpose")
    if jwk["kty"] != "OKP" or jwk["crv"] != CURVE:
        raise BadKey(f"holds a key that is not of {CURVE}")
    if purpose not in {SERVICE, CONTEXT}:
        raise BadKey(f"holds a key for the unknown purpose {purpose!r}")
    return Key(kid, name, purpose, OKPKey.import_key(dict(jwk)))


def new_key(name: str, purpose: str) -> Key:
    """Make a private key."""
    made = OKPKey.generate_key(CURVE)
    kid = f"{name}-{made.thumbprint()[:12]}"
    whole = {**made.as_dict(private=True), "kid": kid, "name": name, "purpose": purpose}
    return key_of({**whole, "use": "sig"})


def written(key: Key) -> dict[str, Any]:
    """Write a private key as a JWK."""
    return dict(key.jwk.as_dict(private=True))


def public(key: Key) -> dict[str, Any]:
    """Write the public half of a key as a JWK."""
    return dict(key.jwk.as_dict(private=False))
