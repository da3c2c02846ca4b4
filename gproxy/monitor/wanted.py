"""How much of the figures a question to /stats asks for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Self

from gproxy.core.events import Thing
from gproxy.monitor.history import SECONDS

#: `?history=`: none, that of the node, or that of workers and busy objects as well (some megabytes).
HISTORIES: Final = ("none", "node", "all")
#: `?objects=`: all servers, APIs and routing rules, those with traffic lately or trouble, or none.
OBJECTS: Final = ("all", "busy", "none")
_SWITCHES: Final = {"false": False, "true": True}


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is told: `seconds` of `history`; with `buckets` the histograms that percentiles come from.

    With names, only those servers (`?server=`), APIs (`?api=`) and rules (`?routing=`) are told, each may be given
    several times.
    """

    history: str = "node"
    seconds: int = SECONDS
    objects: str = "all"
    buckets: bool = False
    servers: frozenset[str] = frozenset()
    apis: frozenset[str] = frozenset()
    routings: frozenset[str] = frozenset()

    @classmethod
    def read(cls, query: Mapping[str, Sequence[str]]) -> Self:
        """Return what a query asks for. Raises ValueError with a sentence."""

        def one_of(name: str, words: Sequence[str], default: str) -> str:
            word = query.get(name, [default])[-1]
            if word not in words:
                raise ValueError(f"{name} is one of {', '.join(words)}")
            return word

        seconds = query.get("seconds", [str(SECONDS)])[-1]
        if not (seconds.isascii() and seconds.isdigit()):
            raise ValueError("seconds is a number")
        return cls(
            one_of("history", HISTORIES, "node"),
            min(int(seconds), SECONDS),
            one_of("objects", OBJECTS, "all"),
            _SWITCHES[one_of("buckets", tuple(_SWITCHES), "false")],
            frozenset(query.get("server", ())),
            frozenset(query.get("api", ())),
            frozenset(query.get("routing", ())),
        )

    @property
    def has_names(self) -> bool:
        """Tell whether only some objects are asked for, by name."""
        return bool(self.servers or self.apis or self.routings)

    def names(self, thing: Thing) -> frozenset[str]:
        """Return the names that are asked for of one kind of object."""
        return {Thing.SERVER: self.servers, Thing.API: self.apis, Thing.ROUTING: self.routings}[thing]
