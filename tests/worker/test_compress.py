"""Compression through a worker: what clients of every kind get of answers of every kind."""

import gzip
import json
import zlib
from collections.abc import Callable
from typing import Any

import brotli
import gevent
import pytest
from gevent.event import Event

from tests.worker.peer import WITHIN_S, Backend, Peer, answers, eventually, response
from tests.worker.stage import Stage

TEXT = b"Content-Type: text/plain"
BODY = b"".join(b"line %d of a text\n" % number for number in range(1000))
#: More than is read at once, so that it cannot come whole.
LARGE = BODY * 20


def ask(
    stage: Stage, lines: bytes = b"Accept-Encoding: gzip\r\n", version: bytes = b"1.1", method: bytes = b"GET"
) -> Peer:
    client = stage.connect()
    client.send(b"%b /x HTTP/%b\r\nHost: a\r\n%b\r\n" % (method, version, lines))
    return client


def fields(head: bytes) -> dict[str, str]:
    lines = head.decode("latin-1").split("\r\n")[1:-2]
    return {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}


def chunked(*pieces: bytes) -> bytes:
    framed = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces)
    return b"HTTP/1.1 200 OK\r\n" + TEXT + b"\r\nTransfer-Encoding: chunked\r\n\r\n" + framed + b"0\r\n\r\n"


@pytest.fixture
def served(stage: Stage) -> Callable[..., Any]:
    """Return what serves these answers of a server."""

    def serve(backend: Backend, **compress: Any) -> None:
        stage.proxy_to(backend, compress=compress)

    return serve


@pytest.mark.parametrize(
    ("coding", "decode"), [(b"gzip", gzip.decompress), (b"br", brotli.decompress)], ids=["gzip", "br"]
)
def test_a_whole_answer_has_its_new_length(
    coding: bytes, decode: Callable[[bytes], bytes], stage: Stage, served: Callable[..., Any]
) -> None:
    with Backend(answers(response(BODY, TEXT, b'ETag: "a"'))) as backend:
        served(backend)
        client = ask(stage, b"Accept-Encoding: %b\r\n" % coding)
        for _ in range(2):  # the connection goes on
            head, body = client.message()
            assert decode(body) == BODY
            told = fields(head)
            assert told["content-encoding"] == coding.decode()
            assert (told["vary"], told["etag"]) == ("Accept-Encoding", 'W/"a"')
            assert int(told["content-length"]) == len(body) < len(BODY)
            client.send(b"GET /x HTTP/1.1\r\nHost: a\r\nAccept-Encoding: %b\r\n\r\n" % coding)
        client.message()
    eventually(stage.is_quiet)


@pytest.mark.parametrize(
    "answer", [response(LARGE, TEXT), chunked(LARGE), chunked(BODY, BODY)], ids=["length", "chunked", "whole chunks"]
)
def test_what_comes_in_pieces_has_chunks(answer: bytes, stage: Stage, served: Callable[..., Any]) -> None:
    with Backend(answers(answer)) as backend:
        served(backend)
        client = ask(stage)
        for _ in range(2):
            told = fields(client.head())
            assert (told["transfer-encoding"], told.get("content-length")) == ("chunked", None)
            body, _ = client.chunked_body()
            assert gzip.decompress(body) in (LARGE, BODY * 2)
            client.send(b"GET /x HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\n\r\n")
        client.head()
        client.chunked_body()
        assert len(backend.peers) == 1  # its connection was used again


@pytest.mark.parametrize("answer", [response(LARGE, TEXT), chunked(LARGE)], ids=["length", "chunked"])
def test_a_client_of_http_1_0_gets_the_bare_bytes(answer: bytes, stage: Stage, served: Callable[..., Any]) -> None:
    with Backend(answers(answer)) as backend:
        served(backend)
        client = ask(stage, b"Accept-Encoding: gzip\r\nConnection: keep-alive\r\n", b"1.0")
        told = fields(client.head())
        assert "transfer-encoding" not in told
        assert (told["connection"], told["content-encoding"]) == ("close", "gzip")
        assert gzip.decompress(client.rest()) == LARGE


