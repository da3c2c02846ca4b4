"""Certificates and keys of every kind, good and bad, as PEM; keys are made once per kind, they take time."""

from __future__ import annotations

import datetime
import functools
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

_PEM = serialization.Encoding.PEM
_SHAPE = serialization.PrivateFormat.PKCS8


@functools.cache
def key(kind: str = "ec", number: int = 0) -> Any:
    """Return a private key: "ec", or "rsa" with its bits as in "rsa1024"; each number is another one."""
    if kind == "ec":
        return ec.generate_private_key(ec.SECP256R1())
    return rsa.generate_private_key(65537, int(kind.removeprefix("rsa")))


def key_pem(kind: str = "ec", number: int = 0, password: bytes | None = None) -> bytes:
    """Return the PEM text of a private key."""
    how = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    pem: bytes = key(kind, number).private_bytes(_PEM, _SHAPE, how)
    return pem


class Issuer:
    """An authority; `pem` is its own certificate."""

    def __init__(self, name: str = "Test Authority") -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _named(name)
        builder = _builder(self._name, self._name, self._key.public_key(), -1, 3650)
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        certificate = builder.sign(self._key, hashes.SHA256())
        self._identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        self.pem = certificate.public_bytes(_PEM)

    def certificate(
        self,
        *hosts: str,
        subject: str = "",
        since_days: float = -1,
        days: float = 90,
        kind: str = "ec",
        number: int = 0,
    ) -> bytes:
        """Return the PEM text of a certificate for these hosts, valid for so many `days` from now."""
        public = key(kind, number).public_key()
        builder = _builder(_named(subject or (hosts[0] if hosts else "nobody")), self._name, public, since_days, days)
        builder = builder.add_extension(self._identifier, critical=False)
        if hosts:
            builder = builder.add_extension(x509.SubjectAlternativeName(list(map(x509.DNSName, hosts))), critical=False)
        return builder.sign(self._key, hashes.SHA256()).public_bytes(_PEM)

    def write(self, folder: Path, name: str, *hosts: str, **options: Any) -> None:
        """Put NAME.crt and NAME.key into the folder."""
        (folder / f"{name}.crt").write_bytes(self.certificate(*hosts, **options))
        kind, number = options.get("kind", "ec"), options.get("number", 0)
        (folder / f"{name}.key").write_bytes(key_pem(kind, number))


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])


def _builder(
    subject: x509.Name, issuer: x509.Name, public: Any, since_days: float, days: float
) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder(issuer, subject, public, x509.random_serial_number())
        .not_valid_before(now + datetime.timedelta(days=min(since_days, days - 1)))
        .not_valid_after(now + datetime.timedelta(days=days))
    )
