"""The servers, APIs and routing rules of the configuration in use, by their rows: whose figures the cells are."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from gproxy.core.events import Thing


@dataclass(frozen=True, slots=True)
class Named:
    """A server, an API or a rule with its row; whether it has a circuit breaker."""

    thing: Thing
    name: str
    row: int
    has_breaker: bool


Objects = Mapping[int, Named]

_THINGS = {"server": Thing.SERVER, "api": Thing.API, "routing": Thing.ROUTING}


def objects(lines: Iterable[bytes]) -> Objects:
    """Return what the lines of a snapshot name, by row."""
    found = {}
    for line in lines:
        kind, document, *rest = json.loads(line)
        if kind in _THINGS:
            (row,) = rest
            found[row] = Named(_THINGS[kind], document["name"], row, document.get("circuit_breaker") is not None)
    return found
