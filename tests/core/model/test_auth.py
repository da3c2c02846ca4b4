from typing import Any

import pytest

from gproxy.core.model import MODELS, compact, normalised
from tests.core.model.entities import API, problem_of
from tests.harness.tokens import SECRET, issuer

HASH = "A" * 64
KEYS = {"keys": [{"consumer": "acme", "sha256": HASH}]}
JWT = {"algorithms": ["ES256"], "jwks_url": "https://id.example/keys"}


def test_every_default() -> None:
    made = MODELS["api"].model_validate({**API, "auth": {"api_keys": KEYS, "jwt": JWT}})
    assert normalised(made)["auth"] == {
        "api_keys": {"where": "header:X-Api-Key", "keys": [{"consumer": "acme", "sha256": HASH.lower()}]},
        "jwt": {
            "where": "header:Authorization",
            "algorithms": ["ES256"],
            "secret": None,
            "secret_file": None,
            "public_key": None,
            "public_key_file": None,
            "jwks_file": None,
            "jwks_url": "https://id.example/keys",
            "refresh_s": 300.0,
            "issuers": [],
            "audiences": [],
            "leeway_s": 10.0,
            "require": ["exp"],
            "claims": {},
            "headers": {},
            "consumer_claim": "sub",
            "forward": True,
        },
        "consumer_header": "X-Consumer",
    }
    assert MODELS["api"].model_validate(compact(made)) == made


@pytest.mark.parametrize(
    "jwt",
    [
        {"algorithms": ["HS256"], "secret": SECRET},
        {"algorithms": ["HS256"], "secret_file": "/run/secret"},
        {"algorithms": ["ES256"], "public_key": issuer("ES256").pem()},
        {**JWT, "claims": {"role": ["admin", "ops"], "level": 2, "ok": True}, "headers": {"X-User": "sub"}},
    ],
)
def test_accepted(jwt: dict[str, Any]) -> None:
    made = MODELS["api"].model_validate({**API, "auth": {"jwt": jwt}})
    assert MODELS["api"].model_validate(normalised(made)) == made


@pytest.mark.parametrize(
    ("auth", "reason"),
    [
        ({}, "must have api_keys or jwt"),
        ({"api_keys": {"keys": []}}, "at least 1"),
        ({"api_keys": {"keys": [{"consumer": "a", "sha256": "abc"}]}}, "64 hexadecimal digits"),
        ({"api_keys": {"keys": [KEYS["keys"][0], {"consumer": "b", "sha256": HASH.lower()}]}}, "a key is listed twice"),
        ({"api_keys": {**KEYS, "where": "cookie:k"}}, "in a header field or in the query"),
        ({"api_keys": {**KEYS, "where": "X-Key"}}, "must be header:NAME"),
        ({"jwt": {"algorithms": ["ES256"]}}, "exactly one of secret"),
        ({"jwt": {**JWT, "jwks_file": "/k"}}, "exactly one of secret"),
        ({"jwt": {**JWT, "algorithms": []}}, "at least 1"),
        ({"jwt": {**JWT, "algorithms": ["none"]}}, "HS256"),
        ({"jwt": {**JWT, "algorithms": ["HS256"]}}, "HS256 does not go with jwks_url"),
        ({"jwt": {"algorithms": ["HS256", "RS256"], "secret": SECRET}}, "RS256 does not go with secret"),
        ({"jwt": {"algorithms": ["HS256"], "secret": "short"}}, "at least 32 bytes, not 5"),
        ({"jwt": {"algorithms": ["ES256"], "public_key": "x"}}, "not a public key"),
        ({"jwt": {"algorithms": ["RS256"], "public_key": issuer("ES256").pem()}}, "has no key for RS256"),
        ({"jwt": {**JWT, "jwks_url": "ftp://a/k"}}, "must be a URL"),
        ({"jwt": {**JWT, "jwks_url": "https://me:pw@a/k"}}, "must be a URL"),
        ({"jwt": {**JWT, "where": "cookie:t", "forward": False}}, "never taken out"),
        ({"jwt": {**JWT, "headers": {"Content-Length": "sub"}}}, "belongs to the connection"),
        ({"api_keys": KEYS, "consumer_header": "a b"}, "not a header name"),
    ],
)
def test_refused(auth: dict[str, Any], reason: str) -> None:
    assert reason in problem_of("api", {**API, "auth": auth})
