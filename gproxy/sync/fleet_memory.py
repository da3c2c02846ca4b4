"""What a node remembers of the others over its own restart, in its run_dir: for a start while the store is away.

Without it, each node that starts during an outage would take the whole of a limit that all share.
"""

import json
import logging
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from gproxy.store.nodes import Node

log = logging.getLogger(__name__)

FILE_NAME: Final = "fleet.json"
#: How often to write it at most: demands move all the time, and an old one is better than none.
WRITE_S: Final = 10.0


class FleetMemory:
    """The file of one run_dir. A file that cannot be used is none: it is a help, no more."""

    def __init__(self, run_dir: Path) -> None:
        self._file = run_dir / FILE_NAME
        self._written_s = float("-inf")
        self._written: list[Node] = []

    def recall(self) -> list[Node]:
        """Return the nodes that were there when this one was there last."""
        try:
            found = [Node.of(document) for document in json.loads(self._file.read_text(encoding="utf-8"))]
        except (OSError, ValueError, TypeError, RecursionError):
            return []
        return [node for node in found if node is not None]

    def keep(self, nodes: Iterable[Node], now_s: float) -> None:
        """Write down who is there, unless that was done a moment ago or is known already."""
        known = list(nodes)
        if now_s - self._written_s < WRITE_S or known == self._written:
            return
        self._written_s, self._written = now_s, known
        fresh = self._file.with_suffix(".new")
        try:
            fresh.write_text(json.dumps([node.told() for node in known]), encoding="utf-8")
            fresh.replace(self._file)
        except OSError as error:
            log.debug("cannot remember the other nodes", extra={"file": str(self._file), "reason": error.strerror})
