"""Whatever clients and servers send, the short way and the story do the same: bytes, connections and figures."""

import json
import re
import socket
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import gevent.socket
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gproxy.shared import layout
from gproxy.worker.access_line import json_line
from gproxy.worker.connection import Client
from gproxy.worker.exchange import Exchange
from gproxy.worker.forwarded import origin
from gproxy.worker.runtime import Desk
from tests.worker.peer import Backend, Peer, eventually, limited, response, settled
from tests.worker.stage import Stage

_HOST = b"Host: a\r\n"
_REQUESTS = [
    b"GET /x HTTP/1.1\r\n" + _HOST + b"\r\n",
    b"GET /x?a=b HTTP/1.1\r\n" + _HOST + b"A: b\r\nCookie: c\r\n\r\n",
    b"GET /y HTTP/1.1\r\n" + _HOST + b"X-Forwarded-For: 1.2.3.4\r\nX-Request-Id: me\r\nForwarded: for=x\r\n\r\n",
    b"POST /x HTTP/1.1\r\n" + _HOST + b"Content-Length: 5\r\n\r\nhello",
    b"DELETE /x HTTP/1.1\r\n" + _HOST + b"Content-Length: 0\r\n\r\n",
    b"HEAD /x HTTP/1.1\r\n" + _HOST + b"\r\n",
    b"GET /x HTTP/1.1\r\n" + _HOST + b"Connection: close\r\n\r\n",
    b"GET /x HTTP/1.0\r\n" + _HOST + b"Connection: keep-alive\r\n\r\n",
    b"GET http://b/x HTTP/1.1\r\n" + _HOST + b"\r\n",
    b"GET /x HTTP/1.1\r\n" + _HOST + b"TE: trailers\r\nConnection: TE, A\r\nA: b\r\n\r\n",
    b"POST /x HTTP/1.1\r\n" + _HOST + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    b"POST /x HTTP/1.1\r\n" + _HOST + b"Expect: 100-continue\r\nContent-Length: 5\r\n\r\nhello",
    b"GET /../x HTTP/1.1\r\n" + _HOST + b"\r\n",
    b"GET /x HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    b"GET /x HTTP/1.1\r\n" + _HOST + b" folded\r\n\r\n",
    b"CONNECT a:1 HTTP/1.1\r\n" + _HOST + b"\r\n",
    b"\r\nGET /x HTTP/1.1\r\n" + _HOST + b"\r\n",
]
_ANSWERS = [
    response(b""),
    response(b"hello"),
    response(b"hello", b"Connection: keep-alive", b"Keep-Alive: timeout=5"),
    response(b"hello", b"Connection: close"),
    response(b"hello", b"Connection: X", b"X: y"),
    b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    b"HTTP/1.1 204 No Content\r\n\r\n",
    b"HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\nhello",
    b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n",
    b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\nhello",
    b"HTTP/1.1 503 Full\r\nContent-Length: 2\r\n\r\nno",
    b"HTTP/1.1 103 Early Hints\r\n\r\n" + response(b"hello"),
    b"HTTP/1.1 101 Switching\r\n\r\n",
    response(b"hello") + response(b"evil"),
    b"nonsense\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello",
    b"",
]
_bytes = st.sampled_from([b"", b"", b"0", b"5", b"\r", b"\n", b"\r\n", b" ", b":", b"\x00", b"a", b"\r\n\r\n"])
Document = dict[str, Any]
#: what differs from one exchange to the next although nothing does
_CHANGING = re.compile(
    rb"(?<=X-Request-Id: )[0-9a-f-]+|(?<=Date: )[^\r]+|(?<=\"request_id\": \")[0-9a-f-]+|(?<=;ms=)\d+"
)


@st.composite
def messages(draw: st.DrawFn, whole: list[bytes]) -> list[bytes]:
    """A message, often damaged at one place, often in parts."""
    wire = draw(st.sampled_from(whole))
    if draw(st.integers(0, 3)) == 0:
        at = draw(st.integers(0, len(wire)))
        wire = wire[:at] + draw(_bytes) + wire[at + draw(st.integers(0, 3)) :]
    cut = draw(st.integers(0, len(wire))) if draw(st.integers(0, 3)) == 0 else 0
    return [part for part in (wire[:cut], wire[cut:]) if part]


