"""The nodes of an embedded store: a folder beside its file, with one small JSON file per node, and one for
each that shall drain.

Not a table of the store: renewing records would wake up everybody who watches it, and sync a disk each time.
"""

import json
import os
import time
from pathlib import Path
from typing import Final

from gproxy.store.base import StoreUnavailable
from gproxy.store.nodes import LEFT_S, TTL_S, Drain, Node, Registry

#: Files of nodes that have not been heard of for so long are deleted by the next node that registers.
FORGET_S: Final = 3600.0
#: What the file of a wish to drain ends with.
_DRAIN: Final = ".drain"


class FolderRegistry(Registry):
    """The records in `folder`, which is made when the first node registers."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def announce(self, node: Node) -> None:
        """Replace the file of a node in one step."""
        file = self._folder / f"{node.id}.json"
        fresh = file.with_suffix(".new")
        try:
            if not file.exists():
                self._folder.mkdir(exist_ok=True)
                self._tidy()
            fresh.write_text(json.dumps(node.document()), encoding="utf-8")
            fresh.replace(file)
        except OSError as error:
            raise StoreUnavailable(f"{file}: {error.strerror}") from None

    def records(self) -> list[Node]:
        """Return the records that are young enough."""
        found = []
        for file in sorted(self._folder.glob("*.json")):
            age_s = _age_s(file)
            node = _read(file)
            if node is not None and age_s < (LEFT_S if node.has_left else TTL_S):
                found.append(node)
        return found

    def drains(self) -> dict[str, Drain]:
        """Return the wishes that can be read."""
        found = ((file.stem, _wish(file)) for file in sorted(self._folder.glob(f"*{_DRAIN}")))
        return {node: wish for node, wish in found if wish is not None}

    def drain(self, node: str, wish: Drain | None) -> None:
        """Write the file of a wish in one step, or delete it."""
        file = self._folder / f"{node}{_DRAIN}"
        fresh = self._folder / f"{node}.wish"
        try:
            if wish is None:
                file.unlink(missing_ok=True)
                return
            self._folder.mkdir(exist_ok=True)
            fresh.write_text(wish.rendered(), encoding="utf-8")
            fresh.replace(file)
        except OSError as error:
            raise StoreUnavailable(f"{file}: {error.strerror}") from None

    def _tidy(self) -> None:
        for file in self._folder.iterdir():
            if file.suffix != _DRAIN and _age_s(file) > FORGET_S:
                file.unlink(missing_ok=True)


def _age_s(file: Path) -> float:
    try:
        return time.time() - os.stat(file).st_mtime
    except OSError:  # deleted in this moment
        return float("inf")


def _read(file: Path) -> Node | None:
    try:
        return Node.of(json.loads(file.read_text(encoding="utf-8")))
    except (OSError, ValueError, RecursionError):
        return None


def _wish(file: Path) -> Drain | None:
    try:
        return Drain.parse(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
