"""What the keeper publishes and workers read: an index of all pairs, then their PEM text.

The index is a line of JSON, so a worker reads a thousand of them in a few milliseconds and parses a key only when a
client asks for it.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field

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
        index = {
            "pairs": [
                asdict(pair.certificate)
                | {"subject": pair.subject, "issuer": pair.issuer, "digest": pair.digest, "stamp": pair.stamp}
                | {"size": len(pair.pem)}
                for pair in self.pairs
            ],
            "problems": [asdict(problem) for problem in self.problems],
            "client_authorities": self.client_authorities,
        }
        return b"\n".join((json.dumps(index).encode("ascii"), b"".join(pair.pem for pair in self.pairs)))

    @classmethod
    def unpack(cls, data: bytes) -> Bundle:
        """Return what `pack` packed; of nothing an empty bundle."""
        if not data:
            return cls()
        line, _, pems = data.partition(b"\n")
        index = json.loads(line)
        pairs, at = [], 0
        for entry in index["pairs"]:
            size = entry.pop("size")
            about = {key: entry.pop(key) for key in ("subject", "issuer", "digest", "stamp")}
            entry["hosts"] = tuple(entry["hosts"])
            pairs.append(Pair(Certificate(**entry), **about, pem=pems[at : at + size]))
            at += size
        problems = tuple(Problem(**entry) for entry in index["problems"])
        return cls(tuple(pairs), problems, index["client_authorities"])
