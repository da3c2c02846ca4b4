"""Which servers a snapshot wants checked, and how."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from gproxy.core.backends import Endpoint, compile_server
from gproxy.core.health_check import Check, compile_check


@dataclass(frozen=True, slots=True)
class Target:
    """A server to be checked; `row` and `identity` as in core/snapshot.py, `document` is its check as written."""

    name: str
    row: int
    identity: int
    endpoint: Endpoint
    check: Check
    document: dict[str, Any]


def targets(lines: Iterable[bytes]) -> dict[str, Target]:
    """Return the targets of a snapshot's lines by name.

    A server's own check comes before that of its clusters; one whose status is down is left in peace.
    """
    servers: list[tuple[dict[str, Any], int]] = []
    inherited: dict[str, dict[str, Any]] = {}
    for line in lines:
        if line.startswith(b'["server"'):
            _, document, row = json.loads(line)
            if document["status"] != "down":
                servers.append((document, row))
        elif line.startswith(b'["cluster"'):
            _, document, *_ = json.loads(line)
            if document["health_check"] is not None:
                inherited |= dict.fromkeys(document["servers"], document["health_check"])
    found = {}
    for document, row in servers:
        written = document["health_check"] or inherited.get(document["name"])
        if written is None or written["type"] == "off":
            continue
        server = compile_server(document, row)
        check = compile_check(written, server.host_line)
        assert check is not None
        found[server.name] = Target(server.name, row, server.identity, server.endpoint, check, written)
    return found
