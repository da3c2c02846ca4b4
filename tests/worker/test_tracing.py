"""Traces through a worker: what servers are told, and which spans are made."""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from gproxy.core.span import Span, unpack
from gproxy.shared import layout
from gproxy.shared.span_queue import SpanReceiver
from gproxy.worker.access_line import json_line
from tests.worker.peer import Backend, Peer, answers, eventually, response
from tests.worker.stage import Stage

TRACE, PARENT = b"4bf92f3577b34da6a3ce929d0e0e4736", b"00f067aa0ba902b7"
WHOLE = b"traceparent: 00-%b-%b-01\r\n" % (TRACE, PARENT)
#: nobody listens there
REFUSED = "127.0.0.1:1"


class Traced:
    """A worker with traces, what reaches its server, and the spans that reach the monitor."""

    def __init__(self, stage: Stage, folder: Path) -> None:
        self.stage = stage
        self.heads: list[bytes] = []
        self._receiver = SpanReceiver(folder)

    def script(self, peer: Peer) -> None:
        while head := peer.head():
            self.heads.append(head)
            peer.send(response(b"{}", b"Content-Type: application/json"))

    def ask(self, lines: bytes = b"", target: bytes = b"/users/7?secret=x") -> bytes:
        with self.stage.connect() as client:
            client.send(b"GET %b HTTP/1.1\r\nHost: a\r\n%b\r\n" % (target, lines))
            head, _ = client.message()
        eventually(self.stage.is_quiet)
        return head

    def told(self, at: int = -1) -> list[bytes]:
        """Return the fields of traces that a server was told, without the ids of spans."""
        found = re.findall(rb"^(?:traceparent|tracestate):[^\r]*", self.heads[at], re.IGNORECASE | re.MULTILINE)
        return [re.sub(rb"(?<=[0-9a-f]{32}-)[0-9a-f]{16}", b"SPAN", line) for line in found]

    def span_of(self, at: int = -1) -> str:
        """Return the id of the parent that a server was told."""
        found = re.search(rb"\r\ntraceparent: 00-[0-9a-f]{32}-([0-9a-f]{16})-", self.heads[at])
        assert found is not None
        return found[1].decode()

    def spans(self) -> list[Span]:
        """Return the spans that have come, those of servers first."""
        assert self.stage.runtime.tracer is not None
        self.stage.runtime.tracer._flush()
        found: list[Span] = []
        while message := self._receiver.receive(0.001):
            found += unpack(message)
        return sorted(found, key=lambda span: not span.is_server)

    def close(self) -> None:
        self._receiver.close()


@pytest.fixture
def traced(tmp_path: Path, staged: Callable[..., Stage], request: pytest.FixtureRequest) -> Iterator[Traced]:
    options = getattr(request, "param", {})
    stage = staged(tracing={"endpoint": "http://127.0.0.1:1/v1/traces", **options})
    made = Traced(stage, tmp_path)
    yield made
    made.close()


def test_without_traces_the_fields_pass_as_they_are(stage: Stage) -> None:
    heads: list[bytes] = []

    def script(peer: Peer) -> None:
        heads.append(peer.head())
        peer.send(response())

    assert stage.runtime.tracer is None
    with Backend(script) as backend, stage.connect() as client:
        stage.proxy_to(backend)
        client.send(b"GET / HTTP/1.1\r\nHost: a\r\nTraceparent: anything\r\ntracestate: at all\r\n\r\n")
        client.message()
    assert b"\r\nTraceparent: anything\r\ntracestate: at all\r\n" in heads[0]


def test_a_trace_goes_on(traced: Traced) -> None:
    with Backend(traced.script) as backend:
        traced.stage.proxy_to(backend, path="/users/{id}", name="users")
        for _ in range(2):  # a fresh connection, and the short way
            traced.ask(WHOLE + b"TraceState: a=1\r\ntracestate: b=2\r\n")
            assert traced.told() == [b"traceparent: 00-%b-SPAN-01" % TRACE, b"tracestate: a=1,b=2"]
            server, client = traced.spans()
            assert (server.trace_id, server.parent_id) == (TRACE.decode(), PARENT.decode())
            assert (client.span_id, client.parent_id) == (traced.span_of(), server.span_id)
            assert server.span_id not in (PARENT.decode(), client.span_id)
            assert server.state == client.state == "a=1,b=2"
            assert server.start_ns <= client.start_ns <= client.end_ns <= server.end_ns
    assert server.name == "GET /users/{id}"
    said = server.attributes
    assert (said["http.route"], said["url.path"], said["gproxy.api"]) == ("/users/{id}", "/users/7", "users")
    assert (said["http.response.status_code"], said["gproxy.end"], said["client.address"]) == (200, "--", "127.0.0.1")
    port = int(backend.address.rpartition(":")[2])
    assert client.attributes == {
        "http.request.method": "GET",
        "gproxy.server": "s0",
        "server.address": "127.0.0.1",
        "server.port": port,
        "http.response.status_code": 200,
    }


@pytest.mark.parametrize(
    "lines", [b"", b"traceparent: nonsense\r\ntracestate: a=1\r\n", WHOLE + WHOLE + b"tracestate: a=1\r\n"]
)
def test_a_trace_begins_here(lines: bytes, traced: Traced) -> None:
    with Backend(traced.script) as backend:
        traced.stage.proxy_to(backend)
        traced.ask(lines)
    (told,) = traced.told()
    assert re.fullmatch(rb"traceparent: 00-[0-9a-f]{32}-SPAN-01", told)
    server, client = traced.spans()
    assert (server.parent_id, server.state, client.parent_id) == ("", "", server.span_id)
    assert told.split(b"-")[1].decode() == server.trace_id != TRACE.decode()


