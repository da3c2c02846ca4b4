"""Laws of a whole worker: bytes of a client go in, by HTTP/1.1 or as frames of HTTP/2; what comes out is sound."""

from __future__ import annotations

import atexit
import logging
import socket
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path

import gevent
import h11
from hyperframe.frame import Frame

from gproxy.worker.connection import Client
from gproxy.worker.forwarded import origin
from gproxy.worker.link import hub
from tests.worker.peer import Backend, Peer
from tests.worker.stage import Stage

#: Turns of the loop in which nothing happens: nothing more will.
_STILL = 6
_HTTP2 = b"PRI * HTTP/2.0\r\n\r\n"
_PREFACE = _HTTP2 + b"SM\r\n\r\n" + b"\0\0\0\4\0\0\0\0\0"


def connections(data: bytes) -> None:
    """Whatever a client sends, its server gets valid requests, each answer is one to them, and nothing is left."""
    if _HTTP2 in data:
        return
    worker = _worker()
    asked, received = worker.asked, worker.feed(data)
    asked = worker.asked - asked
    answers = 0
    while received:
        status, received = _first_answer(received)
        answers += status == 200
    assert answers <= asked, "an answer belongs to no request"


def _first_answer(received: bytes) -> tuple[int, bytes]:
    """Read an answer as h11 does; return its status and what follows it."""
    behind = received.partition(b"\r\n\r\n")[2]
    method = "HEAD" if behind[:7] in (b"", b"HTTP/1.") else "GET"
    peer = h11.Connection(h11.CLIENT, max_incomplete_event_size=1 << 20)
    peer.send(h11.Request(method=method, target="/", headers=[("Host", "a")]))
    peer.send(h11.EndOfMessage())
    peer.receive_data(received)
    status = 0
    while not isinstance(event := peer.next_event(), h11.EndOfMessage):
        assert event is not h11.NEED_DATA, "an answer has no end"
        status = getattr(event, "status_code", status)
    return status, peer.trailing_data[0]


def http2_frames(data: bytes) -> None:
    """Whatever frames a client sends, it gets valid ones, and nothing is left."""
    received = _worker().feed(_PREFACE + data)
    while len(received) >= 9:
        frame, length = Frame.parse_frame_header(memoryview(received[:9]))
        assert len(received) >= 9 + length, "a frame has no end"
        frame.parse_body(memoryview(received[9 : 9 + length]))
        received = received[9 + length :]
    assert not received


class _Worker:
    """A worker on the loop of this process, with a server that reads strictly. `asked`: whole requests it has seen."""

    def __init__(self, folder: Path) -> None:
        self.asked = 0
        self.moved = 0
        self.failures: list[str] = []
        self._stage = Stage(folder, gproxy={"http2": "all"}, log={"access": "off"})
        self._stage.proxy_to(Backend(self._answer))
        note = logging.Handler(logging.ERROR)
        note.emit = lambda record: self.failures.append(note.format(record))  # type: ignore[method-assign]
        logging.getLogger("gproxy").addHandler(note)
        hub.print_exception = lambda context, kind, value, trace: self.failures.append(repr(value))

    def feed(self, data: bytes) -> bytes:
        """Let a client send this; return what it gets until nothing more happens."""
        stage, runtime = self._stage, self._stage.runtime
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        theirs.setblocking(False)
        client = Client(ours, origin("192.0.2.1", ()), runtime)
        runtime.admit(client)
        client.arm()
        theirs.send(data)
        received = self._read(theirs)
        theirs.close()
        self._turn(lambda: stage.is_quiet() and not runtime.clients)
        assert not self.failures, self.failures
        assert stage.is_quiet(), "a request was never over"
        assert not runtime.clients, "a connection was never over"
        assert not runtime.sessions
        return received

    def _read(self, sock: socket.socket) -> bytes:
        """Read until the connection is over, or nothing has happened for some turns."""
        received, still, before = bytearray(), 0, (-1, -1)
        while still < _STILL:
            gevent.idle()
            try:
                piece = sock.recv(65536)
                if not piece:
                    break
                received += piece
            except BlockingIOError:
                pass
            except OSError:
                break
            now = (len(received), self.moved)
            still, before = (still + 1, before) if now == before else (0, now)
        return bytes(received)

    def _turn(self, is_over: Callable[[], bool]) -> None:
        for _ in range(100):
            if is_over():
                return
            gevent.idle()

    def _answer(self, peer: Peer) -> None:
        """Answer requests as h11 reads them; what it does not take for one is a failure."""
        connection = h11.Connection(h11.SERVER, max_incomplete_event_size=1 << 20)
        try:
            while self._answer_one(connection, peer):
                connection.start_next_cycle()
        except h11.RemoteProtocolError as error:
            if "without sending" not in str(error) and "incomplete" not in str(error):  # a client has left
                self.failures.append(f"the server got no request: {error}")

    def _answer_one(self, connection: h11.Connection, peer: Peer) -> bool:
        """Answer the next request; False when there is none, or none can follow."""
        has_body = True
        while not isinstance(event := connection.next_event(), h11.EndOfMessage):
            if event is h11.NEED_DATA:
                connection.receive_data(peer.sock.recv(65536))
                self.moved += 1
            elif isinstance(event, h11.Request):
                has_body = event.method != b"HEAD"
            elif isinstance(event, h11.ConnectionClosed):
                return False
        self.asked += 1
        answer: list[h11.Event] = [h11.Response(status_code=200, headers=[("Content-Length", "2")], reason="OK")]
        answer += [h11.Data(data=b"ok"), h11.EndOfMessage()] if has_body else [h11.EndOfMessage()]
        peer.send(b"".join(connection.send(part) or b"" for part in answer))
        return connection.our_state is connection.their_state is h11.DONE


@cache
def _worker() -> _Worker:
    folder = tempfile.TemporaryDirectory(prefix="gproxy-fuzz-worker-")
    atexit.register(folder.cleanup)
    return _Worker(Path(folder.name))
