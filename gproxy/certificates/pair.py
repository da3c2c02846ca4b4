"""Checks one pair: that the key is the certificate's, and that clients and OpenSSL will take both."""

from __future__ import annotations

import hashlib

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from gproxy.core.bundle import Pair
from gproxy.core.server_names import Certificate

#: OpenSSL at its usual level, and every browser, refuse less
_SHORTEST_RSA_BITS = 2048
_BROKEN_HASHES = (hashes.MD5, hashes.SHA1)


class BadPair(Exception):
    """The pair cannot be used; the text says why."""


def check_pair(name: str, chain: bytes, key: bytes, stamp: str) -> Pair:
    """Return the pair made of PEM texts; raises BadPair. Whether it is valid now is not looked at."""
    certificates = read_certificates(chain)
    own = certificates[0]
    try:
        # The primes of an RSA key are not tested again: 80 ms each, and whoever made the key has.
        private = load_pem_private_key(key, None, unsafe_skip_rsa_key_validation=True)
    except TypeError:
        raise BadPair("the key is encrypted") from None
    except (ValueError, UnsupportedAlgorithm):
        raise BadPair("there is no readable private key") from None
    public = private.public_key()
    if own.public_key() != public:
        if any(other.public_key() == public for other in certificates[1:]):
            raise BadPair("the certificate of the key must come first, before its chain")
        raise BadPair("the key does not belong to the certificate")
    if isinstance(private, rsa.RSAPrivateKey) and private.key_size < _SHORTEST_RSA_BITS:
        raise BadPair(f"the key has {private.key_size} bits, clients ask for {_SHORTEST_RSA_BITS}")
    if isinstance(own.signature_hash_algorithm, _BROKEN_HASHES):
        raise BadPair(f"the certificate is signed with {own.signature_hash_algorithm.name}, which nobody trusts")
    pem = chain.rstrip() + b"\n" + key.rstrip() + b"\n"
    about = Certificate(
        name,
        _hosts(own),
        int(own.not_valid_before_utc.timestamp()),
        int(own.not_valid_after_utc.timestamp()),
    )
    return Pair(
        about, own.subject.rfc4514_string(), own.issuer.rfc4514_string(), hashlib.sha256(pem).hexdigest(), stamp, pem
    )


def read_certificates(pem: bytes) -> list[x509.Certificate]:
    """Return the certificates of a PEM text, at least one; raises BadPair."""
    try:
        return x509.load_pem_x509_certificates(pem)
    except ValueError as error:
        raise BadPair(f"there is no readable certificate ({error})") from None


def _hosts(certificate: x509.Certificate) -> tuple[str, ...]:
    """Return the host names; a certificate without alternative names has its common name."""
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        found = names.get_values_for_type(x509.DNSName)
    except x509.ExtensionNotFound:
        common = certificate.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
        found = [str(name.value) for name in common]
    except ValueError as error:
        raise BadPair(f"its alternative names cannot be read ({error})") from None
    return tuple(dict.fromkeys(host.lower().removesuffix(".") for host in found))
