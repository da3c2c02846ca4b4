"""What a response must not do: answer the next request too, or take longer than the total time."""

from collections.abc import Callable

import gevent
import pytest

from tests.worker.authority import Authority
from tests.worker.peer import Backend, Peer, response
from tests.worker.stage import Stage

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\n"


@pytest.mark.parametrize("size", [10, 16_384, 40_000])
@pytest.mark.parametrize("tls", [False, True])
def test_bytes_behind_a_body_do_not_answer_the_next_request(
    stage: Stage, authority: Authority, tls: bool, size: int
) -> None:
    # The next request is there already, so nothing else looks at the connection in between; with TLS the excess is
    # where no loop can see it.
    def script(peer: Peer) -> None:
        peer.head()
        if peer is not backend.peers[0]:
            peer.send(response(b"good"))
            return
        peer.send(OK + b"Content-Length: %d\r\n\r\n" % size)
        gevent.idle()  # the head goes ahead
        peer.send(b"x" * size + response(b"poison"))
        peer.rest()

    with Backend(script, tls=authority.server("127.0.0.1") if tls else None) as backend:
        options = {"scheme": "https", "tls": {"ca_file": authority.ca_file}} if tls else {}
        api = {"name": "a", "path": "/*", "nodes": [{"cluster": "c"}]}
        stage.use([{"name": "s", "address": backend.address, **options}], [{"name": "c", "servers": ["s"]}], [api])
        client = stage.connect()
        client.send(GET + GET)
        assert client.message()[1] == b"x" * size
        assert client.message()[1] == b"good"


@pytest.mark.parametrize("framing", [b"Content-Length: 1000000000\r\n", b""])
def test_the_total_time_holds_for_a_client_that_reads_slowly(staged: Callable[..., Stage], framing: bytes) -> None:
    stage = staged(timeouts={"total_s": 0.3})

    def script(peer: Peer) -> None:
        peer.head()
        peer.send(OK + framing + b"\r\n")
        while True:
            peer.send(bytes(1_000_000))

    with Backend(script) as backend:
        stage.proxy_to(backend)
        client = stage.connect()
        client.send(GET)
        client.head()
        with gevent.Timeout(5):
            while client.sock.recv(200_000):
                gevent.sleep(0.001)
