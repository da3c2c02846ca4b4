"""Keys that signatures of tokens are checked with, by PyJWT and cryptography.

Each key knows the algorithms that it is for, by its kind alone and what its owner says of it. A token is checked only
with keys that are for its algorithm, so that none can have a public key taken for a secret. PyJWT takes memory and is
slow to load, so it is loaded when the first key comes.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final

_HASHES: Final = ("256", "384", "512")
SECRET_ALGORITHMS: Final = tuple(f"HS{bits}" for bits in _HASHES)
RSA_ALGORITHMS: Final = (*(f"RS{bits}" for bits in _HASHES), *(f"PS{bits}" for bits in _HASHES))
CURVE_ALGORITHMS: Final = {"secp256r1": "ES256", "secp384r1": "ES384", "secp521r1": "ES512"}
ALGORITHMS: Final = (*SECRET_ALGORITHMS, *RSA_ALGORITHMS, *CURVE_ALGORITHMS.values(), "EdDSA")
#: Shorter keys can be guessed (RFC 7518 sections 3.2 and 3.3).
_LEAST_RSA_BITS: Final = 2048
#: Most keys of a set: each may have to be tried.
MOST_KEYS: Final = 100


class BadKey(ValueError):
    """This is no key, or not one for any of the algorithms; the text is a sentence for the user."""


@dataclass(frozen=True, slots=True)
class VerifyKey:
    """A key, for tokens of `algorithms`; `kid` is "" when it has no name."""

    kid: str
    algorithms: frozenset[str]
    material: Any

    def payload(self, token: bytes) -> bytes | None:
        """Return the payload of a token whose signature is right, None when it is not."""
        import jwt

        try:
            found: bytes = _jws().decode_complete(token, self.material, sorted(self.algorithms))["payload"]
        except jwt.InvalidTokenError:
            return None
        return found


@dataclass(frozen=True, slots=True)
class KeySet:
    """Some keys; `version` is another one whenever they are others."""

    version: str
    keys: tuple[VerifyKey, ...] = ()

    def fitting(self, header: Any) -> list[VerifyKey]:
        """Return the keys that may have signed a token with this header; only the one that it names if it does."""
        algorithm, kid = header.get("alg"), header.get("kid")
        return [key for key in self.keys if algorithm in key.algorithms and kid in (None, "", key.kid)] or [
            key for key in self.keys if algorithm in key.algorithms and not key.kid
        ]


def load() -> None:
    """Load the library, which takes a tenth of a second or more: in a thread, when it is known that it is needed."""
    _jws()


def header_of(token: bytes) -> dict[str, Any] | None:
    """Return the header of a token, None when it is none."""
    import jwt

    try:
        return dict(jwt.get_unverified_header(token))
    except (jwt.InvalidTokenError, UnicodeDecodeError, RecursionError):
        return None


def from_secret(secret: bytes, algorithms: Iterable[str]) -> KeySet:
    """Return the key that a secret is; raises BadKey when it is shorter than its algorithms demand."""
    wanted = frozenset(algorithms) & frozenset(SECRET_ALGORITHMS)
    for algorithm in sorted(wanted):
        if len(secret) * 8 < int(algorithm[2:]):
            raise BadKey(f"a secret for {algorithm} has at least {int(algorithm[2:]) // 8} bytes, not {len(secret)}")
    return _key_set(secret, [VerifyKey("", wanted, secret)], algorithms)


def from_pem(text: bytes, algorithms: Iterable[str]) -> KeySet:
    """Return the public key of a PEM text, or that of a certificate; raises BadKey."""
    from cryptography import x509
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    try:
        is_certificate = b"-----BEGIN CERTIFICATE" in text
        key = x509.load_pem_x509_certificate(text).public_key() if is_certificate else load_pem_public_key(text)
    except (ValueError, UnsupportedAlgorithm):
        raise BadKey("is not a public key or a certificate in PEM") from None
    return _key_set(text, [VerifyKey("", _algorithms_of(key), key)], algorithms)


def from_jwks(text: bytes, algorithms: Iterable[str]) -> KeySet:
    """Return the keys of a JSON Web Key Set that can be used (RFC 7517); raises BadKey without one."""
    import jwt

    try:
        listed = json.loads(text)["keys"]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise BadKey("is not a JSON Web Key Set") from None
    found = []
    for document in listed[:MOST_KEYS] if isinstance(listed, list) else ():
        if not isinstance(document, dict) or document.get("use", "sig") != "sig" or document.get("kty") == "oct":
            continue
        try:
            key = jwt.PyJWK(document).key
        except (jwt.PyJWTError, ValueError, TypeError, KeyError):
            continue
        said = document.get("alg")
        allowed = _algorithms_of(key) & ({said} if said else frozenset(ALGORITHMS))
        found.append(VerifyKey(str(document.get("kid", "")), allowed, key))
    return _key_set(text, found, algorithms)


def _key_set(text: bytes, keys: Sequence[VerifyKey], algorithms: Iterable[str]) -> KeySet:
    wanted = frozenset(algorithms)
    usable = [VerifyKey(key.kid, key.algorithms & wanted, key.material) for key in keys if key.algorithms & wanted]
    if not usable:
        raise BadKey(f"has no key for {', '.join(sorted(wanted))}")
    return KeySet(sha256(text).hexdigest(), tuple(usable))


def _algorithms_of(key: Any) -> frozenset[str]:
    """Return the algorithms that a public key is for."""
    from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa

    if isinstance(key, rsa.RSAPublicKey):
        return frozenset(RSA_ALGORITHMS if key.key_size >= _LEAST_RSA_BITS else ())
    if isinstance(key, ec.EllipticCurvePublicKey):
        algorithm = CURVE_ALGORITHMS.get(key.curve.name)
        return frozenset([algorithm] if algorithm else ())
    return frozenset(["EdDSA"] if isinstance(key, ed25519.Ed25519PublicKey | ed448.Ed448PublicKey) else ())


def _jws() -> Any:
    from jwt import api_jws

    return api_jws
