"""Which answers are compressed for which clients, and what their heads say then (RFC 9110 8.4, 8.8.3, 12.5.3, 12.5.5).

An answer is left alone when it is coded already, when it is a part (206) or has no body, when a digest or
`Cache-Control: no-transform` says that its bytes matter, when it is small, or of a type that is not worth it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, Self

GZIP, BROTLI = b"gzip", b"br"
#: names of codings that mean another one (RFC 9110 8.4.1.3)
_ALIASES: Final = {b"x-gzip": GZIP}
_MEMBER: Final = re.compile(
    rb"[ \t]*([!#$%&'*+\-.^_`|~0-9A-Za-z]+)[ \t]*(?:;[ \t]*[qQ]=(0(?:\.\d{0,3})?|1(?:\.0{0,3})?))?[ \t]*"
)
_BODILESS: Final = frozenset((204, 205, 206, 304))
_UNTOUCHED: Final = re.compile(
    rb"^(?:(?:content-encoding|content-range|content-md5|content-digest|repr-digest|digest):"
    rb"|cache-control:[^\n]*no-transform)",
    re.IGNORECASE | re.MULTILINE,
)
_TYPE: Final = re.compile(rb"^content-type:[ \t]*([^\s;,]+)", re.IGNORECASE | re.MULTILINE)
_STRONG: Final = re.compile(rb'^(etag:[ \t]*)(?=")', re.IGNORECASE | re.MULTILINE)
_TAG: Final = re.compile(rb'^etag:[ \t]*("[^"\n]*")', re.IGNORECASE | re.MULTILINE)
_VARIES: Final = re.compile(
    rb"^vary:(?:[^\n]*[,: \t])?(?:\*|accept-encoding)[ \t]*(?:,|\r)", re.IGNORECASE | re.MULTILINE
)
#: what is no longer true of a body that is compressed on its way
_OF_THE_BODY: Final = re.compile(rb"^(?:content-length|accept-ranges):[^\n]*\n", re.IGNORECASE | re.MULTILINE)
_VARY: Final = b"Vary: Accept-Encoding\r\n"
#: clients repeat what they accept: so many values are remembered, each of so many bytes at most
_KNOWN, _KNOWN_BYTES = 1024, 256
#: a body that comes in events is only compressed when its type is asked for by name
_EVENTS: Final = "text/event-stream"


@dataclass(frozen=True, slots=True)
class Compression:
    """How answers are compressed: with the first of `codings` that a client likes best, at `level` (1-9).

    `is_worth` finds the types that are worth it, answers of fewer than `min_bytes` are left alone.
    """

    codings: tuple[bytes, ...]
    level: int
    min_bytes: int
    is_worth: re.Pattern[str]

    @classmethod
    def compiled(cls, document: Mapping[str, Any] | None) -> Self | None:
        """Return what a normalised document asks for, None when it asks for nothing."""
        if document is None:
            return None
        codings = tuple(coding.encode("ascii") for coding in document["encodings"])
        return cls(codings, document["level"], document["min_bytes"], _types(document["types"]))

    def concerns(self, status: int, lines: bytes, length: int) -> bool:
        """Say whether an answer may be compressed; `length` of its body is negative when nobody knows it yet."""
        if 0 <= length < max(self.min_bytes, 1) or status < 200 or status in _BODILESS:
            return False
        found = _TYPE.search(lines)
        if found is None or self.is_worth.fullmatch(found[1].decode("latin-1").lower()) is None:
            return False
        return _UNTOUCHED.search(lines) is None

    def coding(self, accepted: Sequence[bytes]) -> bytes:
        """Return the coding for a client with these values of Accept-Encoding, b"" for none."""
        said = b",".join(accepted)
        return (_known_best if len(said) <= _KNOWN_BYTES else _best)(said, self.codings) if said else b""


def _types(patterns: Sequence[str]) -> re.Pattern[str]:
    """Return what matches these types, in which * stands for anything."""
    all_of_them = "|".join(re.escape(pattern.lower()).replace(r"\*", "[^/]*") for pattern in patterns)
    return re.compile(all_of_them if _EVENTS in patterns else rf"(?!{_EVENTS}$)(?:{all_of_them})")


def _best(accepted: bytes, codings: tuple[bytes, ...]) -> bytes:
    """Return the coding with the greatest weight, the first of equals; b"" when none is better than no coding."""
    weights = _weights(accepted)
    others = weights.get(b"*", 0.0)
    weight, coding = max(
        ((weights.get(coding, others), coding) for coding in codings),
        key=lambda pair: pair[0],  # the first of equals
    )
    return coding if weight > 0 and weight >= weights.get(b"identity", 0.0) else b""


_known_best = lru_cache(maxsize=_KNOWN)(_best)


def _weights(accepted: bytes) -> dict[bytes, float]:
    """Return the weight of each coding in Accept-Encoding; members that are none are passed over."""
    weights: dict[bytes, float] = {}
    for member in accepted.split(b","):
        found = _MEMBER.fullmatch(member)
        if found is not None:
            name = found[1].lower()
            weights[_ALIASES.get(name, name)] = float(found[2]) if found[2] else 1.0
    return weights


def coded(lines: bytes, coding: bytes) -> bytes:
    """Return the head of an answer whose body is coded on its way; what frames it is to be added.

    Its entity tag becomes a weak one: the bytes are others, what they mean is not (RFC 9110 8.8.3).
    """
    lines = _STRONG.sub(rb"\1W/", _OF_THE_BODY.sub(b"", lines))
    return b"%bContent-Encoding: %b\r\n" % (varied(lines), coding)


def varied(lines: bytes) -> bytes:
    """Return the head of an answer that other clients would get coded."""
    return lines if _VARIES.search(lines) else lines + _VARY


def not_modified(lines: bytes, asked: bytes) -> bytes:
    """Return the head of a 304; its tag is weak when the client has `asked` (If-None-Match) for the weak one."""
    tag = _TAG.search(lines)
    if tag is None or b"W/" + tag[1] not in asked:
        return lines
    return varied(_STRONG.sub(rb"\1W/", lines))
