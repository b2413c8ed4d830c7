"""Secrets at rest, by `cryptography`'s Fernet: of several master keys the first encrypts."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from typing_extensions import override

from parley_provider_service.core.faults import MasterKeyMissing
from parley_provider_service.core.ports import Vault

PURPOSE = "provider credential"

logger = logging.getLogger(__name__)


class FernetVault(Vault):
    """Binds each secret to its purpose and its owner, so that rows cannot be swapped.

    Master keys are urlsafe base64 of 32 bytes, separated by commas or lines, newest first. A file
    is read each time, so a new key counts without a restart.
    """

    def __init__(self, keys: str, file: Path | None = None) -> None:
        self._keys = keys
        self._file = file
        # What was wrong when the keys were last read; told once each time it changes.
        self._trouble = ""

    @property
    @override
    def is_open(self) -> bool:
        return bool(self._fernets())

    @override
    def seal(self, owner: str, secret: str) -> bytes:
        fernets = self._fernets()
        if not fernets:
            raise MasterKeyMissing
        content = {"purpose": PURPOSE, "owner": owner, "secret": secret}
        return fernets[0].encrypt(json.dumps(content).encode())

    @override
    def unseal(self, owner: str, sealed: bytes) -> str | None:
        fernets = self._fernets()
        if not fernets:
            return None
        try:
            content = json.loads(MultiFernet(fernets).decrypt(sealed))
        except (InvalidToken, ValueError):  # no master key's, or sealed for something else
            return None
        match content:
            case {"purpose": purpose, "owner": whose, "secret": str(secret)}:
                return secret if (purpose, whose) == (PURPOSE, owner) else None
        return None

    @override
    def is_stale(self, sealed: bytes) -> bool:
        try:
            self._fernets()[0].decrypt(sealed)
        except (InvalidToken, IndexError):
            return True
        return False

    def _fernets(self) -> Sequence[Fernet]:
        trouble, fernets = "", []
        text = self._keys
        if self._file is not None:
            try:
                text = f"{text}\n{self._file.read_text()}"
            except OSError as error:
                trouble = f"MASTER_KEY_FILE cannot be read: {error.strerror}"
            except UnicodeDecodeError:
                trouble = "MASTER_KEY_FILE is no text"
        for key in text.replace(",", "\n").split():
            try:
                fernets.append(Fernet(key))
            except ValueError:
                # The cause would quote the key.
                trouble = "a master key is not urlsafe base64 of 32 bytes"
        self._tell(trouble or ("" if fernets else "there is no master key"))
        return fernets

    def _tell(self, trouble: str) -> None:
        if trouble and trouble != self._trouble:
            advice = "stored keys stay unreadable; providers that need none go on"
            fields = {"reason": trouble, "means": advice}
            logger.warning("master key trouble", extra={"fields": fields})
        self._trouble = trouble
