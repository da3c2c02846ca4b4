"""The objects of the configuration in use, by their rows: whose figures the cells are, and whom events are about."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from gproxy.core.events import Thing


@dataclass(frozen=True, slots=True)
class Named:
    """An object with its row; whether it has a circuit breaker of its own, or makes copies."""

    thing: Thing
    name: str
    row: int
    has_breaker: bool
    is_mirror: bool = False


Objects = Mapping[int, Named]

_THINGS = {"server": Thing.SERVER, "cluster": Thing.CLUSTER, "api": Thing.API, "routing": Thing.ROUTING}


def objects(lines: Iterable[bytes]) -> Objects:
    """Return what the lines of a snapshot name, by row; a cluster's circuit breaker is one of each of its servers."""
    found = {}
    guarded: set[str] = set()
    for line in lines:
        kind, document, *rest = json.loads(line)
        has_breaker = document.get("circuit_breaker") is not None
        if kind in _THINGS and rest:
            (row,) = rest
            is_cluster, is_mirror = kind == "cluster", document.get("action") == "mirror"
            found[row] = Named(_THINGS[kind], document["name"], row, has_breaker and not is_cluster, is_mirror)
            if is_cluster and has_breaker:
                guarded.update(document["servers"])
    return {
        row: replace(named, has_breaker=True) if named.thing is Thing.SERVER and named.name in guarded else named
        for row, named in found.items()
    }
