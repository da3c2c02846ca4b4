import logging
from collections.abc import Callable
from pathlib import Path

import pytest
from gevent.event import Event
from greenlet import getcurrent

from gproxy.shared import layout
from gproxy.worker.deadlines import NEVER
from gproxy.worker.runtime import NO_LIMIT
from tests.worker.peer import Backend, Peer, answers, eventually, response
from tests.worker.stage import Stage, in_loop

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


def test_limits_that_are_off(staged: Callable[..., Stage]) -> None:
    off = dict.fromkeys(("head_bytes", "head_fields", "target_bytes", "body_bytes"), 0)
    runtime = staged(limits=off, timeouts={"head_s": 0, "client_idle_s": 0, "body_s": 0}).runtime
    assert runtime.head_bytes == runtime.head_fields == runtime.target_bytes == NO_LIMIT
    assert runtime.body_bytes == 0
    assert runtime.head_s == runtime.client_idle_s == runtime.deadlines.stall_s == NEVER


def test_tasks_borrow_greenlets(stage: Stage) -> None:
    ran: list[object] = []

    def task() -> None:
        ran.append(getcurrent())

    for _ in range(5):
        in_loop(lambda: stage.runtime.start(task))
    assert len(ran) == 5
    assert len(set(ran)) == 1
    assert getcurrent() not in ran


def test_a_task_may_park_while_others_run(stage: Stage) -> None:
    ran: list[str] = []
    go_on = Event()

    def waiting() -> None:
        go_on.wait()
        ran.append("waiting")

    stage.runtime.start_soon(waiting)
    stage.runtime.start_soon(lambda: ran.append("other"))
    assert ran == []
    eventually(lambda: ran == ["other"])
    go_on.set()
    eventually(lambda: ran == ["other", "waiting"])


def test_a_task_that_fails_is_logged_and_harms_nobody(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    ran: list[int] = []

    def fail() -> None:
        raise ZeroDivisionError

    with caplog.at_level(logging.ERROR):
        stage.runtime.start_soon(fail)
        stage.runtime.start_soon(lambda: ran.append(1))
        eventually(lambda: ran)
    assert [record.message for record in caplog.records] == ["a task of the worker failed"]


def test_connections_are_counted_once(stage: Stage) -> None:
    client = stage.exchange().client
    assert stage.cell(layout.CONNECTIONS) == 1
    client.close()
    client.close()
    stage.runtime.forget(client)
    assert (stage.cell(layout.CONNECTIONS), stage.cell(layout.ACCEPTED)) == (0, 1)


def test_known_blocks_are_bounded(stage: Stage) -> None:
    fields = stage.exchange().fields
    for number in range(3000):
        stage.runtime.remember_request_fields(b"Host: %d\r\n" % number, fields)
    assert 0 < len(stage.runtime.known_blocks) <= 1024
    stage.runtime.remember_request_fields(b"A: " + b"x" * 5000, fields)
    assert all(len(block) < 5000 for block in stage.runtime.known_blocks)


def test_equal_blocks_are_parsed_once_but_each_request_is_its_own(stage: Stage) -> None:
    def echo(peer: Peer) -> None:
        while head := peer.head():
            peer.send(response(head.split(b" ")[1]))

    with Backend(echo) as backend:
        stage.proxy_to(backend)
        client = stage.connect()
        for target in (b"/1", b"http://b/2", b"/3"):
            client.send(GET.replace(b"/", target, 1))
            assert client.message()[1] == b"/" + target[-1:]
        assert len(stage.runtime.known_blocks) == 1


def test_servers_of_one_endpoint_share_connections_over_configurations(stage: Stage) -> None:
    with Backend(answers(response())) as backend:
        client = stage.connect()
        for number in range(3):
            server = {"name": f"n{number}", "address": backend.address, "weight": number + 1}
            cluster = {"name": f"c{number}", "servers": [server["name"]]}
            api = {"name": "all", "path": "/*", "nodes": [{"cluster": cluster["name"]}]}
            stage.use([server], [cluster], [api])
            client.send(GET)
            assert client.message()[1] == b"ok"
        assert len(backend.peers) == 1
        assert stage.cell(layout.UPSTREAM_REUSED) == 2


def test_connections_to_servers_that_are_gone_are_closed(stage: Stage) -> None:
    ended: list[bytes] = []

    def script(peer: Peer) -> None:
        peer.head()
        peer.send(response())
        ended.append(peer.rest())

    with Backend(script) as backend:
        stage.proxy_to(backend)
        client = stage.connect()
        client.send(GET)
        client.message()
        stage.use()
        eventually(lambda: ended == [b""])


def test_a_request_in_flight_ends_on_the_configuration_it_began_with(stage: Stage) -> None:
    go_on = Event()
    ended: list[bytes] = []

    def script(peer: Peer) -> None:
        peer.head()
        go_on.wait()
        peer.send(response())
        ended.append(peer.rest())

    with Backend(script) as backend:
        stage.proxy_to(backend)
        client = stage.connect()
        client.send(GET)
        eventually(lambda: backend.peers)
        stage.use()
        go_on.set()
        assert client.message()[1] == b"ok"
        eventually(lambda: ended == [b""])  # and its connection is not kept


def test_the_turns_of_a_cluster_go_on_over_configurations(stage: Stage) -> None:
    with Backend(answers(response(b"1"))) as one, Backend(answers(response(b"2"))) as two:
        client = stage.connect()
        got = []
        for _ in range(6):
            stage.proxy_to(one, two)
            client.send(GET)
            got.append(client.message()[1])
        assert got in ([b"1", b"2"] * 3, [b"2", b"1"] * 3)


def test_the_access_log(staged: Callable[..., Stage], tmp_path: Path) -> None:
    stage = staged(log={"access": tmp_path / "log", "access_format": "combined"})
    client = stage.connect()
    client.send(GET)
    client.message()
    assert stage.runtime.access_log is not None
    stage.runtime.access_log.close()
    assert b'"GET / HTTP/1.1" 503 ' in (tmp_path / "log").read_bytes()


def test_lines_that_are_lost_are_counted(staged: Callable[..., Stage]) -> None:
    stage = staged(log={"access": "/dev/full"})
    client = stage.connect()
    client.send(GET)
    client.message()
    eventually(lambda: stage.cell(layout.LOG_DROPPED) == 1)