def test_head_says_what_get_would(stage: Stage, served: Callable[..., Any]) -> None:
    answer = b"HTTP/1.1 200 OK\r\n%b\r\nContent-Length: %d\r\n\r\n" % (TEXT, len(BODY))
    with Backend(answers(answer)) as backend:
        served(backend)
        client = ask(stage, method=b"HEAD")
        told = fields(client.head())
        assert (told["content-encoding"], told["vary"]) == ("gzip", "Accept-Encoding")
        assert "content-length" not in told
        client.send(b"HEAD /x HTTP/1.1\r\nHost: a\r\n\r\n")
        assert int(fields(client.head())["content-length"]) == len(BODY)


@pytest.mark.parametrize(
    ("answer", "lines", "vary"),
    [
        (response(BODY, TEXT), b"", "Accept-Encoding"),
        (response(BODY, TEXT), b"Accept-Encoding: gzip;q=0\r\n", "Accept-Encoding"),
        (response(BODY, TEXT), b"Accept-Encoding: gzip\r\nCache-Control: No-Transform\r\n", "Accept-Encoding"),
        (response(BODY), b"Accept-Encoding: gzip\r\n", None),
        (response(BODY, b"Content-Type: image/png"), b"Accept-Encoding: gzip\r\n", None),
        (response(b"short", TEXT), b"Accept-Encoding: gzip\r\n", None),
        (response(BODY, TEXT, b"Content-Encoding: x"), b"Accept-Encoding: gzip\r\n", None),
        (response(BODY, TEXT, b"Cache-Control: no-transform"), b"Accept-Encoding: gzip\r\n", None),
        (
            response(BODY, TEXT, b"Content-Range: bytes 0-1/2").replace(b"200", b"206"),
            b"Accept-Encoding: gzip\r\n",
            None,
        ),
    ],
)
def test_what_is_left_as_it_is(
    answer: bytes, lines: bytes, vary: str | None, stage: Stage, served: Callable[..., Any]
) -> None:
    with Backend(answers(answer)) as backend:
        served(backend)
        head, body = ask(stage, lines).message()
    assert body == answer.partition(b"\r\n\r\n")[2]
    assert fields(head).get("vary") == vary


def test_not_modified_has_the_tag_that_the_client_has(stage: Stage, served: Callable[..., Any]) -> None:
    with Backend(answers(b'HTTP/1.1 304 Not Modified\r\nETag: "a"\r\n\r\n')) as backend:
        served(backend)
        told = fields(ask(stage, b'If-None-Match: W/"a"\r\n').head())
        assert (told["etag"], told["vary"]) == ('W/"a"', "Accept-Encoding")
        assert fields(ask(stage, b'If-None-Match: "a"\r\n').head())["etag"] == '"a"'


def test_filters_have_the_last_word_on_the_head(stage: Stage) -> None:
    with Backend(answers(response(BODY, TEXT))) as backend:
        edits = {"add": {"Cache-Control": "no-transform"}}
        stage.proxy_to(backend, compress={}, response_headers=edits)
        assert ask(stage).message()[1] == BODY
        stage.proxy_to(backend, compress={}, response_headers={"set": {"Content-Type": "image/png"}})
        assert ask(stage).message()[1] == BODY
        stage.proxy_to(backend, compress={}, response_headers={"set": {"X": "y"}})
        head, body = ask(stage).message()
        assert (gzip.decompress(body), fields(head)["x"]) == (BODY, "y")


