"""Connections on which both sides show a certificate, from files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import grpc

from parley_rpc.keys import IdentityError


@dataclass(frozen=True, slots=True)
class Tls:
    """Our certificate (with its chain), its key, and the authorities whose certificates count."""

    certificate: Path
    key: Path
    authority: Path

    @classmethod
    def of(cls, certificate: Path | None, key: Path | None, authority: Path | None) -> Tls | None:
        """Return what is set; None when nothing is. IdentityError when only a part is."""
        if certificate and key and authority:
            tls = cls(certificate, key, authority)
            tls.read()
            return tls
        if certificate or key or authority:
            raise IdentityError(
                "GRPC_TLS_CERT_FILE, GRPC_TLS_KEY_FILE and GRPC_TLS_CA_FILE belong together."
            )
        return None

    def read(self) -> tuple[bytes, bytes, bytes]:
        """Return key, certificate and authority as they are now; IdentityError."""
        try:
            return self.key.read_bytes(), self.certificate.read_bytes(), self.authority.read_bytes()
        except OSError as error:
            raise IdentityError(f"A file of GRPC_TLS_… cannot be read: {error}") from None

    def for_server(self) -> grpc.ServerCredentials:
        """Return credentials that ask every client for its certificate.

        Files that have changed count from the next connection on.
        """
        first = self.read()
        shown = [first]

        def fetch() -> grpc.ServerCertificateConfiguration | None:
            try:
                found = self.read()
            except IdentityError:  # being replaced just now
                return None
            if found == shown[0]:
                return None
            shown[0] = found
            return configuration(found)

        return grpc.dynamic_ssl_server_credentials(
            configuration(first),
            fetch,  # type: ignore[arg-type]  # the stubs forget that None means "no other"
            require_client_authentication=True,
        )

    def for_channel(self) -> grpc.ChannelCredentials:
        """Return credentials as the files are now: a channel keeps what it was opened with."""
        key, certificate, authority = self.read()
        return grpc.ssl_channel_credentials(authority, key, certificate)


def configuration(read: tuple[bytes, bytes, bytes]) -> grpc.ServerCertificateConfiguration:
    """Write what a server shows, and whom it believes."""
    key, certificate, authority = read
    return grpc.ssl_server_certificate_configuration([(key, certificate)], authority)
