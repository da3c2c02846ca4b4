"""The queue for a place: its order, its bounds, and who leaves it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from gproxy.shared import layout
from gproxy.shared.places import Places
from tests.worker.peer import Backend, Peer, eventually, response
from tests.worker.stage import Stage

#: the rows of the only server and the only API: places in the snapshot file
SERVER, API = 0, 2


class Held:
    """A backend that answers when it is told to, with the target of the request."""

    def __init__(self) -> None:
        self.waiting: list[tuple[Peer, bytes]] = []
        self.backend = Backend(self._serve)

    def _serve(self, peer: Peer) -> None:
        while head := peer.head():
            self.waiting.append((peer, head.split(b" ")[1]))

    def answer_next(self) -> bytes:
        """Wait for a request, answer it, and return its target."""
        eventually(lambda: self.waiting)
        peer, target = self.waiting.pop(0)
        peer.send(response(target))
        return target


@pytest.fixture
def held() -> Iterator[Held]:
    held = Held()
    with held.backend:
        yield held


def queue(stage: Stage, held: Held, size: int = 5, timeout_s: float = 10) -> None:
    stage.proxy_to(held.backend, max_concurrency=1, queue={"size": size, "timeout_s": timeout_s})


def asking(stage: Stage, *targets: str) -> list[Peer]:
    """Let clients ask one after the other, so that they stand in the line in this order."""
    clients = []
    for target in targets:
        client = stage.connect()
        client.send(f"GET {target} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
        clients.append(client)
        eventually(lambda: cell(stage, layout.ROW_ACTIVE) == len(clients))
    return clients


def cell(stage: Stage, offset: int) -> int:
    return stage.runtime.cells[stage.table.row_base(0, API) + offset]


def test_first_come_first_served(stage: Stage, held: Held) -> None:
    queue(stage, held)
    asking(stage, "/1", "/2", "/3", "/4")
    assert cell(stage, layout.ROW_QUEUED) == 3
    assert [held.answer_next() for _ in range(4)] == [b"/1", b"/2", b"/3", b"/4"]
    eventually(lambda: cell(stage, layout.ROW_HELD) == 0)
    assert cell(stage, layout.ROW_QUEUED) == cell(stage, layout.ROW_QUEUED_SINCE) == 0


def test_a_line_has_an_end(stage: Stage, held: Held) -> None:
    queue(stage, held, size=1)
    clients = asking(stage, "/1", "/2")
    late = stage.connect()
    late.send(b"GET /3 HTTP/1.1\r\nHost: a\r\n\r\n")
    assert late.head().startswith(b"HTTP/1.1 503 ")
    assert [held.answer_next() for _ in clients] == [b"/1", b"/2"]


def test_nobody_waits_for_ever(stage: Stage, held: Held) -> None:
    queue(stage, held, timeout_s=0.05)
    clients = asking(stage, "/1", "/2", "/3")
    assert [client.head()[9:12] for client in clients[1:]] == [b"503", b"503"]
    assert cell(stage, layout.ROW_REJECTED) == 2
    assert held.answer_next() == b"/1"


def test_who_leaves_is_not_waited_for(stage: Stage, held: Held) -> None:
    queue(stage, held)
    _, second, _ = asking(stage, "/1", "/2", "/3")
    second.close()
    eventually(lambda: cell(stage, layout.ROW_QUEUED) == 1)
    assert [held.answer_next() for _ in range(2)] == [b"/1", b"/3"]


def test_who_came_first_on_another_worker_goes_first(stage: Stage, held: Held) -> None:
    queue(stage, held)
    stage.table.claim(1)
    others = Places(stage.table, 1)
    others.note_queue(API, 1, 1)
    client = stage.connect()
    client.send(b"GET /1 HTTP/1.1\r\nHost: a\r\n\r\n")
    eventually(lambda: cell(stage, layout.ROW_QUEUED) == 1)
    assert not held.waiting
    others.note_queue(API, 0, 0)
    assert held.answer_next() == b"/1"


def test_a_worker_that_hangs_holds_up_nobody_for_long(stage: Stage, held: Held) -> None:
    queue(stage, held)
    stage.table.claim(1)
    Places(stage.table, 1).note_queue(API, 1, 1)
    asking(stage, "/1")
    assert held.answer_next() == b"/1"


def test_a_place_at_another_worker_is_noticed(stage: Stage, held: Held) -> None:
    queue(stage, held)
    stage.table.claim(1)
    others = Places(stage.table, 1)
    assert others.take(API, 1)
    asking(stage, "/1")
    assert not held.waiting
    others.give_back(API)
    assert held.answer_next() == b"/1"


def test_a_queue_of_a_server(stage: Stage, held: Held) -> None:
    server = {"name": "s", "address": held.backend.address, "max_connections": 1, "queue": {"size": 2}}
    api = {"name": "all", "path": "/*", "nodes": [{"cluster": "c"}]}
    stage.use([server], [{"name": "c", "servers": ["s"]}], [api])
    clients: list[Peer] = []

    def in_line() -> int:
        return stage.table.row_total(SERVER, layout.ROW_HELD) + stage.table.row_total(SERVER, layout.ROW_QUEUED)

    for target in (b"/1", b"/2", b"/3"):
        client = stage.connect()
        client.send(b"GET %b HTTP/1.1\r\nHost: a\r\n\r\n" % target)
        clients.append(client)
        eventually(lambda: in_line() == len(clients))
    assert [held.answer_next() for _ in clients] == [b"/1", b"/2", b"/3"]
