"""What people have written into an etcd store with other tools: where what is shown differs from what is in force."""

import json
import time
from collections.abc import Iterable
from typing import Any, Final

from gproxy.store.base import ABSENT, Stray
from gproxy.store.etcd_layout import Layout
from gproxy.store.etcd_link import EtcdLink
from gproxy.store.etcd_replica import Replica

#: More keys than this are read at once, with all others.
_ONE_BY_ONE: Final = 50
#: A large write that is not shown after so long was made by somebody who has died since.
SHOWN_WITHIN_S: Final = 10.0


class ByHand:
    """Compares keys that may have been touched with the replica's objects."""

    def __init__(self, link: EtcdLink, layout: Layout, replica: Replica) -> None:
        self._link = link
        self._layout = layout
        self._replica = replica
        self._due: set[str] | None = None  # None: all keys
        self._strays: dict[str, Stray] = {}
        self._compared = -1
        self._unshown: tuple[int, float] = (-1, 0.0)

    def note(self, keys: Iterable[str]) -> None:
        """Compare these keys at the next look."""
        if self._due is not None:
            self._due.update(keys)

    def note_all(self) -> None:
        """Compare everything at the next look: nobody watched for a while."""
        self._due = None

    def keys(self, strays: Iterable[Stray]) -> list[str]:
        """Return the keys of strays."""
        wanted = list(strays)
        return [key for key, stray in self._strays.items() if stray in wanted]

    @property
    def is_due(self) -> bool:
        """Tell whether something has to be compared: then the replica must be as new as what was noted."""
        has_moved = self._compared != self._replica.head.revision
        return self._due is None or bool(self._due) or (bool(self._strays) and has_moved)

    def is_left_unshown(self) -> bool:
        """Tell whether a write was not shown for long, so that somebody else has to do it."""
        head, now_s = self._replica.head, time.monotonic()
        if head.shown == head.revision:
            return False
        if self._unshown[0] != head.revision:
            self._unshown = head.revision, now_s
        return now_s - self._unshown[1] > SHOWN_WITHIN_S

    def strays(self) -> list[Stray]:
        """Return all differences, as of the replica's last look. Raises Compacted, StoreError."""
        head = self._replica.head
        if head.shown != head.revision:  # a write is still being shown
            return list(self._strays.values())
        if self._compared != head.revision and self._due is not None:
            self._due.update(self._strays)
        if self._due is None or len(self._due) > _ONE_BY_ONE:
            self._compare_all()
        else:
            for key in sorted(self._due):
                found, _ = self._link.get(key, at=self._replica.at)
                self._compare(key, found[0].value if found else None)
        self._due, self._compared = set(), head.revision
        return list(self._strays.values())

    def _compare_all(self) -> None:
        found, _ = self._link.get(*self._layout.objects, at=self._replica.at)
        shown: dict[str, bytes | None] = {self._layout.object(key): None for key in self._replica.objects}
        shown.update((pair.key, pair.value) for pair in found)
        self._strays.clear()
        for key, value in shown.items():
            self._compare(key, value)

    def _compare(self, key: str, value: bytes | None) -> None:
        """Note whether what a key shows differs from the object that it stands for."""
        self._strays.pop(key, None)
        name = self._layout.key_of(key)
        if name is None:
            if value is not None:
                problem = "is not KIND/NAME"
                self._strays[key] = Stray("", key, None, ABSENT, problem)
            return
        stored = self._replica.objects.get(name)
        document, problem = _parsed(value)
        if problem or document != (stored.document if stored else None):
            self._strays[key] = Stray(*name, document, stored.revision if stored else ABSENT, problem)


def _parsed(value: bytes | None) -> tuple[dict[str, Any] | None, str]:
    """Return the document of a value (None: there is no value), or what is wrong with it."""
    if value is None:
        return None, ""
    try:
        document = json.loads(value)
    except (ValueError, RecursionError) as error:
        return None, f"is not JSON: {error}"
    return (document, "") if isinstance(document, dict) else (None, "must be a JSON object")
