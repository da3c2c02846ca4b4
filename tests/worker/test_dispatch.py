import json
from pathlib import Path
from typing import Any

import pytest

from gproxy.core.http1 import split_fields
from gproxy.shared import layout
from gproxy.worker.connector import Connector
from gproxy.worker.link import Wire
from tests.worker.peer import Backend, Peer, answers, eventually, response
from tests.worker.stage import Stage

GET = b"GET /a?b HTTP/1.1\r\nHost: a\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"


def failed(client: Peer) -> tuple[bytes, str]:
    """Read a problem document: (status, code)."""
    head, body = client.message()
    return head[9:12], json.loads(body)["code"]


def head_for(stage: Stage, request: bytes, path: Path | None = None, **api: object) -> bytes:
    """Return the head that a server gets for a request."""
    heads = []

    def script(peer: Peer) -> None:
        heads.append(peer.head())
        peer.send(response())

    with Backend(script, path) as backend:
        stage.proxy_to(backend, **api)
        client = stage.connect()
        client.send(request)
        client.message()
    return heads[0].replace(backend.address.encode(), b"<address>")


def test_the_request_line_is_sent_on_to_the_letter(stage: Stage) -> None:
    target = b"/%41//b%2F?x=%zz&y=[]"
    assert head_for(stage, GET.replace(b"/a?b", target)).startswith(b"GET %b HTTP/1.1\r\nHost: a\r\n" % target)


@pytest.mark.parametrize(
    ("minor", "lines", "preserve_host", "host"),
    [
        (b"1", b"Host: A:80\r\n", True, b"A:80"),
        (b"1", b"Host: A:80\r\n", False, b"<address>"),
        (b"0", b"Host: A:80\r\n", True, b"A:80"),
        (b"0", b"", True, b"<address>"),
        (b"0", b"", False, b"<address>"),
        (b"0", b"Host:\r\n", True, b"<address>"),
        (b"1", b"X: y\r\nHost: A\r\nZ: z\r\n", False, b"<address>"),
    ],
)
def test_a_server_gets_one_host(stage: Stage, minor: bytes, lines: bytes, preserve_host: bool, host: bytes) -> None:
    request = b"GET / HTTP/1.%b\r\n%b\r\n" % (minor, lines)
    line, _, block = head_for(stage, request, preserve_host=preserve_host).partition(b"\r\n")
    assert line == b"GET / HTTP/1.1"
    fields = split_fields(block[:-2])
    assert [value for name, value in fields if name.lower() == b"host"] == [host]
    assert fields[0][0] == b"Host"
    assert [name for name, _ in fields if name in (b"X", b"Z")] == [name for name in (b"X", b"Z") if name in lines]


def test_host_of_a_unix_socket(stage: Stage, tmp_path: Path) -> None:
    assert b"\r\nHost: localhost\r\n" in head_for(stage, GET, tmp_path / "s", preserve_host=False)


def test_servers_take_turns(stage: Stage) -> None:
    with Backend(answers(response(b"1"))) as one, Backend(answers(response(b"2"))) as two:
        stage.proxy_to(one, two)
        client = stage.connect()
        got = []
        for _ in range(6):
            client.send(GET)
            got.append(client.message()[1])
    assert got in ([b"1", b"2"] * 3, [b"2", b"1"] * 3)
    assert stage.cell(layout.UPSTREAM_CONNECTS) == 2
    assert stage.cell(layout.UPSTREAM_REUSED) == 4


def test_backups_stand_in_only_while_there_is_nobody_else(stage: Stage) -> None:
    with Backend(answers(response(b"main"))) as main, Backend(answers(response(b"backup"))) as backup:
        client = stage.connect()
        for status, expected in (("up", b"main"), ("down", b"backup"), ("drain", b"backup"), ("up", b"main")):
            servers: list[dict[str, Any]] = [
                {"name": "m", "address": main.address, "status": status},
                {"name": "b", "address": backup.address, "backup": True},
            ]
            cluster = {"name": "c", "servers": ["m", "b"]}
            stage.use(servers, [cluster], [{"name": "all", "path": "/*", "nodes": [{"cluster": "c"}]}])
            for _ in range(2):
                client.send(GET)
                assert client.message()[1] == expected


def test_no_usable_server(stage: Stage) -> None:
    stage.proxy_to()
    client = stage.connect()
    client.send(GET)
    assert failed(client) == (b"503", "no_server")


def test_connect_refused(stage: Stage) -> None:
    with Backend(answers()) as backend:
        pass
    stage.proxy_to(backend.address)
    client = stage.connect()
    for _ in range(2):  # the client's connection stays
        client.send(GET)
        assert failed(client) == (b"502", "bad_upstream")


