from typing import Any

import pytest

from gproxy.core.jwt_claims import ClaimRules, Invalid, NotAllowed, claim_text

NOW = 1000.0
NONE = {"issuers": [], "audiences": [], "leeway_s": 10, "require": [], "claims": {}}


def rules(**fields: Any) -> ClaimRules:
    return ClaimRules.compile(NONE | fields)


@pytest.mark.parametrize(
    ("fields", "claims", "problem"),
    [
        ({}, {}, None),
        ({"require": ["exp"]}, {}, "has no claim exp"),
        ({"require": ["sub"]}, {"sub": None}, "has no claim sub"),
        ({}, {"exp": 1001}, None),
        ({}, {"exp": 991}, None),
        ({}, {"exp": 990}, "has expired"),
        ({}, {"exp": 1.0}, "has expired"),
        ({}, {"exp": "2000"}, "claim exp is not a time"),
        ({}, {"exp": True}, "claim exp is not a time"),
        ({}, {"exp": float("nan")}, "has expired"),
        ({}, {"nbf": 1010}, None),
        ({}, {"nbf": 1011}, "not valid yet"),
        ({}, {"nbf": []}, "claim nbf is not a time"),
        ({"issuers": ["a", "b"]}, {"iss": "b"}, None),
        ({"issuers": ["a"]}, {"iss": "b"}, "another issuer"),
        ({"issuers": ["a"]}, {}, "another issuer"),
        ({"audiences": ["x"]}, {"aud": "x"}, None),
        ({"audiences": ["x"]}, {"aud": ["y", "x"]}, None),
        ({"audiences": ["x"]}, {"aud": ["y"]}, "another audience"),
        ({"audiences": ["x"]}, {"aud": {"x": 1}}, "another audience"),
        ({"audiences": ["x"]}, {}, "another audience"),
    ],
)
def test_what_makes_a_token_valid(fields: dict[str, Any], claims: dict[str, Any], problem: str | None) -> None:
    if problem is None:
        rules(**fields).check(claims, NOW)
        return
    with pytest.raises(Invalid, match=problem):
        rules(**fields).check(claims, NOW)


@pytest.mark.parametrize(
    ("wanted", "claims", "is_allowed"),
    [
        ({"role": "admin"}, {"role": "admin"}, True),
        ({"role": "admin"}, {"role": "user"}, False),
        ({"role": "admin"}, {}, False),
        ({"role": ["admin", "ops"]}, {"role": "ops"}, True),
        ({"roles": "admin"}, {"roles": ["user", "admin"]}, True),
        ({"scope": "read"}, {"scope": "write read"}, True),
        ({"scope": "rea"}, {"scope": "write read"}, False),
        ({"scope": "write read"}, {"scope": "write read"}, True),
        ({"realm.level": 2}, {"realm": {"level": 2}}, True),
        ({"realm.level": 2}, {"realm": {"level": "2"}}, False),
        ({"verified": True}, {"verified": True}, True),
        ({"verified": True}, {"verified": 1}, False),
        ({"https://a.b/c": "x"}, {"https://a.b/c": "x"}, True),
        ({"a": "1", "b": "2"}, {"a": "1"}, False),
    ],
)
def test_what_a_token_allows(wanted: dict[str, Any], claims: dict[str, Any], is_allowed: bool) -> None:
    if is_allowed:
        rules(claims=wanted).check(claims, NOW)
        return
    with pytest.raises(NotAllowed):
        rules(claims=wanted).check(claims, NOW)


def test_until_when_it_holds() -> None:
    assert rules().expires({"exp": 1000}) == 1010
    assert rules().expires({}) == float("inf")


@pytest.mark.parametrize(
    ("claims", "name", "text"),
    [
        ({"sub": "ada"}, "sub", b"ada"),
        ({"n": 7}, "n", b"7"),
        ({"roles": ["a", "b", {}]}, "roles", b"a,b"),
        ({"user": {"name": "é"}}, "user.name", "é".encode()),
        ({"https://a.b/c": "x"}, "https://a.b/c", b"x"),
        ({}, "sub", b""),
        ({"sub": {}}, "sub", b""),
    ],
)
def test_claims_as_text(claims: dict[str, Any], name: str, text: bytes) -> None:
    assert claim_text(claims, name) == text
