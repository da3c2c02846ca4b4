"""Waiting until a revision is in effect everywhere: in every worker of every node that is there."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from gproxy.store.nodes import Node, Registry

#: How often to look: nodes tell within a quarter of a second what their workers have begun to run.
LOOK_S: Final = 0.05


@dataclass(frozen=True, slots=True)
class Straggler:
    """A worker that does not run the revision yet; `slot` None: a node without any worker."""

    node: str
    slot: int | None
    revision: int

    def __str__(self) -> str:
        if self.slot is None:
            return f"node {self.node} has no worker that runs a configuration"
        return f"node {self.node}: worker {self.slot} runs revision {self.revision}"


@dataclass(frozen=True, slots=True)
class Applied:
    """How far a revision has come; it is in effect everywhere when there are no stragglers."""

    revision: int
    nodes: int
    workers: int
    stragglers: tuple[Straggler, ...]


def wait_applied(
    registry: Registry,
    revision: int,
    timeout_s: float,
    now: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Applied:
    """Return when every worker of every node runs `revision` or a later one, or after `timeout_s`.

    Workers that drain do not count. Raises StoreError.
    """
    until_s = now() + timeout_s
    while True:
        nodes = registry.nodes()
        applied = Applied(
            revision,
            len(nodes),
            sum(len(node.workers) for node in nodes),
            tuple(straggler for node in nodes for straggler in _stragglers(node, revision)),
        )
        if not applied.stragglers or now() >= until_s:
            return applied
        sleep(LOOK_S)


def _stragglers(node: Node, revision: int) -> Iterator[Straggler]:
    if not node.workers:
        yield Straggler(node.id, None, 0)
    for worker in node.behind(revision):
        yield Straggler(node.id, worker.slot, worker.revision)
