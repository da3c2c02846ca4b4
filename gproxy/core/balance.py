"""Which of several servers comes next: in turns, by chance, or by how busy they are. (By key: `hashing`.)

Every policy takes the servers to choose from and those to `avoid`, and returns one, or None when none is left. One
with weight 0 is never chosen. Chance is handed in, as numbers of 0 <= chance < 1.

Smooth weighted round robin: servers take turns by weight, and a heavy one's turns are spread out. The algorithm is
nginx's (`ngx_http_upstream_get_peer`): at each pick every server is credited its weight, the one with most credit is
picked and pays the sum of all weights. Weights 5, 1, 1 give a a b a c a a; in any period of (sum of weights) picks
each server is picked exactly as often as its weight says.

Strategy: credit belongs to a server's name, so a changed list of servers goes on where the old one stood; one
that is new starts with the average. Servers of equal weight simply rotate, and the rotation is turned back
into credit when the list changes. For other weights each pick looks at all servers.
"""

from collections.abc import Callable, Collection, Sequence
from itertools import accumulate
from typing import Final, Generic, Protocol, TypeVar


class Weighted(Protocol):
    """What the balancer must know of a server."""

    @property
    def name(self) -> str:
        """The identity of the server, the same over changes of the configuration."""

    @property
    def weight(self) -> int:
        """The server's share of the requests relative to the others, 0 to 1000; with 0 it is never picked."""


Server = TypeVar("Server", bound=Weighted)
#: A server that begins its slow start gets this share of its weight.
FIRST_SHARE: Final = 0.1


def by_chance(servers: Sequence[Server], avoid: Collection[Server], chance: float) -> Server | None:
    """Choose at random by weight."""
    left = _others(servers, avoid)
    sums = list(accumulate(server.weight for server in left))
    goal = chance * sums[-1] if sums else 0
    for server, total in zip(left, sums, strict=True):
        if goal < total:
            return server
    return None


def least_connections(
    servers: Sequence[Server], avoid: Collection[Server], active: Callable[[Server], int], chance: float
) -> Server | None:
    """Choose the server with the fewest requests in flight for its weight, by chance among equals."""
    left = _others(servers, avoid)
    loads = [active(server) / server.weight for server in left]
    least = min(loads, default=0)
    return by_chance([server for server, load in zip(left, loads, strict=True) if load == least], (), chance)


def better_of_two(
    servers: Sequence[Server],
    avoid: Collection[Server],
    active: Callable[[Server], int],
    time_us: Callable[[Server], float],
    chances: tuple[float, float],
) -> Server | None:
    """Choose two at random by weight and take the one that promises to answer first ("power of two choices").

    The promise is the server's usual time (0: not known, taken for the other's) times what it has in flight.
    """
    first = by_chance(servers, avoid, chances[0])
    second = by_chance(servers, {*avoid, first} if first is not None else avoid, chances[1])
    if first is None or second is None:
        return first
    first_us, second_us = time_us(first), time_us(second)
    first_cost = (first_us or second_us or 1) * (active(first) + 1) / first.weight
    second_cost = (second_us or first_us or 1) * (active(second) + 1) / second.weight
    return first if first_cost <= second_cost else second


def share(age_s: float, slow_start_s: float) -> float:
    """Return what part of its weight a server gets so long after it came (back): from FIRST_SHARE to 1."""
    return 1.0 if age_s >= slow_start_s else max(FIRST_SHARE, age_s / slow_start_s)


def _others(servers: Sequence[Server], avoid: Collection[Server]) -> Sequence[Server]:
    return [server for server in servers if server.weight and server not in avoid]


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