@pytest.mark.parametrize("name", [b"Traceparent", b"TraceParent", b"TRACEPARENT"])
def test_fields_of_a_trace_may_be_written_in_any_form(name: bytes, traced: Traced) -> None:
    with Backend(traced.script) as backend:
        traced.stage.proxy_to(backend)
        traced.ask(WHOLE.replace(b"traceparent", name))
    assert traced.told() == [b"traceparent: 00-%b-SPAN-01" % TRACE]


@pytest.mark.parametrize("traced", [{"sample_percent": 0}], indirect=True)
def test_what_is_not_sampled_has_no_spans_but_is_passed_on(traced: Traced) -> None:
    with Backend(traced.script) as backend:
        traced.stage.proxy_to(backend)
        traced.ask()
        assert traced.told()[0].endswith(b"-00")
        assert traced.spans() == []
        traced.ask(WHOLE)  # its parent is
        assert traced.told()[0].endswith(b"-01")
        assert len(traced.spans()) == 2


@pytest.mark.parametrize("traced", [{"follow": "trusted"}, {"follow": "none"}], indirect=True)
def test_who_is_not_followed_begins_anew(traced: Traced) -> None:
    with Backend(traced.script) as backend:
        traced.stage.proxy_to(backend)
        traced.ask(WHOLE)
    assert TRACE not in traced.told()[0]


def test_attempts_have_spans_of_their_own(traced: Traced) -> None:
    with Backend(traced.script) as backend:
        found: list[Span] = []
        while len(found) < 3:
            traced.stage.proxy_to(REFUSED, backend, retry={"backoff_ms": 0})
            traced.ask(WHOLE)
            found = traced.spans()
    server, first, second = found
    assert (first.attributes["error.type"], first.error, first.attributes["gproxy.server"]) == (
        *("bad_upstream", "bad_upstream"),
        "s0",
    )
    assert (second.attributes["http.request.resend_count"], second.error) == (1, "")
    assert first.parent_id == second.parent_id == server.span_id
    assert second.span_id == traced.span_of() != first.span_id
    assert server.error == ""


def test_parts_are_calls_of_the_whole(traced: Traced) -> None:
    with Backend(traced.script) as backend:
        traced.stage.proxy_to(backend, nodes=[{"cluster": "c", "attr": "one"}, {"cluster": "c", "attr": "two"}])
        traced.ask(WHOLE)
    server, *parts = traced.spans()
    assert {part.span_id for part in parts} == {traced.span_of(0), traced.span_of(1)}
    assert [part.parent_id for part in parts] == [server.span_id] * 2
    assert traced.told(0) == traced.told(1) == [b"traceparent: 00-%b-SPAN-01" % TRACE]


def test_what_is_refused_is_told_too(traced: Traced) -> None:
    traced.stage.proxy_to(REFUSED, access={"deny": ["127.0.0.0/8"]})
    traced.ask(WHOLE)
    (server,) = traced.spans()
    assert (server.error, server.attributes["error.type"], server.attributes["gproxy.end"]) == (
        *("", "access_denied"),
        "PR",
    )
    traced.stage.proxy_to(REFUSED)
    traced.ask(WHOLE)
    server, client = traced.spans()
    assert (server.error, client.error) == ("bad_upstream", "bad_upstream")
    assert "http.response.status_code" not in client.attributes


def test_the_access_log_has_the_trace(traced: Traced) -> None:
    entries: list[Any] = []
    end = traced.stage.runtime.recorder._access
    assert end is not None

    def both(exchange: Any) -> None:
        end(exchange)
        entries.append(json.loads(json_line(exchange, ())))

    traced.stage.runtime.recorder._access = both
    traced.stage.proxy_to(REFUSED)
    traced.ask(WHOLE)
    assert entries[0]["trace_id"] == TRACE.decode()


def test_spans_with_long_texts_go_in_smaller_messages(traced: Traced) -> None:
    tracer = traced.stage.runtime.tracer
    assert tracer is not None
    texts: dict[str, str | int] = {str(number): "\xff" * 512 for number in range(6)}  # 6 KB for each span
    made = [Span("a", "b", "", "", str(number), True, 0, 0, "", texts) for number in range(150)]
    for span in made:
        tracer._add(span)
    found: list[Span] = []
    while len(found) < len(made):  # the system holds some of them at a time
        came = traced.spans()
        assert came
        found += came
    assert found == made


def test_what_nobody_takes_is_dropped_and_counted(tmp_path: Path, staged: Callable[..., Stage]) -> None:
    stage = staged(tracing={"endpoint": "http://127.0.0.1:1/v1/traces"})
    with Backend(answers(response(b"ok"))) as backend, stage.connect() as client:
        stage.proxy_to(backend)
        tracer = stage.runtime.tracer
        assert tracer is not None
        for _ in range(4096 // 2 + 3):
            tracer._add(Span("a", "b", "", "", "x", True, 0, 0, "", {}))
            tracer._add(Span("a", "b", "", "", "x", True, 0, 0, "", {}))
        assert stage.cell(layout.SPANS_DROPPED) == 6
        client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert client.message()[1] == b"ok"
        eventually(lambda: stage.cell(layout.SPANS_DROPPED) == 8)
        receiver = SpanReceiver(tmp_path)
        eventually(lambda: receiver.receive(0.001))  # it is there again: they go on by themselves
        receiver.close()
