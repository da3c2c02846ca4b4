"""A certificate authority of the tests, and the servers and clients it vouches for."""

from __future__ import annotations

import ssl
from pathlib import Path

import gevent.ssl
import trustme


class Authority:
    """Writes certificates below `folder`; `ca_file` is its own (PEM)."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._ca = trustme.CA()
        self.ca_file = str(folder / "ca.pem")
        self._ca.cert_pem.write_to_path(self.ca_file)

    def server(self, *names: str, asks_for_certificate: bool = False) -> gevent.ssl.SSLContext:
        """Return the context of a server with these names."""
        context = gevent.ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._ca.issue_cert(*names).configure_cert(context)
        context.set_alpn_protocols(["http/1.1"])
        if asks_for_certificate:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(self.ca_file)
        return context

    def client(self, name: str) -> tuple[str, str]:
        """Return the files of a client's certificate and key."""
        issued = self._ca.issue_cert(name)
        cert_file, key_file = self._folder / f"{name}.pem", self._folder / f"{name}.key"
        issued.cert_chain_pems[0].write_to_path(str(cert_file))
        issued.private_key_pem.write_to_path(str(key_file))
        return str(cert_file), str(key_file)
