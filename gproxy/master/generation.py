"""One version of the settings in use: its sockets and its worker places."""

import socket
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Self

from gproxy.master.child import WORKER
from gproxy.master.crew import Place
from gproxy.master.listen import Listener, ListenError, open_listener
from gproxy.settings import Settings


class Unlistenable(Exception):
    """Some binds cannot be opened: `problems` has one line for each."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


@dataclass(slots=True)
class Generation:
    """Settings with the listeners that they ask for (public ones in their order), and the workers that run them."""

    settings: Settings
    listeners: tuple[Listener, ...]
    control: Listener
    workers: list[Place] = field(default_factory=list)

    @classmethod
    def open(cls, settings: Settings, open_already: Sequence[tuple[str, Listener]] = ()) -> Self:
        """Open the binds of the settings, taking over those of `open_already` (each with its section).

        Raises Unlistenable with every bind that failed; then nothing that was opened here stays open.
        """
        have = list(open_already)
        found, opened, problems = [], [], []
        for section, bind in _wanted(settings):
            same = [pair for pair in have if pair[1].bind == bind and pair[1].is_in_place()]
            if same:  # port 0 may stand in both sections: each keeps its own
                pair = min(same, key=lambda pair: pair[0] != section)
                have.remove(pair)
                found.append(pair[1])
                continue
            try:
                listener = open_listener(bind)
            except ListenError as error:
                problems.append(f"[{section}] bind = {error}")
                continue
            opened.append(listener)
            found.append(listener)
        if problems:
            for listener in opened:
                listener.close()
            raise Unlistenable(problems)
        made = cls(settings, tuple(found[:-1]), found[-1])
        made.workers = [made.worker_place() for _ in range(settings.gproxy.workers)]
        return made

    def by_section(self) -> list[tuple[str, Listener]]:
        """Return each listener with the section that asks for it."""
        return [*(("gproxy", listener) for listener in self.listeners), ("control", self.control)]

    def all_listeners(self) -> list[Listener]:
        """Return the public listeners and the control one."""
        return [*self.listeners, self.control]

    def close_unless_in(self, other: Self | None) -> None:
        """Close the listeners that another generation does not use."""
        kept = [id(listener) for listener in other.all_listeners()] if other else []
        for listener in self.all_listeners():
            if id(listener) not in kept:
                listener.close()

    def worker_place(self) -> Place:
        """Return a vacant place for one more worker."""
        return Place(WORKER, self.settings, self.sockets())

    def sockets(self) -> tuple[socket.socket, ...]:
        """Return the public listening sockets."""
        return tuple(listener.socket for listener in self.listeners)


def _wanted(settings: Settings) -> list[tuple[str, str]]:
    return [*(("gproxy", bind) for bind in settings.gproxy.bind), ("control", settings.control.bind)]
