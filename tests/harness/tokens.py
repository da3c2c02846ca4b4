"""Keys and signed tokens, as an issuer has them."""

from __future__ import annotations

import json
import time
from functools import cache
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

SECRET = "0123456789abcdef0123456789abcdef"


class Issuer:
    """One key pair, named `kid`; `algorithm` says of which kind."""

    def __init__(self, algorithm: str, kid: str = "") -> None:
        self.algorithm = algorithm
        self.kid = kid
        self.private: Any = _private(algorithm)

    def pem(self) -> str:
        """Return the public key."""
        key: bytes = self.private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        return key.decode("ascii")

    def jwk(self, **more: Any) -> dict[str, Any]:
        """Return the public key as a JSON Web Key."""
        document = dict(json.loads(jwt.get_algorithm_by_name(self.algorithm).to_jwk(self.private.public_key())))
        return document | ({"kid": self.kid} if self.kid else {}) | more

    def token(self, headers: dict[str, Any] | None = None, **claims: Any) -> str:
        """Return a token with these claims, which expires in an hour unless they say otherwise."""
        named = {"kid": self.kid} if self.kid else {}
        return jwt.encode(claims_of(**claims), self.private, self.algorithm, named | (headers or {}))


def claims_of(**claims: Any) -> dict[str, Any]:
    """Return claims with an hour to live; None takes one out."""
    given = {"sub": "ada", "exp": int(time.time()) + 3600} | claims
    return {name: value for name, value in given.items() if value is not None}


def jwks(*keys: dict[str, Any]) -> bytes:
    """Return a key set."""
    return json.dumps({"keys": keys}).encode("ascii")


def secret_token(secret: str = SECRET, algorithm: str = "HS256", **claims: Any) -> str:
    """Return a token that is signed with a secret."""
    return jwt.encode(claims_of(**claims), secret, algorithm)


@cache
def issuer(algorithm: str, kid: str = "") -> Issuer:
    """Return the same issuer again and again: making RSA keys takes a while."""
    return Issuer(algorithm, kid)


def _private(algorithm: str) -> Any:
    if algorithm.startswith(("RS", "PS")):
        return rsa.generate_private_key(65537, 2048)
    if algorithm == "EdDSA":
        return ed25519.Ed25519PrivateKey.generate()
    curves = {"ES256": ec.SECP256R1, "ES384": ec.SECP384R1, "ES512": ec.SECP521R1}
    return ec.generate_private_key(curves[algorithm]())
