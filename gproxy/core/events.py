"""Events: what changed on a node and why, as numbers that fit into shared memory.

An *event* is about an *object*, moves it from a state to another, and names its *cause* with up to three *figures*.
What the numbers mean depends on the kind: names for users are in core/event_names.py. Whoever writes an event imports
nothing but this.
"""

from dataclasses import dataclass
from enum import IntEnum


class Kind(IntEnum):
    """What an event is about."""

    CIRCUIT = 1  # a circuit breaker moved: states and causes of core/breaker.py
    HEALTH = 2  # a health check changed its mind: states of core/health.py, causes Fault of core/health_check.py
    WORKER = 3  # a process of the node; its row is the slot, NO_ROW for sync and monitor
    RELOAD = 4
    SNAPSHOT = 5  # of the configuration
    STORE = 6
    FLEET = 7  # what nodes that follow the same store agree on
    FILTER = 8  # one of a user's own; its row is its place in the INI
    PANIC = 9  # of a cluster of which too many servers are out of service: all are used


class Thing(IntEnum):
    """What kind of object `row` is the row of."""

    NODE = 0
    SERVER = 1
    API = 2
    WORKER = 3  # `row` is its slot
    SYNC = 4
    MONITOR = 5
    ROUTING = 6
    CLUSTER = 7
    FILTER = 8


class ProcessState(IntEnum):
    """States of a process in events."""

    NONE = 0
    RUNNING = 1
    ENDED = 2


class ProcessCause(IntEnum):
    """Why a process ended or began; figures: its pid, then exit code or signal."""

    LEFT = 1
    KILLED = 2
    HUNG = 3
    REPLACED = 4  # a new one began in its place


class ReloadCause(IntEnum):
    """How a reload or an upgrade went; figures: workers, or problems of a refused one."""

    DONE = 1
    REFUSED = 2
    FAILED = 3
    UPGRADED = 4  # another program has taken over
    UPGRADE_FAILED = 5


class SnapshotCause(IntEnum):
    """What became of a configuration; figures: its revision, then objects or problems."""

    APPLIED = 1
    REJECTED = 2
    LAST_GOOD = 3  # the one on disk, because the store cannot be reached


class StoreState(IntEnum):
    """Whether the store answers."""

    UNKNOWN = 0
    FOLLOWED = 1
    LOST = 2


class StoreCause(IntEnum):
    """Why that changed; figures: for how many ms it had been the other way."""

    UNREACHABLE = 1
    BACK = 2


class FilterState(IntEnum):
    """Whether a filter is called in a worker."""

    NONE = 0
    IN_SERVICE = 1
    RESTS = 2


class FilterCause(IntEnum):
    """Why that changed; figures: the slot of the worker."""

    ERRORS = 1
    RECOVERED = 2


class PanicState(IntEnum):
    """Whether a cluster panics."""

    NONE = 0
    CALM = 1
    PANIC = 2


class PanicCause(IntEnum):
    """Why that changed; figures: servers out of service, and how many there are."""

    EJECTED = 1  # one server more than the circuit breaker allows
    RECOVERED = 2


class FleetCause(IntEnum):
    """What nodes agree on; figures: how many nodes say so, and how many there are, of those that count here."""

    SERVER_OPEN = 1  # enough nodes have opened the circuit of a server: it is given a rest here, too
    SERVER_CLOSED = 2
    NODES = 3  # nodes came or went: figures: how many there were, and how many there are
    DRAINED = 4  # this node takes no more traffic, somebody wants it so
    UNDRAINED = 5


@dataclass(frozen=True, slots=True)
class Event:
    """One event. States and `cause` are 0..255 and 0 when there is none; figures are not negative.

    `generation` is that of the row, so that an object that gets the row later is not blamed. Several processes may
    tell one move of an object that they share: such events have an `epoch` above 0, and equal ones are one event.
    """

    kind: Kind
    cause: int
    thing: Thing = Thing.NODE
    row: int = 0
    before: int = 0
    after: int = 0
    figures: tuple[int, int, int] = (0, 0, 0)
    generation: int = 0
    epoch: int = 0

    def pack(self) -> tuple[int, ...]:
        """Return the event as unsigned 64-bit numbers; raises OverflowError for one that does not fit."""
        small = bytes((self.kind, self.thing, self.before, self.after, self.cause)) + self.row.to_bytes(3, "big")
        who = self.generation.to_bytes(4, "big") + self.epoch.to_bytes(4, "big")
        return int.from_bytes(small, "big"), int.from_bytes(who, "big"), *self.figures

    @classmethod
    def unpack(cls, numbers: tuple[int, ...]) -> "Event":
        """Return what `pack` packed; raises ValueError for what it has not."""
        small, who, *figures = numbers
        kind, thing, before, after, cause, *row = small.to_bytes(8, "big")
        return cls(
            Kind(kind),
            cause,
            Thing(thing),
            int.from_bytes(bytes(row), "big"),
            before,
            after,
            (figures[0], figures[1], figures[2]),
            who >> 32,
            who & 0xFFFF_FFFF,
        )
