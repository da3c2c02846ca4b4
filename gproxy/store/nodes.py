"""The nodes that follow a store: each says who and where it is, and what its workers run.

A node that somebody wants to *drain* learns of it here as well.

A node renews its *record* well within `TTL_S`. One that did not is not listed: it is gone, or it cannot reach the
store, which changes nothing about what it serves. A node that stops leaves a record that says so for `LEFT_S`.
"""

import json
import math
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Final, Self

from gproxy.core import grammar

#: A node that has been silent for so long is not listed any more; it renews its record three times as often.
TTL_S: Final = 10.0
#: How long the record of a node that has stopped says so: longer than anybody takes to look.
LEFT_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class RunningWorker:
    """One worker of a node: the store revision that it runs, and its `state` by name (layout.STATE_NAMES)."""

    slot: int
    pid: int
    state: str
    revision: int


@dataclass(frozen=True, slots=True)
class Node:
    """A node by its own words. Times are milliseconds since 1970.

    `control` is the address of its control endpoint, `revision` the one that it has published to its workers.
    `demand` is how many requests a second it gets for each API whose limit all nodes share, `open_ms` for how long from
    then on its circuits are open that it shares, by server. `addresses` are URLs at which it takes requests, the
    `inspection_key` is for requests that ask who answered them (core/inspection.py).
    """

    id: str
    control: str
    host: str
    pid: int
    version: str
    started_ms: int
    written_ms: int
    revision: int
    workers: tuple[RunningWorker, ...] = ()
    demand: Mapping[str, float] = field(default_factory=dict)
    open_ms: Mapping[str, int] = field(default_factory=dict)
    has_left: bool = False
    addresses: tuple[str, ...] = ()
    inspection_key: str = field(default="", repr=False)

    def behind(self, revision: int) -> list[RunningWorker]:
        """Return the workers that take requests, or will, and do not run this revision or a later one."""
        return [worker for worker in self.workers if worker.revision < revision and worker.state != "draining"]

    def left(self) -> "Node":
        """Return the last record of a node that stops."""
        return replace(self, workers=(), demand={}, open_ms={}, has_left=True)

    def document(self) -> dict[str, Any]:
        """Return the record as JSON has it."""
        return asdict(self)

    def told(self) -> dict[str, Any]:
        """Return the same for whoever looks: without what is secret."""
        return {name: value for name, value in self.document().items() if name != "inspection_key"}

    @classmethod
    def of(cls, document: Any) -> Self | None:
        """Return the node of a record, None when it is not one; fields of newer versions do not matter.

        Everybody who follows the store reads the records of everybody else: one that is damaged, or of a version that
        means something else by a name, must not be the end of them all.
        """
        try:
            known = {name: document[name] for name in cls.__slots__ if name in document}
            workers = tuple(
                RunningWorker(*(worker[name] for name in RunningWorker.__slots__)) for worker in document["workers"]
            )
            node = cls(**{**known, "workers": workers, "addresses": tuple(known.get("addresses", ()))})
        except (TypeError, KeyError):
            return None
        return node if node.is_sound() else None

    def is_sound(self) -> bool:
        """Tell whether every field is of its kind, and the id a name: it becomes part of keys, files and paths."""
        texts = [self.id, self.control, self.host, self.version, self.inspection_key, *self.addresses]
        texts += [worker.state for worker in self.workers]
        numbers = [self.pid, self.started_ms, self.written_ms, self.revision]
        numbers += [number for worker in self.workers for number in (worker.slot, worker.pid, worker.revision)]
        return (
            all(isinstance(text, str) for text in texts)
            and grammar.NAME.fullmatch(self.id) is not None
            and all(type(number) is int for number in numbers)
            and all(_is_amounts(amounts) for amounts in (self.demand, self.open_ms))
            and isinstance(self.has_left, bool)
        )


@dataclass(frozen=True, slots=True)
class Drain:
    """The wish that a node takes no more traffic: whose, and since when (milliseconds since 1970)."""

    author: str
    since_ms: int

    @classmethod
    def parse(cls, text: str | bytes) -> Self | None:
        """Read what `rendered` has made, None when it is something else."""
        try:
            document = json.loads(text)
            return cls(str(document["author"]), int(document["since_ms"]))
        except (ValueError, TypeError, KeyError, OverflowError, RecursionError):
            return None

    def rendered(self) -> str:
        """Return the wish as a text of JSON."""
        return json.dumps(asdict(self))


class Registry(ABC):
    """The records of one store. Every method raises StoreError when the store cannot serve it."""

    @abstractmethod
    def announce(self, node: Node) -> None:
        """Write or renew the record of a node."""

    @abstractmethod
    def records(self) -> list[Node]:
        """Return the records that are alive, by id, also those of nodes that have just left."""

    @abstractmethod
    def drains(self) -> dict[str, Drain]:
        """Return by id which nodes shall take no more traffic; it does not matter whether they are there."""

    @abstractmethod
    def drain(self, node: str, wish: Drain | None) -> None:
        """Let a node take no more traffic, until None lets it do so again. That outlives the node and its restarts."""

    def has_news(self) -> bool:
        """Tell whether a record was written since the last time this was asked, where that costs nothing to know."""
        return False

    def nodes(self) -> list[Node]:
        """Return the nodes that are there, by id."""
        return [node for node in self.records() if not node.has_left]


def _is_amounts(value: object) -> bool:
    """Tell whether something maps names to finite numbers of which none is negative."""
    return isinstance(value, Mapping) and all(
        type(amount) in (int, float) and 0 <= amount < math.inf for amount in value.values()
    )


def now_ms() -> int:
    """Return the wall clock in milliseconds."""
    return time.time_ns() // 1_000_000
