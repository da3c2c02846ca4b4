"""One attempt: how far a request came when its server failed, and what becomes of an answer nobody wants."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from gproxy.core.errors import Stage as Progress
from gproxy.core.errors import UpstreamError
from gproxy.core.router import Route
from gproxy.worker.attempt import Carrier, Unwanted
from gproxy.worker.deadlines import NEVER
from gproxy.worker.exchange import Exchange
from tests.worker.peer import Backend, Peer, answers, limited, response
from tests.worker.stage import Stage


def closing(peer: Peer) -> None:
    peer.message()
    peer.close()


def silent(peer: Peer) -> None:
    peer.message()
    peer.rest()


def half_a_head(peer: Peer) -> None:
    peer.message()
    peer.send(b"HTTP/1.1 200 OK\r\nContent-")
    peer.rest()


def carry(stage: Stage, address: str, on_head: Callable[[int], None] | None = None) -> None:
    """Make one attempt at a GET."""
    stage.proxy_to(address, timeouts={"response_s": 0.05})
    snapshot = stage.runtime.snapshot
    assert snapshot is not None
    (route,) = (value for value in snapshot.compiled.values() if isinstance(value, Route))
    exchange: Any = Exchange.__new__(Exchange)
    exchange.client = SimpleNamespace(gone=False, waits_for=None)
    exchange.fields = SimpleNamespace(host_value=b"a")
    exchange.method, exchange.target, exchange.minor, exchange.forward = b"GET", b"/", b"1", b"Host: a\r\n"
    exchange.body, exchange.left, exchange.upload, exchange.deadline = b"", 0, None, NEVER
    exchange.status, exchange.answered, exchange.api = 0, 0.0, route.target
    exchange.node = route.target.nodes[0]
    with limited():
        Carrier(stage.runtime).carry(exchange, exchange.node, snapshot.clusters["c"].members[0], on_head)


@pytest.mark.parametrize(
    ("script", "stage_reached", "status"),
    [
        (closing, Progress.SENT, 502),
        (silent, Progress.SENT, 504),
        (half_a_head, Progress.ANSWERED, 504),
        (answers(b"nonsense\r\n\r\n"), Progress.ANSWERED, 502),
    ],
)
def test_how_far_it_came(stage: Stage, script: Callable[[Peer], None], stage_reached: Progress, status: int) -> None:
    with Backend(script) as backend, pytest.raises(UpstreamError) as caught:
        carry(stage, backend.address)
    assert (caught.value.stage, caught.value.status) == (stage_reached, status)


def test_what_could_not_connect_was_not_sent(stage: Stage) -> None:
    with pytest.raises(UpstreamError) as caught:
        carry(stage, "127.0.0.1:1")
    assert caught.value.stage is Progress.UNSENT


@pytest.fixture
def refusing() -> Callable[[int], None]:
    def on_head(status: int) -> None:
        raise Unwanted(status)

    return on_head


def test_the_connection_of_an_unwanted_answer_is_kept_when_it_is_complete(
    stage: Stage, refusing: Callable[[int], None]
) -> None:
    with Backend(answers(response(b"whole"))) as backend:
        for _ in range(3):
            with pytest.raises(Unwanted, match="status 200"):
                carry(stage, backend.address, refusing)
        assert len(backend.peers) == 1
    with Backend(answers(b"HTTP/1.1 503 No\r\nContent-Length: 9\r\n\r\npart")) as backend:
        for _ in range(2):
            with pytest.raises(Unwanted, match="status 503"):
                carry(stage, backend.address, refusing)
        assert len(backend.peers) == 2
