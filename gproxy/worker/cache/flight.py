"""A request that is on its way for several: the others wait until it has landed."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic
from typing import TYPE_CHECKING

from gproxy.worker.link import ClientGone, hub
from gproxy.worker.pause import Pause

if TYPE_CHECKING:
    from gproxy.core.cache_entry import Entry
    from gproxy.core.cache_vary import Variants
    from gproxy.worker.cache.question import Question
    from gproxy.worker.connection import Client


class Flight:
    """It lands with an `entry`, or without: then `is_hopeless` says whether waiting for another one is in vain.

    `landed` is called with it then, before anybody who waits.
    """

    __slots__ = ("_has_landed", "_landed", "_variants", "_waiting", "entry", "is_hopeless")

    def __init__(self, landed: Callable[[Flight], None]) -> None:
        self.entry: Entry | None = None
        self.is_hopeless = False
        self._has_landed = False
        self._landed = landed
        self._variants: Variants | None = None
        self._waiting: list[Pause] = []

    def wait(self, client: Client, until_s: float) -> None:
        """Return when it has landed, or at that time (monotonic); raises ClientGone."""
        pause = Pause()
        self._waiting.append(pause)
        try:
            rest(client, pause, until_s)
        finally:
            self._waiting.remove(pause)

    def land(self, entry: Entry | None, variants: Variants | None = None, is_hopeless: bool = False) -> None:
        """Tell those who wait what has come; only the first word counts."""
        if self._has_landed:
            return
        self._has_landed = True
        self.entry, self._variants, self.is_hopeless = entry, variants, is_hopeless
        self._landed(self)
        for pause in self._waiting:
            hub.loop.run_callback(pause.wake)

    def answer_to(self, question: Question) -> Entry | None:
        """Return what has come if it answers this question as well."""
        entry = self.entry
        if entry is None or not question.may_have(entry):
            return None
        key = question.key if self._variants is None else self._variants.key(question.key, question.block)
        return entry if entry.key == key else None


def rest(client: Client, pause: Pause, until_s: float) -> None:
    """Sleep until that time (monotonic) or until somebody wakes the pause; raises ClientGone."""
    if client.gone:
        raise ClientGone("closed by the client")
    client.waits_for = pause
    try:
        pause.sleep(until_s - monotonic())
    finally:
        client.waits_for = None
