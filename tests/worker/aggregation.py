"""Aggregations against real servers: each node has a server of its own that runs a script."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import gevent

from gproxy.core.http1 import split_fields
from tests.worker.peer import Backend, Peer
from tests.worker.stage import Stage

Script = Callable[[Peer], object]
GET = b"GET /u/7?q=1 HTTP/1.1\r\nHost: a.test\r\n\r\n"
JSON = b"Content-Type: application/json"


@dataclass
class Answer:
    """What the client got, and `got`: what the server of each node got, heads and bodies."""

    status: int
    fields: list[tuple[str, str]]
    body: bytes
    got: dict[str, list[tuple[bytes, bytes]]] = field(default_factory=dict)

    def values(self, name: str) -> list[str]:
        return [value for key, value in self.fields if key == name]

    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def parts(self) -> list[str]:
        """X-Gateway-Parts without the times."""
        found = [part.strip() for value in self.values("x-gateway-parts") for part in value.split(",")]
        return [";".join(item for item in part.split(";") if not item.startswith("ms=")) for part in found]

    @property
    def completed(self) -> list[str]:
        return self.values("x-gateway-completed")


def says(body: bytes = b"{}", *lines: bytes, status: int = 200) -> bytes:
    """Return an answer that is JSON unless one of the lines says otherwise."""
    media = () if any(line.lower().startswith(b"content-type") for line in lines) else (JSON,)
    block = b"".join(line + b"\r\n" for line in (*media, *lines, b"Content-Length: %d" % len(body)))
    return b"HTTP/1.1 %d Said\r\n%b\r\n%b" % (status, block, body)


def never(peer: Peer) -> None:
    """Read a request and do not answer; end with the connection."""
    peer.message()
    peer.rest()


def closes(peer: Peer) -> None:
    """Read a request and close without a word."""
    peer.message()
    peer.close()


def breaks_off(peer: Peer) -> None:
    """Begin an answer and close."""
    peer.message()
    peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhal")
    peer.close()


def in_turn(*steps: bytes | Script) -> Script:
    """Return a script whose connections do one of these each, the last one again and again."""
    left = list(steps)

    def script(peer: Peer) -> None:
        step = left.pop(0) if len(left) > 1 else left[0]
        (step if callable(step) else after(0, step))(peer)

    return script


def after(seconds: float, answer: bytes) -> Script:
    """Return a script that takes its time for every answer."""

    def script(peer: Peer) -> None:
        while peer.message()[0]:
            gevent.sleep(seconds)
            peer.send(answer)

    return script


class Kitchen:
    """A stage whose only API has these nodes: attr -> answer or script, with fields of the node in `more`."""

    def __init__(
        self, stage: Stage, nodes: Mapping[str, bytes | Script], more: Mapping[str, Any] | None = None, **api: Any
    ) -> None:
        self.stage = stage
        self.got: dict[str, list[tuple[bytes, bytes]]] = {attr: [] for attr in nodes}
        self._stack = ExitStack()
        self.backends = {attr: self._stack.enter_context(Backend(self._script(attr, nodes[attr]))) for attr in nodes}
        servers = [{"name": attr, "address": backend.address} for attr, backend in self.backends.items()]
        clusters = [{"name": attr, "servers": [attr]} for attr in nodes]
        documents = [{"cluster": attr, "attr": attr, **(more or {}).get(attr, {})} for attr in nodes]
        stage.use(servers, clusters, [{"name": "whole", "path": "/*", "nodes": documents, **api}])

    def __enter__(self) -> Kitchen:
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    def open_connections(self, count: int = 1) -> None:
        """Let the worker have open connections to every server, which have carried nothing yet."""
        assert self.stage.runtime.snapshot is not None
        for cluster in self.stage.runtime.snapshot.clusters.values():
            pool = self.stage.runtime.pool(cluster.members[0])
            for upstream in [pool.connect(5) for _ in range(count)]:
                pool.give(upstream, 0)

    def ask(self, request: bytes = GET) -> Answer:
        """Send a request over a connection of its own and return the answer."""
        with self.stage.connect() as client:
            client.send(request)
            head, body = client.head(), b""
            line, _, block = head.partition(b"\r\n")
            fields = [(name.decode().lower(), value.decode("latin-1")) for name, value in split_fields(block[:-2])]
            status = int(line.split(b" ")[1])
            if not request.startswith(b"HEAD") and status not in (204, 304):
                body = client.exactly(int(dict(fields)["content-length"]))
        return Answer(status, fields, body, self.got)

    def _script(self, attr: str, answer: bytes | Script) -> Script:
        if callable(answer):
            return self._noting(attr, answer)

        def script(peer: Peer) -> None:
            while True:
                head, body = peer.message()
                if not head:
                    return
                self.got[attr].append((head, body))
                peer.send(answer)

        return script

    def _noting(self, attr: str, script: Script) -> Script:
        """Return the script with every request that it reads noted."""

        def noting(peer: Peer) -> None:
            read = peer.message

            def message() -> tuple[bytes, bytes]:
                found = read()
                if found[0]:
                    self.got[attr].append(found)
                return found

            peer.message = message  # type: ignore[method-assign]
            script(peer)

        return noting


def whole(
    stage: Stage,
    nodes: Mapping[str, bytes | Script],
    more: Mapping[str, Any] | None = None,
    request: bytes = GET,
    **api: Any,
) -> Answer:
    """Ask such an API once."""
    with Kitchen(stage, nodes, more, **api) as kitchen:
        return kitchen.ask(request)
