"""Who may use an API, by what they know: API keys and JSON Web Tokens."""

import re
from typing import Annotated, Final, Literal, Self, TypeVar
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, model_validator

from gproxy.core import jwt_keys
from gproxy.core.credential import check_place
from gproxy.core.model.base import FileName, HeaderName, Name, Part, Set, in_order

MOST_LEEWAY_S: Final = 600
_SHA256: Final = re.compile(r"[0-9a-fA-F]{64}")
_SOURCES: Final = ("secret", "secret_file", "public_key", "public_key_file", "jwks_file", "jwks_url")

T = TypeVar("T")
Hs = Literal["HS256", "HS384", "HS512"]
Rs = Literal["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"]
Algorithm = Literal[Hs, Rs, "ES256", "ES384", "ES512", "EdDSA"]
Where = Annotated[str, AfterValidator(check_place)]
AtLeastOne = Annotated[tuple[T, ...], Field(strict=False, min_length=1)]
ClaimValue = str | int | float | bool


def _sha256(text: str) -> str:
    if _SHA256.fullmatch(text) is None:
        raise ValueError("must be a SHA-256 in 64 hexadecimal digits: printf %s KEY | sha256sum")
    return text.lower()


def _url(text: str) -> str:
    parts = urlsplit(text)
    if (
        parts.scheme not in ("http", "https")
        or not parts.hostname
        or not text.isascii()
        or " " in text
        or parts.username
    ):
        raise ValueError("must be a URL with http or https and a host")
    return text


class ApiKey(Part):
    """A key of a consumer, who may have several."""

    consumer: Name
    sha256: Annotated[str, AfterValidator(_sha256)]


class ApiKeys(Part):
    """Keys that requests carry in a header field or the query; what goes on to the server does not have them."""

    where: Where = "header:X-Api-Key"
    keys: AtLeastOne[ApiKey]

    @model_validator(mode="after")
    def _says_whose_each_is(self) -> Self:
        if self.where.startswith("cookie:"):
            raise ValueError("where: an API key is in a header field or in the query")
        if len({key.sha256 for key in self.keys}) < len(self.keys):
            raise ValueError("keys: a key is listed twice")
        return self


class Jwt(Part):
    """Signed tokens, checked with a key from exactly one source.

    `require` are claims that a token must have, `claims` the values that some must have (one of a list), `headers` are
    fields for the server made of claims. The `consumer_claim` says who it is. Names of claims may be paths with dots.
    """

    where: Where = "header:Authorization"
    algorithms: AtLeastOne[Algorithm]
    secret: str | None = None
    secret_file: FileName | None = None
    public_key: str | None = None
    public_key_file: FileName | None = None
    jwks_file: FileName | None = None
    jwks_url: Annotated[str, AfterValidator(_url)] | None = None
    refresh_s: Annotated[float, Field(ge=10, le=86_400)] = 300.0
    issuers: Set[str] = ()
    audiences: Set[str] = ()
    leeway_s: Annotated[float, Field(ge=0, le=MOST_LEEWAY_S)] = 10.0
    require: Set[str] = ("exp",)
    claims: Annotated[dict[str, ClaimValue | AtLeastOne[ClaimValue]], AfterValidator(in_order)] = {}
    headers: Annotated[dict[HeaderName, str], AfterValidator(in_order)] = {}
    consumer_claim: str = "sub"
    forward: bool = True

    @model_validator(mode="after")
    def _has_one_source(self) -> Self:
        given = [name for name in _SOURCES if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(f"must have exactly one of {', '.join(_SOURCES)}")
        for algorithm in self.algorithms:
            if (algorithm in jwt_keys.SECRET_ALGORITHMS) is not given[0].startswith("secret"):
                raise ValueError(f"algorithms: {algorithm} does not go with {given[0]}")
        if not self.forward and self.where.startswith("cookie:"):
            raise ValueError("forward is false, but a cookie is never taken out")
        if self.secret is not None:
            jwt_keys.from_secret(self.secret.encode("utf-8"), self.algorithms)
        if self.public_key is not None:
            jwt_keys.from_pem(self.public_key.encode("utf-8"), self.algorithms)
        return self


class Auth(Part):
    """Requests need a key or a token; with both here, either is enough. The server learns who it is from a field."""

    api_keys: ApiKeys | None = None
    jwt: Jwt | None = None
    consumer_header: HeaderName | None = "X-Consumer"

    @model_validator(mode="after")
    def _asks_for_something(self) -> Self:
        if self.api_keys is None and self.jwt is None:
            raise ValueError("must have api_keys or jwt")
        return self
