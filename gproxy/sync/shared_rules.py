"""What in a configuration concerns all nodes together: shared limits, and shared circuits of servers."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

#: How normalised documents say so; all other lines need not be read. (These words may stand elsewhere, too.)
_SHARED_LIMIT: Final = b'"scope":"cluster"'
_SHARED_CIRCUIT: Final = b'"share":"cluster"'


@dataclass(frozen=True, slots=True)
class SharedLimit:
    """The limit of an API; `rate` is requests per second, None when each key has it for itself."""

    row: int
    rate: float | None


@dataclass(frozen=True, slots=True)
class SharedCircuit:
    """The circuit of a server; `quorum` nodes must have opened theirs."""

    row: int
    quorum: int
    open_us: int
    max_open_us: int


@dataclass(frozen=True, slots=True)
class SharedRules:
    """Limits by API, circuits by server."""

    limits: Mapping[str, SharedLimit] = field(default_factory=dict)
    circuits: Mapping[str, SharedCircuit] = field(default_factory=dict)


def shared_rules(lines: Sequence[bytes]) -> SharedRules:
    """Return what the lines of a snapshot say."""
    apis = (json.loads(line) for line in lines if line.startswith(b'["api"') and _SHARED_LIMIT in line)
    limits = dict(_limit(api, row) for _, api, row in apis if _has_shared_limit(api))
    if not any(_SHARED_CIRCUIT in line for line in lines):
        return SharedRules(limits)
    circuits: dict[str, SharedCircuit] = {}
    servers = {
        document["name"]: (document, row)
        for _, document, row in (json.loads(line) for line in lines if line.startswith(b'["server"'))
    }
    for line in lines:
        if line.startswith(b'["cluster"') and _SHARED_CIRCUIT in line:
            cluster = json.loads(line)[1]
            for name in cluster["servers"]:
                server, row = servers[name]
                if server["circuit_breaker"] is None and _is_shared(cluster):
                    circuits[name] = _circuit(row, cluster["circuit_breaker"])
    for name, (server, row) in servers.items():
        if _is_shared(server):
            circuits[name] = _circuit(row, server["circuit_breaker"])
    return SharedRules(limits, circuits)


def _has_shared_limit(api: Mapping[str, Any]) -> bool:
    limit = api["rate_limit"]
    return limit is not None and limit["scope"] == "cluster"


def _limit(api: Mapping[str, Any], row: int) -> tuple[str, SharedLimit]:
    limit = api["rate_limit"]
    return api["name"], SharedLimit(row, limit["rate"] / limit["per_s"] if limit["key"] == "none" else None)


def _is_shared(document: Mapping[str, Any]) -> bool:
    breaker = document["circuit_breaker"]
    return breaker is not None and breaker["share"] == "cluster"


def _circuit(row: int, breaker: Mapping[str, Any]) -> SharedCircuit:
    open_us = round(1e6 * breaker["open_s"])
    return SharedCircuit(row, breaker["quorum"], open_us, max(open_us, round(1e6 * breaker["max_open_s"])))
