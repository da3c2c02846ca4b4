"""Certificates for https backends, made anew for each run."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path

import trustme


@dataclass(frozen=True, slots=True)
class Certificates:
    """A certificate authority (`ca_file`, PEM) and the server context for each host name it vouches for."""

    authority: trustme.CA
    ca_file: Path

    @classmethod
    def create(cls, folder: Path) -> Certificates:
        """Make a new authority and write its certificate into `folder`."""
        authority = trustme.CA()
        ca_file = folder / "ca.pem"
        authority.cert_pem.write_to_path(str(ca_file))
        return cls(authority, ca_file)

    def server(self, *names: str, client_authority: Path | None = None) -> ssl.SSLContext:
        """Return a server context for these host names; with `client_authority` it demands a client certificate."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.authority.issue_cert(*names).configure_cert(context)
        if client_authority is not None:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(client_authority)
        return context

    def client(self, folder: Path, name: str) -> tuple[Path, Path]:
        """Issue a client certificate and return the paths of certificate and key."""
        issued = self.authority.issue_cert(name)
        cert_file, key_file = folder / f"{name}.pem", folder / f"{name}.key"
        issued.cert_chain_pems[0].write_to_path(str(cert_file))
        issued.private_key_pem.write_to_path(str(key_file))
        return cert_file, key_file
