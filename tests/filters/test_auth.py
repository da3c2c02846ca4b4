from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass, field
from typing import Any

import pytest

from gproxy.core.errors import Forbidden, GatewayError, KeysUnavailable, Unauthorized
from gproxy.core.jwt_keys import KeySet, VerifyKey
from gproxy.core.key_source import KeySource
from gproxy.core.model import MODELS, normalised
from gproxy.filters.auth import AuthFilter
from tests.core.asked import Asked
from tests.harness.tokens import SECRET, issuer, jwks, secret_token

SHA256 = hashlib.sha256(b"sesame").hexdigest()
API_KEYS = {"api_keys": {"keys": [{"consumer": "acme", "sha256": SHA256}]}}
HS256 = {"algorithms": ["HS256"], "secret": SECRET}


@dataclass
class Exchange(Asked):
    """A request; `sets` are what its source of keys says each time it is looked at again."""

    sets: list[bytes] = field(default_factory=list)
    forward: bytes | None = None
    asked_again: int = 0

    def outgoing(self) -> bytes:
        claims = b"X-Consumer: root\r\nX_consumer: root\r\nX-Role: root\r\n"
        return b"Host: a\r\nX-Api-Key: k\r\n" + claims + b"Authorization: Bearer t\r\n"

    def keys(self, source: KeySource) -> KeySet | None:
        return source.read(self.sets[0]) if self.sets and self.sets[0] else None

    def newer_keys(self, source: KeySource) -> KeySet | None:
        self.asked_again += 1
        if len(self.sets) > 1:
            self.sets.pop(0)
        return self.keys(source)


def made(**auth: Any) -> Any:
    api = {"name": "x", "path": "/*", "nodes": [{"cluster": "c"}], "auth": auth}
    return AuthFilter.for_api(normalised(MODELS["api"].model_validate(api)))


def bearer(token: str, **more: Any) -> Exchange:
    return Exchange(fields={b"authorization": b"Bearer " + token.encode()}, **more)


def refusal(filter: Any, exchange: Exchange) -> GatewayError:
    with pytest.raises(GatewayError) as caught:
        filter.before(exchange)
    return caught.value


def test_an_api_for_all_has_no_filter() -> None:
    assert AuthFilter.for_api({"name": "x", "auth": None}) is None


def test_the_server_learns_whose_key_it_is_and_not_the_key() -> None:
    exchange = Exchange(fields={b"x-api-key": b"sesame"})
    made(**API_KEYS).before(exchange)
    assert exchange.consumer == b"acme"  # type: ignore[attr-defined]
    assert exchange.forward == b"Host: a\r\nX-Role: root\r\nAuthorization: Bearer t\r\nX-Consumer: acme\r\n"


@pytest.mark.parametrize("fields", [{}, {b"x-api-key": b""}, {b"x-api-key": b"wrong"}, {b"x-api-key": SHA256.encode()}])
def test_other_keys_are_refused(fields: dict[bytes, bytes]) -> None:
    error = refusal(made(**API_KEYS), Exchange(fields=fields))
    assert isinstance(error, Unauthorized)
    assert error.headers == (("WWW-Authenticate", 'ApiKey header="X-Api-Key", realm="x"'),)


@pytest.mark.parametrize("key", [b"sesame", b"wrong"])
def test_a_key_in_the_query_goes_nowhere_else(key: bytes) -> None:
    exchange = Exchange(target=b"/a?b=1&key=%b&c=2" % key)
    filter = made(api_keys={**API_KEYS["api_keys"], "where": "query:key"}, consumer_header=None)
    if key == b"wrong":
        refusal(filter, exchange)
    else:
        filter.before(exchange)
        assert exchange.forward is None
    assert exchange.target == b"/a?b=1&c=2"


def test_tokens_and_their_claims() -> None:
    filter = made(jwt={**HS256, "headers": {"X-Role": "role", "X-Team": "team"}})
    exchange = bearer(secret_token(role="admin\r\nX-Evil: 1"))
    filter.before(exchange)
    assert exchange.consumer == b"ada"  # type: ignore[attr-defined]
    assert exchange.forward == (
        b"Host: a\r\nX-Api-Key: k\r\nAuthorization: Bearer t\r\nX-Consumer: ada\r\nX-Role: adminX-Evil: 1\r\n"
    )
    exchange = bearer(secret_token())
    made(jwt={**HS256, "forward": False}).before(exchange)
    assert b"Authorization" not in (exchange.forward or b"")


