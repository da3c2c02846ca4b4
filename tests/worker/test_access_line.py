import json
import re
from typing import Any

import pytest

from gproxy.core.errors import BadUpstream
from gproxy.worker import access_line
from gproxy.worker.access_line import FORMATS, combined_line, extended_line, json_line
from gproxy.worker.phases import phases_of
from tests.worker.stage import Stage


def finished(stage: Stage, block: bytes = b"Host: A:80\r\n", **fields: Any) -> bytes:
    """Return the line of JSON of an exchange with these values."""
    exchange = stage.exchange(block, b"POST", b'/a?b="\\')
    for name, value in ({"status": 200} | fields).items():
        setattr(exchange, name, value)
    return json_line(exchange, ())


def test_json(stage: Stage) -> None:
    stage.proxy_to("127.0.0.1:1")
    assert stage.runtime.snapshot is not None
    api = stage.runtime.snapshot.router.find(b"a", b"GET", b"/").target  # type: ignore[union-attr]
    line = finished(stage, received=5, sent=7, api=api, server=api.nodes[0].cluster.members[0], request_id=b"id")
    assert line.endswith(b"}\n")
    entry = json.loads(line)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", entry.pop("time"))
    assert 0 <= entry.pop("server_ms") <= entry.pop("duration_ms") < 5000
    assert entry == {
        "client_ip": "127.0.0.1",
        "method": "POST",
        "host": "A:80",
        "target": '/a?b="\\',
        "protocol": "HTTP/1.1",
        "status": 200,
        "code": "",
        "end": "--",
        "body_ms": 0,
        "queue_ms": 0,
        "connect_ms": 0,
        "transfer_ms": 0,
        "bytes_in": 5,
        "bytes_out": 7,
        "api": "all",
        "server": "s0",
        "address": "127.0.0.1:1",
        "attempts": 1,
        "request_id": "id",
    }


def test_json_of_a_failure_says_why(stage: Stage) -> None:
    entry = json.loads(finished(stage, status=502, code="bad_upstream", reason="connect failed"))
    assert (entry["status"], entry["code"], entry["reason"]) == (502, "bad_upstream", "connect failed")
    assert (entry["api"], entry["server"]) == ("", "")


def test_time_is_one_moment(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access_line, "time", lambda: 1_700_000_000.9996)
    assert json.loads(finished(stage))["time"] == "2023-11-14T22:13:20.999Z"


def test_json_is_one_line_of_ascii_whatever_the_client_says(stage: Stage) -> None:
    exchange = stage.exchange(b"Host: a\r\n", b"GET", b"/\xe9\x1b")
    line = json_line(exchange, ())
    assert line.isascii()
    assert line.count(b"\n") == 1
    assert json.loads(line)["target"] == "/é\x1b"


@pytest.mark.parametrize(
    ("block", "last"),
    [
        (b"", b'"-" "-"'),
        (b"Referer: http://x/\r\nUser-Agent: curl/8 (x)\r\n", b'"http://x/" "curl/8 (x)"'),
        (b'Referer: "\\\r\nUser-Agent: \xe9"\r\n', b'"\\x22\\x5C" "\xe9\\x22"'),
    ],
)
def test_combined(stage: Stage, block: bytes, last: bytes) -> None:
    exchange = stage.exchange(b"Host: a\r\n" + block, target=b'/"a', minor=b"0", ip="::1")
    exchange.status, exchange.sent = 404, 12
    line = combined_line(exchange, ())
    moment = rb"\[\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d \+0000\]"
    match = re.fullmatch(rb"::1 - - " + moment + rb' "GET /\\x22a HTTP/1\.0" 404 12 (.*)\n', line)
    assert match is not None
    assert match[1] == last


def test_formats_by_name() -> None:
    assert {"json": json_line, "combined": combined_line, "extended": extended_line} == FORMATS


def test_the_phases_make_up_the_whole(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    stage.proxy_to("127.0.0.1:1")
    assert stage.runtime.snapshot is not None
    exchange = stage.exchange()
    exchange.api = stage.runtime.snapshot.router.find(b"a", b"GET", b"/").target  # type: ignore[union-attr]
    exchange.server = exchange.api.nodes[0].cluster.members[0]
    exchange.status = 200
    now = exchange.started
    monkeypatch.setattr("gproxy.worker.phases.monotonic", lambda: now)
    phases = phases_of(exchange)
    for phase, took_s in (("R", 1.0), ("Q", 2.0), ("C", 4.0)):
        phases.begin(phase)
        now += took_s
        phases.end()
    now += 8.0
    exchange.answered = now
    now += 16.0
    monkeypatch.setattr(access_line, "monotonic", lambda: now)
    entry = json.loads(json_line(exchange, ()))
    phases_ms = [entry[f"{name}_ms"] for name in ("body", "queue", "connect", "server", "transfer")]
    assert phases_ms == [1000, 2000, 4000, 8000, 16000]
    assert entry["duration_ms"] == sum(phases_ms)


def test_earlier_attempts(stage: Stage) -> None:
    stage.proxy_to("127.0.0.1:1")
    assert stage.runtime.snapshot is not None
    exchange = stage.exchange()
    exchange.api = stage.runtime.snapshot.router.find(b"a", b"GET", b"/").target  # type: ignore[union-attr]
    exchange.server = exchange.api.nodes[0].cluster.members[0]
    phases_of(exchange).begin("C")
    phases_of(exchange).give_up(exchange, 0, "bad_upstream", "connect failed")
    exchange.status, exchange.attempts = 200, 2
    entry = json.loads(json_line(exchange, ()))
    assert (entry["attempts"], entry["end"], entry["connect_ms"]) == (2, "--", 0)
    (earlier,) = entry["earlier"]
    assert earlier.pop("duration_ms") >= 0
    assert earlier == {
        "server": "s0",
        "address": "127.0.0.1:1",
        "status": 0,
        "code": "bad_upstream",
        "reason": "connect failed",
    }


def test_extended(stage: Stage) -> None:
    exchange = stage.exchange(b"Host: a\r\n")
    exchange.status, exchange.sent, exchange.request_id = 502, 12, b"id"
    exchange.failed(BadUpstream("The server refused.", "connect failed"))
    line = extended_line(exchange, ())
    combined, _, more = line.decode("ascii").rpartition('" ')
    assert combined.endswith('"GET / HTTP/1.1" 502 12 "-" "-')
    pairs = dict(pair.split("=") for pair in more.split())
    assert float(pairs.pop("duration_ms")) >= 0
    assert pairs == {
        "end": "SH",
        "code": "bad_upstream",
        "refused_by": "-",
        "api": "-",
        "server": "-",
        "address": "-",
        "attempts": "0",
        "body_ms": "0.000",
        "queue_ms": "0.000",
        "connect_ms": "0.000",
        "server_ms": "0.000",
        "transfer_ms": "0.000",
        "bytes_in": "0",
        "request_id": "id",
    }
