"""`auth` of an API: requests need a key or a token, and the server learns whose it is."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from time import time
from typing import Any, Final, Protocol

from gproxy.core.api_key import KeyRing
from gproxy.core.credential import Place
from gproxy.core.errors import Forbidden, KeysUnavailable, Unauthorized
from gproxy.core.headers import HeaderEdits
from gproxy.core.jwt_claims import ClaimRules, Claims, Invalid, NotAllowed, claim_text
from gproxy.core.jwt_keys import KeySet, header_of
from gproxy.core.key_source import KeySource
from gproxy.filters.base import Exchange

#: Tokens whose signature was right, remembered per API and worker until they expire; a longer one is none of those.
_MOST_TOKENS: Final = 1024
_TOKEN_BYTES: Final = 4096
Fields = dict[str, bytes]


class Way(Protocol):
    """One way to say who one is."""

    place: Place
    challenge: str
    keeps: bool
    names: tuple[str, ...]

    def identify(self, exchange: Exchange, credential: bytes) -> tuple[bytes, Fields]:
        """Return the consumer, and fields for the server; raises Unauthorized, Forbidden or KeysUnavailable."""
        ...


class KeyWay:
    """By an API key."""

    keeps = False
    names: tuple[str, ...] = ()

    def __init__(self, document: Mapping[str, Any]) -> None:
        self.place = Place.compile(document["where"])
        self.challenge = f'ApiKey {self.place.form}="{self.place.name}",'
        self._ring = KeyRing(document["keys"])

    def identify(self, exchange: Exchange, credential: bytes) -> tuple[bytes, Fields]:
        """Return whose key it is."""
        consumer = self._ring.consumer(credential)
        if consumer is None:
            raise Unauthorized("The API key is not valid.", "the key is not known")
        return consumer, {}


class TokenWay:
    """By a signed token (RFC 7519)."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self.place = Place.compile(document["where"])
        self.challenge = "Bearer"
        self.keeps = document["forward"]
        self.names = tuple(document["headers"])
        self._source = source = KeySource.compile(document)
        self._fixed = source.read(source.text.encode("utf-8")) if source.text else None
        self._rules = ClaimRules.compile(document)
        self._headers = document["headers"]
        self._consumer_claim = document["consumer_claim"]
        self._known: dict[bytes, tuple[str, float, Claims]] = {}

    def identify(self, exchange: Exchange, credential: bytes) -> tuple[bytes, Fields]:
        """Return who the token is about."""
        now = time()
        claims = self._claims(exchange, credential, now)
        try:
            self._rules.check(claims, now)
        except Invalid as problem:
            raise Unauthorized("The token is not valid.", f"the token is refused: {problem}") from None
        except NotAllowed as problem:
            raise Forbidden("The token does not allow this.", f"the token does not allow this: {problem}") from None
        fields = {name: claim_text(claims, claim) for name, claim in self._headers.items()}
        return claim_text(claims, self._consumer_claim), fields

    def _claims(self, exchange: Exchange, token: bytes, now: float) -> Claims:
        """Return the claims of a token whose signature is right, from memory if they are there and still hold."""
        keys = self._fixed or exchange.keys(self._source) or exchange.newer_keys(self._source)
        if keys is None:
            raise KeysUnavailable("Tokens cannot be checked now.", "there are no keys for tokens")
        known = self._known.get(token)
        if known is not None and known[0] == keys.version and now < known[1]:
            return known[2]
        claims, keys = self._verified(exchange, token, keys)
        if len(token) <= _TOKEN_BYTES:
            if len(self._known) >= _MOST_TOKENS:
                self._known.clear()
            self._known[token] = keys.version, self._holds_until(claims), claims
        return claims

    def _verified(self, exchange: Exchange, token: bytes, keys: KeySet) -> tuple[Claims, KeySet]:
        header = header_of(token)
        if header is None:
            raise Unauthorized("The token is not valid.", "the token is malformed")
        if not keys.fitting(header) and self._fixed is None:
            keys = exchange.newer_keys(self._source) or keys
        for key in keys.fitting(header):
            payload = key.payload(token)
            if payload is not None:
                return _parsed(payload), keys
        reason = "the signature is wrong" if keys.fitting(header) else "no key is for this token"
        raise Unauthorized("The token is not valid.", reason)

    def _holds_until(self, claims: Claims) -> float:
        try:
            return self._rules.expires(claims)
        except (TypeError, ValueError):
            return 0.0


