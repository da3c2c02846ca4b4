"""A server whose answers a test chooses, a client's view of what comes of them, and a clock that can be moved on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import gevent
import pytest

from gproxy.core.http1 import split_fields
from gproxy.shared import layout
from gproxy.worker.cache import cache, fetch
from tests.worker.peer import Backend, Peer, response
from tests.worker.stage import Stage

FRESH = b"Cache-Control: max-age=60"
CHUNKED = b"HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nTransfer-Encoding: chunked\r\n\r\n"


@dataclass
class Seen:
    """What a client got."""

    status: int
    fields: dict[str, str]
    body: bytes

    @property
    def told(self) -> str:
        """What Cache-Status says of the gateway."""
        return self.fields.get("cache-status", "").removeprefix("gproxy; ")


@dataclass
class Origin:
    """`answer` is what it says to every request, or what makes that of its head; `got` are the heads so far."""

    answer: bytes | Callable[[bytes], bytes] = b""
    got: list[bytes] = field(default_factory=list)
    gate: gevent.event.Event | None = None
    address: str = ""

    def serve(self, peer: Peer) -> None:
        while head := peer.message()[0]:
            self.got.append(head)
            if self.gate is not None:
                self.gate.wait(10)
            answer = self.answer(head) if callable(self.answer) else self.answer
            if not answer:
                peer.close()
                return
            peer.send(answer)

    def said(self, number: int = -1) -> dict[str, str]:
        """Return the fields of a request that it got."""
        return fields_of(self.got[number])


def fields_of(head: bytes) -> dict[str, str]:
    block = head.partition(b"\r\n")[2].removesuffix(b"\r\n")
    return {name.decode().lower(): value.decode("latin-1") for name, value in split_fields(block)}


@contextmanager
def origin(answer: bytes | Callable[[bytes], bytes] = b"") -> Iterator[Origin]:
    made = Origin(answer or response(b"ok", FRESH))
    with Backend(made.serve) as backend:
        made.address = backend.address
        yield made


def ask(stage: Stage, *lines: bytes, method: bytes = b"GET", target: bytes = b"/x", body: bytes = b"") -> Seen:
    """Send one request and return what came of it."""
    block = b"".join(line + b"\r\n" for line in (b"Host: a", *lines))
    if body:
        block += b"Content-Length: %d\r\n" % len(body)
    with stage.connect() as client:
        client.send(b"%b %b HTTP/1.1\r\n%b\r\n%b" % (method, target, block, body))
        head = client.head()
        fields = fields_of(head)
        status = int(head[9:12])
        bodiless = method == b"HEAD" or status in (204, 304)
        content = b"" if bodiless else client.exactly(int(fields["content-length"]))
    return Seen(status, fields, content)


class Clock:
    """The clock of the store: as the real one, and further on as the test says."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.ahead_s = 0.0
        real, wall = cache.monotonic, fetch.time
        for module in (cache, fetch):
            patch.setattr(module, "monotonic", lambda: real() + self.ahead_s)
        patch.setattr(fetch, "time", lambda: wall() + self.ahead_s)

    def advance(self, seconds: float) -> None:
        self.ahead_s += seconds


def counters(stage: Stage) -> dict[str, int]:
    """Return what the store has counted for the only API: hits, misses and so on."""
    api: Any = next(route for route in stage.runtime.snapshot.compiled.values() if hasattr(route, "target"))  # type: ignore[union-attr]
    names = {name.removeprefix("cache_"): cell for name, cell in layout.API_COUNTER_NAMES.items() if "cache_" in name}
    return {
        name: stage.table.row_total(api.target.row, cell)
        for name, cell in names.items()
        if stage.table.row_total(api.target.row, cell)
    }