def closes_on_second(peer: Peer) -> None:
    """Answer one request, then read another one and close without a word: the keep-alive race."""
    if peer.message()[0]:
        peer.send(response(b"first"))
        peer.message()
        peer.close()


@pytest.mark.parametrize("method", [b"GET", b"HEAD", b"PUT", b"DELETE", b"OPTIONS", b"TRACE"])
def test_an_idempotent_request_on_a_stale_connection_is_sent_again(stage: Stage, method: bytes) -> None:
    with Backend(closes_on_second) as backend:
        stage.proxy_to(backend)
        client = stage.connect()
        client.send(GET)
        assert client.message()[1] == b"first"
        client.send(GET.replace(b"GET", method))
        assert client.head().startswith(b"HTTP/1.1 200 OK\r\n")
        assert stage.cell(layout.RESENDS) == 1
        assert len(backend.peers) == 2


def test_a_put_with_its_body_at_hand_is_sent_again(stage: Stage) -> None:
    with Backend(closes_on_second) as backend:
        stage.proxy_to(backend)
        client = stage.connect()
        for _ in range(2):
            client.send(POST.replace(b"POST", b"PUT"))
            assert client.message()[1] == b"first"
        assert stage.cell(layout.RESENDS) == 1


@pytest.mark.parametrize("method", [b"POST", b"PATCH", b"LOCK"])
def test_a_post_is_never_sent_again(stage: Stage, method: bytes) -> None:
    with Backend(closes_on_second) as backend:
        stage.proxy_to(backend)
        client = stage.connect()
        client.send(GET)
        client.message()
        client.send(POST.replace(b"POST", method))
        assert failed(client) == (b"502", "bad_upstream")
        assert stage.cell(layout.RESENDS) == 0
        assert len(backend.peers) == 1


def test_a_request_is_sent_again_once(stage: Stage) -> None:
    def script(peer: Peer) -> None:
        if peer.message()[0] and peer is backend.peers[0]:
            peer.send(response())
            peer.message()
        peer.close()

    with Backend(script) as backend:
        stage.proxy_to(backend)
        client = stage.connect()
        client.send(GET)
        client.message()
        client.send(GET)
        assert failed(client) == (b"502", "bad_upstream")
        assert len(backend.peers) == 2


def test_a_fresh_connection_that_fails_is_the_answer(stage: Stage) -> None:
    with Backend(lambda peer: (peer.message(), peer.close())) as backend:  # type: ignore[func-returns-value]
        stage.proxy_to(backend)
        client = stage.connect()
        client.send(GET)
        assert failed(client) == (b"502", "bad_upstream")
        assert len(backend.peers) == 1


def test_a_request_whose_answer_has_begun_is_not_sent_again(stage: Stage) -> None:
    def script(peer: Peer) -> None:
        peer.message()
        peer.send(response())
        peer.message()
        peer.send(b"HTTP/1.1 200")
        peer.close()

    with Backend(script) as backend:
        stage.proxy_to(backend)
        client = stage.connect()
        client.send(GET)
        client.message()
        client.send(GET)
        assert failed(client) == (b"502", "bad_upstream")
        assert len(backend.peers) == 1


def test_a_connection_is_not_reused_after_a_failure(stage: Stage) -> None:
    with Backend(answers(b"nonsense\r\n\r\n")) as backend:
        stage.proxy_to(backend)
        client = stage.connect()
        for _ in range(3):
            client.send(GET)
            assert failed(client)[0] == b"502"
        assert len(backend.peers) == 3


@pytest.mark.parametrize(
    ("lines", "connections"),
    [([], 1), ([b"Connection: close"], 3), ([b"Connection: keep-alive"], 1), ([b"Keep-Alive: timeout=30"], 1)],
)
def test_connections_are_reused_as_the_server_allows(stage: Stage, lines: list[bytes], connections: int) -> None:
    with Backend(answers(response(b"ok", *lines))) as backend:
        stage.proxy_to(backend)
        client = stage.connect()
        for _ in range(3):
            client.send(GET)
            assert client.message()[1] == b"ok"
        assert len(backend.peers) == connections


def test_a_client_that_leaves_while_we_connect(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    heads: list[bytes] = []

    class Slow(Connector):
        def connect(self) -> Wire:
            client.close()
            eventually(lambda: all(served.gone for served in stage.runtime.clients))
            return super().connect()

    with Backend(lambda peer: heads.append(peer.head())) as backend:
        stage.proxy_to(backend)
        client = stage.connect()
        monkeypatch.setattr("gproxy.worker.upstream.connector_for", Slow)
        client.send(GET)
        eventually(lambda: stage.cell(layout.CLIENT_GONE) == 1)
        eventually(lambda: heads == [b""])  # the connection was closed unused
