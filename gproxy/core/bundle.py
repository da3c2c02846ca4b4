"""What the keeper publishes and workers read: an index of all pairs, then their PEM text.

The index is a line of JSON, so a worker reads a thousand of them in a few milliseconds and parses a key only when a
client asks for it.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import msgspec

from gproxy.core.server_names import Certificate


@dataclass(frozen=True, slots=True)
class Pair:
    """A certificate with its chain and key: `pem` holds all of them, `digest` tells one content from another.

    `stamp` says from which state of its files it was made. `subject` and `issuer` are for people.
    """

    certificate: Certificate
    subject: str
    issuer: str
    digest: str
    stamp: str
    pem: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a pair, or another file, cannot be used as it is now; `stamp` as in a pair."""

    name: str
    reason: str
    stamp: str


@dataclass(frozen=True, slots=True)
class Bundle:
    """All pairs, what is wrong, and the authorities (PEM) that clients' certificates are checked against."""

    pairs: tuple[Pair, ...] = ()
    problems: tuple[Problem, ...] = ()
    client_authorities: str = ""

    def pack(self) -> bytes:
        """Return the bundle as bytes."""
        entries = [
            _Entry(pair.certificate, pair.subject, pair.issuer, pair.digest, pair.stamp, len(pair.pem))
            for pair in self.pairs
        ]
        index = _Index(tuple(entries), self.problems, self.client_authorities)
        return b"\n".join((msgspec.json.encode(index), b"".join(pair.pem for pair in self.pairs)))

    @classmethod
    def unpack(cls, data: bytes) -> Bundle:
        """Return what `pack` packed; of nothing an empty bundle."""
        if not data:
            return cls()
        start = data.index(b"\n")
        index = msgspec.json.decode(memoryview(data)[:start], type=_Index)
        pairs, at = [], start + 1
        for entry in index.pairs:
            pem = data[at : at + entry.size]
            pairs.append(Pair(entry.certificate, entry.subject, entry.issuer, entry.digest, entry.stamp, pem))
            at += entry.size
        return cls(tuple(pairs), index.problems, index.client_authorities)


@dataclass(frozen=True, slots=True)
class _Entry:
    """A pair in the index: `size` is that of its PEM text."""

    certificate: Certificate
    subject: str
    issuer: str
    digest: str
    stamp: str
    size: int


@dataclass(frozen=True, slots=True)
class _Index:
    """The line of JSON."""

    pairs: tuple[_Entry, ...]
    problems: tuple[Problem, ...]
    client_authorities: str