@dataclass
class Course:
    """What can be seen of an exchange from outside."""

    to_client: bytes
    to_server: bytes
    to_mirror: bytes
    is_open: bool
    figures: dict[str, int]
    logged: list[dict[str, Any]]


@dataclass
class Plan:
    """What a site has beyond a server `s` in a cluster `c` and an API that leads there."""

    server: Document = field(default_factory=dict)
    cluster: Document = field(default_factory=dict)
    api: Document = field(default_factory=dict)
    clusters: list[Document] = field(default_factory=list)
    rules: list[Document] = field(default_factory=list)


_PLANS = {
    "plain": Plan(),
    "guarded": Plan(
        server={"max_qps": 1_000_000},
        cluster={"circuit_breaker": {"consecutive_failures": 1000}},
        api={"rate_limit": {"rate": 1_000_000}, "access": {"deny": ["192.0.2.1"]}},
    ),
    "edited": Plan(
        server={"slow_start_s": 1},
        cluster={"load_balance": "p2c", "sticky_cookie": "kept"},
        api={
            "request_headers": {"set": {"A": "{query.a|none}"}, "remove": ["Cookie"]},
            "response_headers": {"add": {"B": "c"}},
            "cors": {"origins": ["*"]},
            "preserve_host": False,
            "default_response": {"status": 503, "body": "sorry"},
        },
    ),
    "whole": Plan(
        api={
            "nodes": [{"cluster": "c", "attr": "a"}, {"cluster": "c", "attr": "b", "default": 0}],
            "merge": {"on_failure": "partial"},
            "rate_limit": {"rate": 1_000_000},
            "response_headers": {"add": {"B": "c"}},
        },
    ),
    "whole in batches": Plan(
        clusters=[{"name": "copies", "servers": ["m"]}],
        api={
            "nodes": [
                {"cluster": "c", "attr": "a"},
                {"cluster": "copies", "attr": "b", "batch": 1, "rewrite": "/{a.x|none}{query.a|none}"},
            ],
            "default_response": {"status": 503, "body": "sorry"},
        },
    ),
    "ruled": Plan(
        clusters=[
            {"name": "guarded", "servers": ["s"], "circuit_breaker": {"consecutive_failures": 1000}},
            {"name": "tried", "servers": ["s"], "retry": {"report": True}},
            {"name": "copies", "servers": ["m"]},
        ],
        rules=[
            {"name": "query", "cluster": "guarded", "when": {"all": ["$query_a == b"]}},
            {"name": "path", "cluster": "tried", "path": "/y"},
            {"name": "sticky", "cluster": "guarded", "when": {"any": ["$method == POST"]}, "sticky": "cookie:id"},
            {"name": "mirror", "cluster": "copies", "action": "mirror", "compare": {}},
        ],
    ),
}