def test_events_are_not_delayed(stage: Stage, served: Callable[..., Any]) -> None:
    may_go_on = Event()

    def script(peer: Peer) -> None:
        peer.message()
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(2):
            peer.send(b"9\r\ndata: 1\n\n\r\n")
            may_go_on.wait(WITHIN_S)
        peer.send(b"0\r\n\r\n")

    with Backend(script) as backend:
        served(backend)
        client = ask(stage)
        assert "content-encoding" not in fields(client.head())
        assert client.until(b"data: 1\n\n\r\n")
        may_go_on.set()
        client.until(b"0\r\n\r\n")
        may_go_on.clear()
        served(backend, types=["text/event-stream"])
        client = ask(stage)
        assert fields(client.head())["content-encoding"] == "gzip"
        size = int(client.until(b"\r\n"), 16)
        reader = zlib.decompressobj(31)
        assert reader.decompress(client.exactly(size)) == b"data: 1\n\n"  # while the server still waits
        may_go_on.set()
        client.until(b"0\r\n\r\n")


def test_answers_of_the_gateway_itself(stage: Stage) -> None:
    text = BODY.decode()
    answer = {"status": 200, "body": text}
    stage.proxy_to("127.0.0.1:1", compress={}, mock=True, default_response=answer)
    head, body = ask(stage).message()
    assert (gzip.decompress(body), fields(head)["content-encoding"]) == (BODY, "gzip")
    assert ask(stage, b"").message()[1] == BODY
    with Backend(answers(response(json.dumps(text).encode(), b"Content-Type: application/json"))) as backend:
        nodes = [{"cluster": "c", "attr": "one"}, {"cluster": "c", "attr": "two"}]
        stage.proxy_to(backend, compress={}, nodes=nodes)
        head, body = ask(stage).message()
    assert json.loads(gzip.decompress(body)) == {"one": text, "two": text}
    assert fields(head)["vary"] == "Accept-Encoding"


@pytest.mark.parametrize("framing", [b"Content-Length: 99999\r\n\r\n", b"Transfer-Encoding: chunked\r\n\r\n5\r\n"])
def test_a_truncated_answer_never_looks_whole(framing: bytes, stage: Stage, served: Callable[..., Any]) -> None:
    def script(peer: Peer) -> None:
        peer.message()
        peer.send(b"HTTP/1.1 200 OK\r\n" + TEXT + b"\r\n" + framing + b"abcde")
        gevent.idle()
        peer.close()

    with Backend(script) as backend:
        served(backend)
        client = ask(stage)
        client.head()
        with pytest.raises((AssertionError, ConnectionResetError)):
            client.chunked_body()


def test_bytes_behind_an_answer_do_not_answer_the_next_request(stage: Stage, served: Callable[..., Any]) -> None:
    with Backend(answers(response(LARGE, TEXT) + response(b"evil", TEXT))) as backend:
        served(backend)
        client = ask(stage)
        client.head()
        assert gzip.decompress(client.chunked_body()[0]) == LARGE
        client.send(b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n")
        assert client.message()[1] == LARGE
        assert len(backend.peers) == 2


def test_stored_answers_are_what_the_server_said(stage: Stage) -> None:
    with Backend(answers(response(BODY, TEXT, b"Cache-Control: max-age=60", b'ETag: "a"'))) as backend:
        stage.proxy_to(backend, compress={}, cache={})
        for lines, decode in (
            (b"Accept-Encoding: gzip\r\n", gzip.decompress),
            (b"", bytes),
            (b"Accept-Encoding: br\r\n", brotli.decompress),
            (b"Accept-Encoding: gzip\r\n", gzip.decompress),
        ):
            head, body = ask(stage, lines).message()
            assert decode(body) == BODY
            assert fields(head)["vary"] == "Accept-Encoding"
        assert fields(head)["cache-status"].startswith("gproxy; hit")
        told = fields(ask(stage, b'Accept-Encoding: gzip\r\nIf-None-Match: W/"a"\r\n').head())
        assert told["etag"] == 'W/"a"'
        assert len(backend.peers) == 1
