"""What the claims of a token (RFC 7519) must be, whatever key it was signed with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gproxy.core.variables import as_text, lookup

Claims = Mapping[str, Any]


class Invalid(Exception):
    """The token counts for nothing; the text says why."""


class NotAllowed(Exception):
    """The token is good, but not for this; the text says why."""


@dataclass(frozen=True, slots=True)
class ClaimRules:
    """Who must have issued a token, and for whom (empty: anybody), which claims it must have, and with what values.

    `leeway_s` is by how much clocks may differ.
    """

    issuers: frozenset[str]
    audiences: frozenset[str]
    leeway_s: float
    require: tuple[str, ...]
    values: tuple[tuple[tuple[str, ...], tuple[Any, ...]], ...]

    @classmethod
    def compile(cls, document: Mapping[str, Any]) -> ClaimRules:
        """Compile a normalised `jwt`."""
        return cls(
            issuers=frozenset(document["issuers"]),
            audiences=frozenset(document["audiences"]),
            leeway_s=document["leeway_s"],
            require=tuple(document["require"]),
            values=tuple((_steps(name), tuple(_listed(value))) for name, value in document["claims"].items()),
        )

    def check(self, claims: Claims, now: float) -> None:
        """Raise Invalid or NotAllowed; `now` in seconds since 1970."""
        for name in self.require:
            if claims.get(name) is None:
                raise Invalid(f"it has no claim {name}")
        expires, begins = claims.get("exp"), claims.get("nbf")
        if expires is not None and not now < _time("exp", expires) + self.leeway_s:
            raise Invalid("it has expired")
        if begins is not None and now < _time("nbf", begins) - self.leeway_s:
            raise Invalid("it is not valid yet")
        if self.issuers and claims.get("iss") not in self.issuers:
            raise Invalid("it is from another issuer")
        if self.audiences and not self.audiences.intersection(_texts(claims.get("aud"))):
            raise Invalid("it is for another audience")
        for path, allowed in self.values:
            if not any(_is_one_of(value, allowed) for value in _values(lookup(claims, path))):
                raise NotAllowed(f"its claim {'.'.join(path)} is not what this API demands")

    def expires(self, claims: Claims) -> float:
        """Return until when checked claims hold, in seconds since 1970; inf when for ever."""
        expires = claims.get("exp")
        return float("inf") if expires is None else float(expires) + self.leeway_s


def claim_text(claims: Claims, name: str) -> bytes:
    """Return a claim as the value of a header field: lists with commas, b"" where there is none."""
    value = lookup(claims, _steps(name))
    items = value if isinstance(value, list) else [value]
    return b",".join(text for item in items if (text := as_text(item)) is not None)


def _steps(name: str) -> tuple[str, ...]:
    """Return the path of a claim; names such as https://example.com/role have dots that separate nothing."""
    return (name,) if ":" in name else tuple(name.split("."))


def _time(name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Invalid(f"its claim {name} is not a time")
    return float(value)


def _texts(value: Any) -> Sequence[str]:
    return [item for item in _listed(value) if isinstance(item, str)]


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _values(value: Any) -> list[Any]:
    """Return what a claim holds: the items of a list, a text as a whole, and its words, as in `scope`."""
    if isinstance(value, str):
        return [value, *value.split()]
    return _listed(value)


def _is_one_of(value: Any, allowed: tuple[Any, ...]) -> bool:
    return any(value == item and isinstance(value, bool) is isinstance(item, bool) for item in allowed)
