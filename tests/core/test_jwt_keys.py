import base64
import hashlib
import hmac
import json
import subprocess
import sys

import pytest

from gproxy.core.jwt_keys import ALGORITHMS, BadKey, KeySet, from_jwks, from_pem, from_secret, header_of
from tests.harness.tokens import SECRET, issuer, jwks, secret_token

ASYMMETRIC = ["RS256", "PS512", "ES256", "ES384", "ES512", "EdDSA"]


def payload(keys: KeySet, token: str) -> bytes | None:
    """Return the payload that any fitting key finds right."""
    header = header_of(token.encode())
    assert header is not None
    found = [text for key in keys.fitting(header) if (text := key.payload(token.encode())) is not None]
    return found[0] if found else None


@pytest.mark.parametrize("algorithm", ASYMMETRIC)
def test_public_keys(algorithm: str) -> None:
    good = from_pem(issuer(algorithm).pem().encode(), [algorithm])
    token = issuer(algorithm).token()
    assert json.loads(payload(good, token) or b"{}")["sub"] == "ada"
    assert payload(from_jwks(jwks(issuer(algorithm).jwk()), [algorithm]), token) is not None
    head, body, signature = token.split(".")
    forged = base64.urlsafe_b64encode(json.dumps({"sub": "eve"}).encode()).decode().rstrip("=")
    assert payload(good, f"{head}.{forged}.{signature}") is None
    assert payload(good, f"{head}.{body}.") is None


@pytest.mark.parametrize("algorithm", ["HS256", "HS384", "HS512"])
def test_secrets(algorithm: str) -> None:
    secret = SECRET * 2
    keys = from_secret(secret.encode(), [algorithm])
    assert payload(keys, secret_token(secret, algorithm)) is not None
    assert payload(keys, secret_token(SECRET + SECRET[::-1], algorithm)) is None


def unsecured(header: dict[str, object]) -> str:
    parts = [json.dumps(part).encode() for part in (header, {"sub": "eve"})]
    return ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts) + "."


def test_no_algorithm_can_be_chosen_by_a_token() -> None:
    pem = issuer("RS256").pem()
    keys = from_pem(pem.encode(), ALGORITHMS)
    assert payload(keys, unsecured({"alg": "none"})) is None
    assert payload(keys, unsecured({"alg": "RS256"})) is None
    signed = unsecured({"alg": "HS256"})  # with the public key taken for a secret
    mac = hmac.new(pem.encode(), signed.rstrip(".").encode(), hashlib.sha256).digest()
    assert payload(keys, signed + base64.urlsafe_b64encode(mac).decode().rstrip("=")) is None
    assert not keys.fitting({"alg": "HS256"})
    assert not keys.fitting({"alg": ["RS256"]} | {"alg": "ES256"})


def test_an_algorithm_that_is_not_listed_is_refused() -> None:
    keys = from_pem(issuer("RS256").pem().encode(), ["RS512"])
    assert payload(keys, issuer("RS256").token()) is None


def test_keys_are_chosen_by_name() -> None:
    first, second, nameless = issuer("ES256", "1"), issuer("ES256", "2"), issuer("ES256")
    keys = from_jwks(jwks(first.jwk(), second.jwk()), ["ES256"])
    assert [key.kid for key in keys.fitting({"alg": "ES256", "kid": "2"})] == ["2"]
    assert payload(keys, second.token()) is not None
    assert payload(keys, second.token(headers={"kid": "1"})) is None
    assert payload(keys, issuer("ES256", "3").token()) is None
    assert len(keys.fitting({"alg": "ES256"})) == 2
    mixed = from_jwks(jwks(first.jwk(), nameless.jwk()), ["ES256"])
    assert payload(mixed, nameless.token(headers={"kid": "unknown"})) is not None


def test_what_else_is_in_a_key_set() -> None:
    good = issuer("ES256", "good")
    others = [
        {"kty": "oct", "k": "c2VjcmV0", "kid": "a"},
        issuer("ES256", "b").jwk(use="enc"),
        issuer("ES384", "c").jwk(),
        {"kty": "new"},
        {},
        7,
        issuer("RS256", "d").jwk(alg="RS384"),
    ]
    keys = from_jwks(json.dumps({"keys": [*others, good.jwk()]}).encode(), ["ES256", "RS256"])
    assert [key.kid for key in keys.keys] == ["good"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"", "is not a JSON Web Key Set"),
        (b"{}", "is not a JSON Web Key Set"),
        (b"[]", "is not a JSON Web Key Set"),
        (b'{"keys": {}}', "has no key for ES256"),
        (b'{"keys": []}', "has no key for ES256"),
        (b"[" * 10_000, "is not a JSON Web Key Set"),
    ],
)
def test_what_is_no_key_set(text: bytes, reason: str) -> None:
    with pytest.raises(BadKey, match=reason):
        from_jwks(text, ["ES256"])


def test_what_is_no_key() -> None:
    with pytest.raises(BadKey, match="not a public key"):
        from_pem(b"x", ["RS256"])
    with pytest.raises(BadKey, match="has no key for RS256"):
        from_pem(issuer("ES256").pem().encode(), ["RS256"])
    with pytest.raises(BadKey, match="a secret for HS512 has at least 64 bytes, not 32"):
        from_secret(SECRET.encode(), ["HS256", "HS512"])


@pytest.mark.parametrize("token", [b"", b"a", b"a.b.c", b"...", b"\xff.\xff.\xff", b"W10.W10.", b"eyJhbGciOjF9.e30."])
def test_what_is_no_token(token: bytes) -> None:
    assert not (header := header_of(token)) or not from_secret(SECRET.encode(), ["HS256"]).fitting(header)


def test_other_keys_have_another_version() -> None:
    one, other = (from_secret(secret.encode(), ["HS256"]) for secret in (SECRET, SECRET[::-1]))
    assert one.version != other.version
    assert one.version == from_secret(SECRET.encode(), ["HS256"]).version


def test_the_library_is_loaded_when_it_is_needed() -> None:
    code = "import sys; import gproxy.filters; assert not {'jwt', 'cryptography'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
