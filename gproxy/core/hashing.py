"""Consistent hashing: a key keeps its server, and when a server goes only its own keys move.

Strategy: rendezvous hashing (Thaler and Ravishankar, 1998). Every server gets a score for a key, from nothing but the
key and the server's name and weight, and the best score wins; so all workers and nodes agree without talking, a
removed server's keys spread over all others by weight, and every other key stays where it is. Scores of weighted
servers are those of "weighted distributed hash tables" (Schindelhauer and Schomaker, 2005): -weight / ln(u).

Keys are first folded into SLOTS slots, and the ranking of a slot is computed once per list of servers: a look-up then
costs one hash, however many servers there are. Bounded load (Mirrokni, Thorup and Zadimoghaddam, 2016) sends a key on
to the next server of its ranking while its own has more than LOAD_FACTOR times its share of the requests in flight.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from hashlib import blake2b
from math import ceil, log
from typing import Final, Generic

from gproxy.core.balance import Server, Weighted

#: Enough that ten servers get the same number of keys within about 2 %; a list of so many places is 256 KB.
SLOTS: Final = 1 << 15
LOAD_FACTOR: Final = 1.25
#: A server with fewer requests in flight is not overloaded, whatever its share: at low load keys stay put.
ALWAYS_FREE: Final = 8
_BITS: Final = 52


def slot_of(key: bytes) -> int:
    """Return the slot of a key, 0 <= slot < SLOTS."""
    return int.from_bytes(blake2b(key, digest_size=4).digest()) % SLOTS


def most_in_flight(weight: int, total_weight: int, in_flight: int) -> int:
    """Return how many requests a server may have in flight, of `in_flight` in its cluster, the new one among them."""
    return max(ALWAYS_FREE, ceil(LOAD_FACTOR * in_flight * weight / total_weight))


class ConsistentHash(Generic[Server]):
    """The rankings of one cluster's servers. `active` tells how many requests a server has in flight on the node."""

    __slots__ = ("_active", "_first", "_servers", "_total_weight")

    def __init__(self, active: Callable[[Server], int]) -> None:
        self._active = active
        self._servers: Sequence[Server] = ()
        self._total_weight = 0
        #: the best server of every slot that was asked for
        self._first: list[Server | None] = []

    def pick(self, servers: Sequence[Server], key: bytes, avoid: Collection[Server] = ()) -> Server | None:
        """Return the server of a key: the best one that is not in `avoid` and not overloaded.

        When all are overloaded it is the best one; None when there is none at all. Pass the same sequence object as
        long as nothing has changed.
        """
        if servers is not self._servers:
            self._take_over(servers)
        if not self._total_weight:
            return None
        slot = slot_of(key)
        first = self._first[slot]
        if first is None:
            first = self._first[slot] = max(servers, key=lambda server: score(server, slot))
        if first not in avoid and not self._is_overloaded(first):
            return first
        return self._next_best(slot, avoid)

    def _take_over(self, servers: Sequence[Server]) -> None:
        if tuple(servers) != tuple(self._servers):
            self._first = [None] * SLOTS
            self._total_weight = sum(server.weight for server in servers)
        self._servers = servers

    def _next_best(self, slot: int, avoid: Collection[Server]) -> Server | None:
        left = [server for server in self._servers if server.weight and server not in avoid]
        ranking = sorted(left, key=lambda server: score(server, slot), reverse=True)
        for server in ranking:
            if not self._is_overloaded(server):
                return server
        return ranking[0] if ranking else None

    def _is_overloaded(self, server: Server) -> bool:
        active = self._active(server) + 1
        if active <= ALWAYS_FREE:
            return False
        in_flight = sum(self._active(other) for other in self._servers) + 1
        return active > most_in_flight(server.weight, self._total_weight, in_flight)


def score(server: Weighted, slot: int) -> float:
    """Return how much a server wants a slot; equal on every node. Not above zero for a weight of 0."""
    digest = blake2b(b"%d %b" % (slot, server.name.encode("utf-8")), digest_size=8).digest()
    chance = ((int.from_bytes(digest) >> 64 - _BITS) + 0.5) / (1 << _BITS)  # between 0 and 1, neither of them
    return -server.weight / log(chance)
