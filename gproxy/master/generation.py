"""One version of the settings in use: its sockets and its worker places."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Self

from gproxy.entrances import entrances
from gproxy.master.child import WORKER
from gproxy.master.crew import Place
from gproxy.master.listen import Listener, ListenError, open_listener
from gproxy.role import TlsShare
from gproxy.settings import Settings
from gproxy.shared.cache import CacheMemory


class Unlistenable(Exception):
    """Some binds cannot be opened, or there is no certificate for them: `problems` has one line for each."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


@dataclass(slots=True)
class Generation:
    """Settings with the listeners that they ask for (public ones in their order), and the workers that run them.

    `tls` is None when no address speaks TLS, `cache` when no answers are stored.
    """

    settings: Settings
    listeners: tuple[Listener, ...]
    control: Listener
    tls: TlsShare | None = None
    cache: CacheMemory | None = None
    workers: list[Place] = field(default_factory=list)

    @classmethod
    def open(
        cls,
        settings: Settings,
        open_already: Sequence[tuple[str, Listener]] = (),
        before: Self | None = None,
    ) -> Self:
        """Open the binds of the settings, taking over those of `open_already` (each with its key).

        `before` is the generation in whose place this one comes: it goes on with its listeners, its keys for TLS and
        its stored answers. Raises Unlistenable with everything that failed; then nothing opened here stays open.
        """
        have = list(open_already) if before is None else before.by_section()
        found, opened, problems = [], [], []
        for key, bind in _wanted(settings):
            same = [pair for pair in have if pair[1].bind == bind and pair[1].is_in_place()]
            if same:  # port 0 may stand in several sections: each keeps its own
                pair = min(same, key=lambda pair: pair[0] != key)
                have.remove(pair)
                found.append(pair[1])
                continue
            try:
                listener = open_listener(bind)
            except ListenError as error:
                problems.append(f"{key} = {error}")
                continue
            opened.append(listener)
            found.append(listener)
        tls = None
        if settings.tls.bind:
            from gproxy.master.tls import CannotSpeakTls, share_for  # a master without TLS has no use for it

            try:
                tls = share_for(settings.tls, before.tls if before is not None else None)
            except (CannotSpeakTls, OSError) as error:
                problems.append(str(error))
        cache = None
        try:
            cache = _cache_for(settings.cache.bytes, before)
        except OSError as error:
            problems.append(f"[cache] bytes = {settings.cache.bytes}: cannot be set aside: {error.strerror}")
        if problems:
            for listener in opened:
                listener.close()
            if tls is not None:
                tls.vault.close()
            if cache is not None and (before is None or cache is not before.cache):
                cache.close()
            raise Unlistenable(problems)
        made = cls(settings, tuple(found[:-1]), found[-1], tls, cache)
        made.workers = [made.worker_place() for _ in range(settings.gproxy.workers)]
        return made

    def by_section(self) -> list[tuple[str, Listener]]:
        """Return each listener with the key of the section that asks for it."""
        return list(zip((key for key, _ in _wanted(self.settings)), self.all_listeners(), strict=True))

    def addresses(self) -> tuple[str, ...]:
        """Return the public addresses as binds, with the ports that were really given."""
        return tuple(listener.address for listener in self.listeners)

    def all_listeners(self) -> list[Listener]:
        """Return the public listeners and the control one."""
        return [*self.listeners, self.control]

    def close_unless_in(self, other: Self | None) -> None:
        """Close what another generation does not use, and forget the keys of the certificates."""
        kept = [id(listener) for listener in other.all_listeners()] if other else []
        for listener in self.all_listeners():
            if id(listener) not in kept:
                listener.close()
        if self.tls is not None:
            self.tls.vault.close()
        if self.cache is not None and (other is None or other.cache is not self.cache):
            self.cache.close()

    def worker_place(self) -> Place:
        """Return a vacant place for one more worker."""
        return Place(WORKER, self.settings, self.sockets(), self.tls, cache=self.cache)

    def sockets(self) -> tuple[socket.socket, ...]:
        """Return the public listening sockets."""
        return tuple(listener.socket for listener in self.listeners)


def _cache_for(size: int, before: Generation | None) -> CacheMemory | None:
    """Return the memory for stored answers: that of the generation before, if it has the size. Raises OSError."""
    if not size:
        return None
    if before is not None and before.cache is not None and before.cache.asked == size:
        return before.cache
    return CacheMemory.create(size)


def _wanted(settings: Settings) -> list[tuple[str, str]]:
    public = ((entrance.key, entrance.bind) for entrance in entrances(settings))
    return [*public, ("[control] bind", settings.control.bind)]