class Site:
    """A worker before a server that answers the first request of a connection well and the second with `segments`."""

    def __init__(self, folder: Path, plan: Plan) -> None:
        self.folder = folder
        self._server = {"name": "s"} | plan.server
        self._clusters = [{"name": "c", "servers": ["s"]} | plan.cluster, *plan.clusters]
        self._api = {"name": "all", "path": "/*", "nodes": [{"cluster": "c"}]} | plan.api
        self._rules = plan.rules
        self._rows = 2 + len(self._clusters) + len(self._rules) + 1
        self.stage = Stage(folder)
        self.stage.runtime.id_numbers = count(1 << 20)  # ids of one length
        self.logged: list[dict[str, Any]] = []
        self.stage.runtime.recorder._access = self._log
        self.segments: list[bytes] = []
        self.to_server = bytearray()
        self.to_mirror = bytearray()

    def script(self, peer: Peer) -> None:
        peer.head()
        peer.send(response())
        self.to_server += peer.sock.recv(65536)
        gevent.idle()
        for segment in self.segments:
            peer.send(segment)
            gevent.idle()  # the worker takes it before the next one comes
        if not self.segments or b"Content-Length" not in self.segments[0]:
            peer.end()
        while data := peer.sock.recv(65536):
            self.to_server += data

    def mirror(self, peer: Peer) -> None:
        while data := peer.sock.recv(65536):
            self.to_mirror += data  # a whole request: copies are small, and sent at once
            peer.send(response(b"hello"))

    def course(self, request: list[bytes], answer: list[bytes], short: bool) -> Course:
        """Send a request in these parts and return what became of it."""
        before = self._figures()
        for name in ("server", "mirror"):
            (self.folder / name).unlink(missing_ok=True)
        self.segments, self.to_server, self.to_mirror = answer, bytearray(), bytearray()
        self.logged.clear()
        to_client, has_ended = bytearray(), []

        def read(client: Peer) -> None:
            try:
                while data := client.sock.recv(65536):
                    to_client.extend(data)
            except ConnectionResetError:
                to_client.extend(b"RESET")
            has_ended.append(True)

        mirror = Backend(self.mirror, self.folder / "mirror")
        with Backend(self.script, self.folder / "server") as backend, mirror, limited():
            servers = [self._server | {"address": backend.address}, {"name": "m", "address": mirror.address}]
            self.stage.use(servers, self._clusters, [self._api], self._rules)
            client = self._connected()
            client.send(_REQUESTS[0])
            client.message()
            eventually(self._is_mirrored)
            runtime = self.stage.runtime
            if not short:
                (served,) = runtime.clients
                served.desk = Desk(lambda client: False, runtime.handle)
            reader = gevent.spawn(read, client)
            for part in request:
                client.send(part)
                gevent.idle()
            settled(lambda: (len(to_client), len(self.to_server), self.stage.requests(), len(backend.peers)))
            eventually(self._is_mirrored)
            is_open = not has_ended
            reader.kill()
            client.close()
            eventually(self.stage.is_quiet)
            eventually(self._is_mirrored)
        figures = self._figures()
        grown = {name: figures[name] - before[name] for name in figures if figures[name] != before[name]}
        grown["has failed"] = grown.pop("failures in a row", 0) != 0  # in the cell is more than a number
        to_server, to_mirror = _masked(self.to_server), _masked(self.to_mirror)
        return Course(_masked(to_client), to_server, to_mirror, is_open, grown, self.logged.copy())

    def _log(self, exchange: Exchange) -> None:
        """Note what the access log says, without what differs although nothing does; of times that there are any."""
        entry = json.loads(json_line(exchange, ()))
        connected = entry["connect_ms"] > 0
        for part in entry.get("parts", ()):
            del part["duration_ms"]
        same = {
            name: value for name, value in entry.items() if name not in ("time", "request_id") and name[-3:] != "_ms"
        }
        self.logged.append(same | {"connected": connected})

    def _connected(self) -> Peer:
        """Return a client. Unix sockets deliver at once, so that what does not come any more can be told."""
        theirs, ours = gevent.socket.socketpair()
        worker = socket.socket(fileno=ours.detach())
        self.stage.runtime.admit(Client(worker, origin("127.0.0.1", ()), self.stage.runtime))
        return Peer(theirs)

    def _is_mirrored(self) -> bool:
        """Say whether no copy is in flight."""
        return not any(self.stage.table.row_total(row, layout.ROW_ACTIVE) for row in (1, self._rows - 2))

    def _figures(self) -> dict[str, int]:
        stage, found = self.stage, {}
        for name, cell in layout.COUNTER_NAMES.items():
            found[name] = stage.cell(cell)
        for row in range(self._rows):
            for name, cell in (layout.ROW_COUNTER_NAMES | layout.ROUTING_COUNTER_NAMES).items():
                found[f"{row} {name}"] = stage.table.row_total(row, cell)
            found[f"{row} active"] = stage.table.row_total(row, layout.ROW_ACTIVE)
        circuit = stage.table.breaker_base(0, 0)
        found["successes"] = stage.table.cells[circuit + layout.BREAKER_SUCCESSES]
        found["failures in a row"] = stage.table.cells[circuit + layout.BREAKER_RUN]
        return found


def _masked(wire: bytearray) -> bytes:
    return _CHANGING.sub(b"?", bytes(wire))


@pytest.fixture(scope="module", params=_PLANS)
def site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    made = Site(tmp_path_factory.mktemp("worker"), _PLANS[request.param])
    yield made
    made.stage.close()


@given(request=messages(_REQUESTS), answer=messages(_ANSWERS))
def test_both_ways_are_the_same(site: Site, request: list[bytes], answer: list[bytes]) -> None:
    assert site.course(request, answer, short=True) == site.course(request, answer, short=False)
