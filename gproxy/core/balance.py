"""Smooth weighted round robin: servers take turns by weight, and a heavy one's turns are spread out.

The algorithm is nginx's (`ngx_http_upstream_get_peer`): at each pick every server is credited its weight, the
one with most credit is picked and pays the sum of all weights. Weights 5, 1, 1 give a a b a c a a; in any
period of (sum of weights) picks each server is picked exactly as often as its weight says.

Strategy: credit belongs to a server's name, so a changed list of servers goes on where the old one stood; one
that is new starts with the average. Servers of equal weight simply rotate, and the rotation is turned back
into credit when the list changes. For other weights each pick looks at all servers.
"""

from collections.abc import Sequence
from typing import Generic, Protocol, TypeVar


class Weighted(Protocol):
    """What the balancer must know of a server."""

    @property
    def name(self) -> str:
        """The identity of the server, the same over changes of the configuration."""

    @property
    def weight(self) -> int:
        """The server's share of the requests relative to the others, 0 to 1000; with 0 it is never picked."""


Server = TypeVar("Server", bound=Weighted)


class _Turn(Generic[Server]):
    """A server and its credit."""

    __slots__ = ("credit", "server", "weight")

    def __init__(self, server: Server, credit: int) -> None:
        self.server = server
        self.weight = server.weight
        self.credit = credit


class SmoothRoundRobin(Generic[Server]):
    """The turns of one cluster's servers, as one worker gives them.

    `start` skips so many picks at first: several workers then do not all begin with the same server.
    """

    __slots__ = ("_position", "_rotation", "_servers", "_start", "_total", "_turns")

    def __init__(self, start: int = 0) -> None:
        self._start = start
        self._servers: Sequence[Server] = ()
        self._turns: list[_Turn[Server]] = []
        self._total = 0
        # With equal weights: the servers in the order of their turns, and whose turn it is.
        self._rotation: list[Server] = []
        self._position = 0

    def pick(self, servers: Sequence[Server]) -> Server | None:
        """Return the server whose turn it is, None when there is none with a weight.

        Pass the same sequence object as long as nothing has changed: a new one is taken over first, in about
        a microsecond per server.
        """
        if servers is not self._servers:
            self._take_over(servers)
        rotation = self._rotation
        if rotation:
            position = self._position
            server = rotation[position]
            position += 1
            self._position = position if position < len(rotation) else 0
            return server
        return self._next() if self._turns else None

    def _next(self) -> Server:
        """Credit everybody, return the richest (of several the first in the list) and let it pay."""
        turns = self._turns
        richest = turns[0]
        most = -self._total
        for turn in turns:
            credit = turn.credit = turn.credit + turn.weight
            if credit > most:
                most = credit
                richest = turn
        richest.credit = most - self._total
        return richest.server

    def _take_over(self, servers: Sequence[Server]) -> None:
        """Continue with this list of servers: those known keep their credit."""
        credits = self._credits()
        weighty = [server for server in servers if server.weight > 0]
        known = [credits[server.name] for server in weighty if server.name in credits]
        average = sum(known) // len(known) if known else 0
        turns = [_Turn(server, credits.get(server.name, average) - average) for server in weighty]
        self._servers = servers
        self._turns = turns
        self._total = total = sum(turn.weight for turn in turns)
        is_equal = len({turn.weight for turn in turns}) == 1
        # Debts from larger weights of the past must not keep a server waiting for long; and credits less than
        # `total` apart are what makes a rotation the same as the algorithm. Unchanged weights stay within.
        lowest = max((turn.credit for turn in turns), default=0) - (total - 1 if is_equal else 2 * total)
        for turn in turns:
            turn.credit = max(turn.credit, lowest)
        self._rotation = []
        self._position = 0
        if is_equal:
            turns.sort(key=lambda turn: -turn.credit)
            self._rotation = [turn.server for turn in turns]
        if turns and self._start:
            skipped, self._start = self._start % total, 0
            for _ in range(skipped):
                self.pick(servers)

    def _credits(self) -> dict[str, int]:
        """Return what each server has now, by name."""
        credits = {turn.server.name: turn.credit for turn in self._turns}
        for position, server in enumerate(self._rotation):
            paid = self._total if position < self._position else 0
            credits[server.name] += self._position * server.weight - paid
        return credits
