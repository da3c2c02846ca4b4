"""Clients that speak TLS."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any

from tests.harness.client import Address, RawClient
from tests.harness.pairs import Issuer
from tests.harness.wire import Wire


def trusting(issuer: Issuer, cert_file: Path | None = None, **changes: Any) -> ssl.SSLContext:
    """Return the context of a client that believes this issuer; `cert_file` holds its own certificate and key."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cadata=issuer.pem.decode("ascii"))
    if cert_file is not None:
        context.load_cert_chain(cert_file)
    for name, value in changes.items():
        setattr(context, name, value)
    return context


class SecureClient(RawClient):
    """A connection over TLS to `host` at `address`; construction raises ssl.SSLError when the handshake fails."""

    def __init__(
        self,
        address: Address,
        context: ssl.SSLContext,
        host: str = "a.test",
        session: ssl.SSLSession | None = None,
        within_s: float = 10.0,
    ) -> None:
        super().__init__(address, within_s)
        try:
            self.tls = context.wrap_socket(self.sock, server_hostname=host, session=session)
        except OSError:
            self.sock.close()
            raise
        self.sock = self.tls
        self.wire = Wire(self.sock)

    def hosts(self) -> list[str]:
        """Return the hosts of the certificate that was shown."""
        certificate: Any = self.tls.getpeercert()
        return [name for _, name in certificate["subjectAltName"]]
