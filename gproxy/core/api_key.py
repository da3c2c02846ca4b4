"""API keys: known by their SHA-256, so that nobody can take them out of a configuration.

A key is as long and random as whoever hands it out makes it; a hash without salt is enough for such keys.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Mapping

#: So much of a hash says where to look; the whole is then compared in constant time.
_PREFIX_BYTES = 4


class KeyRing:
    """The keys of one API, and whose they are."""

    def __init__(self, keys: Iterable[Mapping[str, str]]) -> None:
        self._consumers: dict[bytes, list[tuple[bytes, bytes]]] = {}
        for key in keys:
            digest = bytes.fromhex(key["sha256"])
            known = self._consumers.setdefault(digest[:_PREFIX_BYTES], [])
            known.append((digest, key["consumer"].encode("ascii")))

    def consumer(self, key: bytes) -> bytes | None:
        """Return the name of the consumer whose key this is, None for a key that is not known."""
        digest = hashlib.sha256(key).digest()
        for known, consumer in self._consumers.get(digest[:_PREFIX_BYTES], ()):
            if hmac.compare_digest(known, digest):
                return consumer
        return None
