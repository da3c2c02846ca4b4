import json
from collections.abc import Callable, Iterator

import pytest

from gproxy.shared import layout
from gproxy.shared.addresses import Addresses
from gproxy.worker.crowd import CROWDED
from tests.worker.peer import Backend, Peer, answers, eventually, response
from tests.worker.stage import Stage

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


@pytest.fixture
def backend() -> Iterator[Backend]:
    with Backend(answers(response())) as made:
        yield made


def test_one_connection_too_many_of_an_address(staged: Callable[..., Stage], backend: Backend) -> None:
    stage = staged(limits={"connections_per_ip": 2})
    stage.proxy_to(backend)
    first, second = stage.connect(), stage.connect()
    eventually(lambda: stage.cell(layout.CONNECTIONS) == 2)
    third = stage.connect()
    head, body = third.message()
    assert head.startswith(b"HTTP/1.1 503 ")
    assert json.loads(body)["code"] == "overloaded"
    assert third.rest() == b""
    assert stage.cell(layout.CROWDED) == 1
    first.close()
    eventually(lambda: stage.cell(layout.CONNECTIONS) == 1)
    for client in (second, stage.connect()):
        client.send(GET)
        assert client.message()[1] == b"ok"


def test_the_limit_is_that_of_all_workers(staged: Callable[..., Stage]) -> None:
    stage = staged(limits={"connections_per_ip": 3})
    stage.table.claim(1)
    others = Addresses(stage.table, 1)
    for _ in range(2):
        others.enter(others.place(b"127.0.0.1"))
    stage.connect()
    eventually(lambda: stage.cell(layout.CONNECTIONS) == 1)
    assert stage.connect().message()[0].startswith(b"HTTP/1.1 503 ")
    stage.table.release(1)  # that worker has died
    stage.connect()
    eventually(lambda: stage.cell(layout.CONNECTIONS) == 2)


def test_trusted_proxies_speak_for_many(staged: Callable[..., Stage], backend: Backend) -> None:
    stage = staged(limits={"connections_per_ip": 1}, gproxy={"trusted_proxies": "127.0.0.0/8"})
    stage.proxy_to(backend)
    for client in [stage.connect() for _ in range(5)]:
        client.send(GET)
        assert client.message()[1] == b"ok"


def test_without_the_limit_nothing_is_counted(stage: Stage, backend: Backend) -> None:
    stage.proxy_to(backend)
    peer: Peer = stage.connect()
    peer.send(GET)
    peer.message()
    assert stage.runtime.crowd is None
    assert not stage.cell(layout.COUNTS_ADDRESSES)
    assert {client.place for client in stage.runtime.clients} == {0}


def test_counts_return_to_zero(staged: Callable[..., Stage]) -> None:
    stage = staged(limits={"connections_per_ip": 3})
    addresses = Addresses(stage.table, 0)
    place = addresses.place(b"127.0.0.1")
    for _ in range(5):
        clients = [stage.connect() for _ in range(4)]
        assert clients[3].message()[0].startswith(b"HTTP/1.1 503 ")
        assert addresses.count(place) == 3
        for client in clients:
            client.close()
        eventually(lambda: not stage.runtime.clients)
        assert addresses.count(place) == 0


def test_the_answer_at_once_is_a_whole_one() -> None:
    head, _, body = CROWDED.partition(b"\r\n\r\n")
    assert f"Content-Length: {len(body)}".encode() in head
    assert json.loads(body)["status"] == 503
