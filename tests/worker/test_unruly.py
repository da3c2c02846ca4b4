"""Whatever clients and servers do to each other: all of it ends, is recorded once, and leaves nothing behind."""

import gc
from collections.abc import Callable
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from random import Random

import gevent
import pytest

from gproxy.shared import layout
from gproxy.worker.connection import Client
from gproxy.worker.exchange import Exchange
from tests.worker.peer import Backend, Peer, eventually, response
from tests.worker.stage import Stage

OK = b"HTTP/1.1 200 OK\r\n"
ANSWERS = [
    b"",
    b"nonsense\r\n\r\n",
    OK,
    OK + b"Content-Length: 100\r\n\r\nabc",
    OK + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
    OK + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nzz",
    OK + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    OK + b"\r\nuntil the end",
    b"HTTP/1.1 100 Continue\r\n\r\n" + response(),
    *[response(bytes(size)) for size in (0, 2, 1000, 500_000)] * 3,
]
HEAD = b" / HTTP/1.%d\r\nHost: a\r\n"
REQUESTS = [
    b"GET" + HEAD + b"\r\n",
    b"HEAD" + HEAD + b"\r\n",
    b"POST" + HEAD + b"Content-Length: 100000\r\n\r\n" + bytes(100_000),
    b"POST" + HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    b"POST" + HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhelloX",
    b"PUT" + HEAD + b"Expect: 100-continue\r\nContent-Length: 3\r\n\r\nabc",
    b"bad%d\r\n\r\n",
]
ENDINGS = (Peer.close, Peer.reset, Peer.end)


def slowly(peer: Peer, wire: bytes, random: Random) -> None:
    """Send it in up to three pieces."""
    places = sorted([0, *(random.randrange(len(wire) + 1) for _ in range(random.randrange(3))), len(wire)])
    for begin, end in pairwise(places):
        peer.send(wire[begin:end])
        gevent.sleep(random.random() * 0.01)


def be_a_server(peer: Peer, random: Random) -> None:
    with suppress(AssertionError):  # a request that is cut off
        while head := peer.head():
            if random.random() < 0.7:  # else it does not wait for the body
                if b"chunked" in head:
                    peer.chunked_body()
                elif b"Content-Length: " in head:
                    peer.exactly(int(head.partition(b"Content-Length: ")[2].partition(b"\r\n")[0]))
            slowly(peer, random.choice(ANSWERS), random)
            if random.random() < 0.4:
                random.choice(ENDINGS)(peer)
                return


def be_a_client(peer: Peer, random: Random) -> None:
    for _ in range(random.randrange(1, 5)):
        wire = random.choice(REQUESTS).replace(b"%d", random.choice([b"1", b"1", b"0"])) * random.choice([1, 1, 1, 3])
        slowly(peer, wire[: random.choice([None, None, None, random.randrange(len(wire))])], random)
        if random.random() < 0.3:
            random.choice(ENDINGS)(peer)
        if random.random() < 0.7:
            with gevent.Timeout(0.3, False):  # type: ignore[arg-type]
                peer.sock.recv(random.choice([1, 100, 100_000]))


@pytest.mark.parametrize("seed", [1, 2])
def test_everything_ends(staged: Callable[..., Stage], tmp_path: Path, seed: int) -> None:
    random = Random(seed)
    limits = {"head_s": 0.3, "body_s": 0.2, "client_idle_s": 0.3, "response_s": 0.2, "upstream_idle_s": 0.2}
    stage = staged(timeouts=limits, log={"access": tmp_path / "access"})

    def visit(random: Random) -> None:
        with Peer.connect(stage.listener.getsockname()) as peer, suppress(OSError):
            be_a_client(peer, random)

    with Backend(lambda peer: be_a_server(peer, Random(random.random()))) as backend:
        stage.proxy_to(backend, backend)
        for _ in range(3):
            visits = [gevent.spawn(visit, Random(random.random())) for _ in range(40)]
            gevent.joinall(visits, raise_error=True)
        eventually(lambda: stage.is_quiet() and not stage.cell(layout.CONNECTIONS))
    assert stage.cell(layout.ACCEPTED) == 120
    assert stage.runtime.access_log is not None
    stage.runtime.access_log.close()
    assert len((tmp_path / "access").read_bytes().splitlines()) == stage.requests() > 100
    eventually(lambda: not left_behind(stage))


def left_behind(stage: Stage) -> list[object]:
    """Return what belongs to exchanges that are over."""
    gc.collect()
    clients = [
        thing for thing in gc.get_objects() if issubclass(type(thing), Client) and thing.runtime is stage.runtime
    ]
    exchanges = [thing for thing in gc.get_objects() if issubclass(type(thing), Exchange) and thing.client in clients]
    return [*clients, *exchanges]
