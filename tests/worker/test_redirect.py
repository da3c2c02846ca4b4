import json
from collections.abc import Callable

import pytest

from gproxy.entrances import entrances
from tests.worker.peer import Backend, Peer, answers, response
from tests.worker.stage import Stage


@pytest.fixture
def redirecting(staged: Callable[..., Stage]) -> Callable[[int], Stage]:
    """Return what makes a worker all of whose addresses redirect to a port."""

    def make(port: int) -> Stage:
        keys = {"redirect_bind": "127.0.0.1:0", "redirect_port": port}
        stage = staged(gproxy={"bind": ""}, tls=keys)
        assert entrances(stage.settings)[0].redirects
        return stage

    return make


def location(peer: Peer, request: bytes) -> str:
    peer.send(request)
    head, body = peer.message()
    assert head.startswith(b"HTTP/1.1 308 Permanent Redirect\r\n")
    assert json.loads(body)["code"] == "https_required"
    (found,) = (line for line in head.split(b"\r\n") if line.startswith(b"Location: "))
    return found.removeprefix(b"Location: ").decode()


@pytest.mark.parametrize(
    ("port", "request_", "expected"),
    [
        (443, b"GET /a?b=c HTTP/1.1\r\nHost: a.test\r\n\r\n", "https://a.test/a?b=c"),
        (443, b"GET / HTTP/1.1\r\nHost: A.test:8080\r\n\r\n", "https://a.test/"),
        (8443, b"GET / HTTP/1.1\r\nHost: a.test:8080\r\n\r\n", "https://a.test:8443/"),
        (8443, b"GET / HTTP/1.1\r\nHost: [::1]:8080\r\n\r\n", "https://[::1]:8443/"),
        (443, b"GET http://b.test/x HTTP/1.1\r\nHost: a.test\r\n\r\n", "https://b.test/x"),
        (443, b"OPTIONS * HTTP/1.1\r\nHost: a.test\r\n\r\n", "https://a.test/"),
        (443, b"POST /a HTTP/1.1\r\nHost: a.test\r\nContent-Length: 2\r\n\r\nok", "https://a.test/a"),
        (443, b"GET / HTTP/1.0\r\nHost: a.test\r\n\r\n", "https://a.test/"),
    ],
)
def test_where_requests_are_sent(
    redirecting: Callable[[int], Stage], port: int, request_: bytes, expected: str
) -> None:
    assert location(redirecting(port).connect(), request_) == expected


def test_the_connection_goes_on(redirecting: Callable[[int], Stage]) -> None:
    stage = redirecting(443)
    peer = stage.connect()
    for _ in range(3):
        location(peer, b"POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 2\r\n\r\nok")
    assert stage.requests() == 3


def test_a_body_that_is_not_there_is_not_waited_for(redirecting: Callable[[int], Stage]) -> None:
    peer = redirecting(443).connect()
    location(peer, b"POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 9\r\n\r\nok")
    assert peer.rest() == b""


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"GET / HTTP/1.0\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\n\r\n", b"400"),
        (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nrubbish\r\n", b"400"),
    ],
)
def test_what_is_no_request_is_refused(redirecting: Callable[[int], Stage], request_: bytes, status: bytes) -> None:
    peer = redirecting(443).connect()
    peer.send(request_)
    assert peer.message()[0].startswith(b"HTTP/1.1 " + status)


def test_challenges_of_authorities_are_routed(redirecting: Callable[[int], Stage]) -> None:
    stage = redirecting(443)
    with Backend(answers(response())) as backend:
        stage.proxy_to(backend)
        peer = stage.connect()
        peer.send(b"GET /.well-known/acme-challenge/token HTTP/1.1\r\nHost: a.test\r\n\r\n")
        assert peer.message()[1] == b"ok"
        assert location(peer, b"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n")