@pytest.mark.parametrize(
    ("exchange", "reason"),
    [
        (Exchange(), "there is no credential"),
        (Exchange(fields={b"authorization": b"Basic x"}), "there is no credential"),
        (bearer("x"), "the token is malformed"),
        (bearer(secret_token(SECRET[::-1])), "the signature is wrong"),
        (bearer(secret_token(SECRET * 2, "HS512")), "no key is for this token"),
        (bearer(issuer("ES256").token()), "no key is for this token"),
        (bearer(secret_token(exp=1)), "the token is refused: it has expired"),
        (bearer(secret_token(exp=None)), "the token is refused: it has no claim exp"),
    ],
)
def test_tokens_that_are_refused(exchange: Exchange, reason: str) -> None:
    error = refusal(made(jwt=HS256), exchange)
    assert isinstance(error, Unauthorized)
    assert error.reason == reason
    more = "" if "no credential" in reason else ', error="invalid_token"'
    assert error.headers == (("WWW-Authenticate", f'Bearer realm="x"{more}'),)


def test_a_token_that_does_not_allow_this() -> None:
    error = refusal(made(jwt={**HS256, "claims": {"role": "admin"}}), bearer(secret_token(role="user")))
    assert isinstance(error, Forbidden)
    assert error.headers == (("WWW-Authenticate", 'Bearer error="insufficient_scope"'),)


def test_either_is_enough() -> None:
    filter = made(**API_KEYS, jwt=HS256)
    for fields in ({b"x-api-key": b"sesame", b"authorization": b"Bearer x"}, {b"x-api-key": b"x"}):
        exchange = Exchange(fields=fields)
        if b"authorization" not in fields:
            fields[b"authorization"] = b"Bearer " + secret_token().encode()
        filter.before(exchange)
    error = refusal(filter, Exchange())
    assert [value for _, value in error.headers] == ['ApiKey header="X-Api-Key", realm="x"', 'Bearer realm="x"']


@pytest.fixture
def checked(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """The tokens whose signatures were looked at."""
    found: list[bytes] = []
    original = VerifyKey.payload

    def payload(self: VerifyKey, token: bytes) -> bytes | None:
        found.append(token)
        return original(self, token)

    monkeypatch.setattr(VerifyKey, "payload", payload)
    return found


URL = {"algorithms": ["ES256"], "jwks_url": "https://id.example/keys"}


def test_a_signature_is_checked_once_as_long_as_keys_and_token_hold(checked: list[bytes]) -> None:
    one, two = issuer("ES256", "1"), issuer("ES256", "2")
    filter = made(jwt=URL)
    token = one.token()
    for _ in range(3):
        filter.before(bearer(token, sets=[jwks(one.jwk())]))
    assert len(checked) == 1
    filter.before(bearer(token, sets=[jwks(one.jwk(), two.jwk())]))
    assert len(checked) == 2
    assert refusal(filter, bearer(token, sets=[jwks(two.jwk())])).reason == "no key is for this token"


def test_a_remembered_token_expires(monkeypatch: pytest.MonkeyPatch, checked: list[bytes]) -> None:
    filter = made(jwt={**HS256, "leeway_s": 5})
    token = secret_token(exp=int(time.time()) + 60)
    filter.before(bearer(token))
    now = time.time()
    monkeypatch.setattr("gproxy.filters.auth.time", lambda: now + 66)
    assert refusal(filter, bearer(token)).reason == "the token is refused: it has expired"
    assert refusal(filter, bearer(token)).reason == "the token is refused: it has expired"


def test_only_so_many_tokens_are_remembered(checked: list[bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gproxy.filters.auth._MOST_TOKENS", 3)
    filter = made(jwt=HS256)
    tokens = [secret_token(sub=str(number)) for number in range(4)]
    for token in [*tokens, tokens[3], tokens[0]]:
        filter.before(bearer(token))
    assert len(checked) == 5  # the last one had been forgotten
    long = secret_token(sub="x" * 5000)
    for _ in range(2):
        filter.before(bearer(long))
    assert checked[-2:] == [long.encode()] * 2


def test_a_key_that_is_not_known_yet_is_asked_for() -> None:
    one, two = issuer("ES256", "1"), issuer("ES256", "2")
    exchange = bearer(two.token(), sets=[jwks(one.jwk()), jwks(one.jwk(), two.jwk())])
    made(jwt=URL).before(exchange)
    assert exchange.asked_again == 1
    exchange = bearer(two.token(headers={"kid": "3"}), sets=[jwks(one.jwk())])
    assert isinstance(refusal(made(jwt=URL), exchange), Unauthorized)
    assert exchange.asked_again == 1


def test_without_any_keys_nobody_can_say() -> None:
    error = refusal(made(jwt=URL), bearer(issuer("ES256").token(), sets=[b""]))
    assert isinstance(error, KeysUnavailable)
    assert (error.status, error.retry_after_s) == (503, 1)