class AuthFilter:
    """Finds out who sends a request, and tells the server in fields that nobody else can send."""

    def __init__(self, document: Mapping[str, Any], api: str) -> None:
        keys, tokens = document["api_keys"], document["jwt"]
        self._ways: list[Way] = [
            *([KeyWay(keys)] if keys is not None else []),
            *([TokenWay(tokens)] if tokens is not None else []),
        ]
        self.waits = tokens is not None and tokens["jwks_url"] is not None
        self._consumer = document["consumer_header"]
        self._challenges = tuple(f'{way.challenge} realm="{api}"' for way in self._ways)
        own = [*([self._consumer] if self._consumer else []), *(name for way in self._ways for name in way.names)]
        taken = [way.place.name for way in self._ways if way.place.form == "header" and not way.keeps]
        self._edits = HeaderEdits.hiding([*own, *taken])

    @classmethod
    def for_api(cls, document: Mapping[str, Any]) -> AuthFilter | None:
        """Return the filter, None when everybody may use the API."""
        return cls(document["auth"], document["name"]) if document["auth"] is not None else None

    def before(self, exchange: Exchange) -> None:
        """Raise Unauthorized, Forbidden or KeysUnavailable for a request without a credential that is good."""
        found = [(way, credential) for way in self._ways if (credential := way.place.take(exchange)) is not None]
        for way in self._ways:
            if not way.keeps:  # also of a request that is refused: logs must not hold what opens a door
                exchange.target = way.place.without(exchange.target)
        problem: Unauthorized | Forbidden | None = None
        for way, credential in found:
            try:
                consumer, fields = way.identify(exchange, credential)
            except (Unauthorized, Forbidden) as error:
                problem = problem if isinstance(problem, Forbidden) else error
                continue
            self._pass_on(exchange, consumer, fields)
            return
        raise self._refusal(problem)

    def _pass_on(self, exchange: Exchange, consumer: bytes, fields: Fields) -> None:
        exchange.consumer = consumer
        if self._consumer:
            fields = {self._consumer: consumer, **fields}
        if self._edits is not None:
            lines = [b"%b: %b\r\n" % (name.encode("ascii"), _clean(value)) for name, value in fields.items() if value]
            edited = replace(self._edits, added=b"".join(lines))
            exchange.forward = edited.apply(exchange.outgoing())

    def _refusal(self, problem: Unauthorized | Forbidden | None) -> Unauthorized | Forbidden:
        if isinstance(problem, Forbidden):
            problem.headers += (("WWW-Authenticate", 'Bearer error="insufficient_scope"'),)
            return problem
        error = problem or Unauthorized("This needs authentication.", "there is no credential")
        for challenge in self._challenges:
            more = ', error="invalid_token"' if problem is not None and challenge.startswith("Bearer") else ""
            error.headers += (("WWW-Authenticate", challenge + more),)
        return error


def _parsed(payload: bytes) -> Claims:
    try:
        claims = json.loads(payload)
    except (ValueError, RecursionError):
        claims = None
    if not isinstance(claims, dict):
        raise Unauthorized("The token is not valid.", "its payload is no JSON object")
    return claims


def _clean(value: bytes) -> bytes:
    """Return a value without what no header value may hold (RFC 9110 section 5.5)."""
    return bytes(byte for byte in value if byte >= 32 and byte != 127).strip()
