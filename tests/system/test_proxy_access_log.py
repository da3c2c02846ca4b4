"""The access log: one line for every request, whatever became of it, in either format."""

from __future__ import annotations

import json
import re
import signal
import uuid
from collections.abc import Iterator

import pytest

from tests.harness.backend import ScriptedBackend
from tests.harness.echo import EchoBackend
from tests.harness.exchange import Exchange
from tests.harness.gateway import Gateway
from tests.harness.site import documents
from tests.harness.waiting import eventually

COMBINED = re.compile(
    r"(?P<ip>\S+) - - \[\d\d/\w{3}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4}\] "
    r'"(?P<method>\S+) (?P<target>\S+) (?P<protocol>HTTP/1\.[01])" (?P<status>\d{3}) (?P<bytes>\d+|-) '
    r'"(?P<referer>[^"]*)" "(?P<agent>[^"]*)"'
)


@pytest.fixture(scope="module")
def combined(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    settings = {"log": {"access_format": "combined"}, "gproxy": {"trusted_proxies": "127.0.0.1"}}
    folder = tmp_path_factory.mktemp("combined")
    with EchoBackend() as echo, Gateway(folder, documents({"echo": echo.address}), settings) as gateway:
        yield gateway


def own_target() -> str:
    return f"/{uuid.uuid4().hex}"


def test_an_answered_request(gateway: Gateway, echo: EchoBackend) -> None:
    target = own_target() + "?a=b"
    with gateway.client() as client:
        answer = client.post(target, b"hello", headers="User-Agent: tests\r\n")
    entry = gateway.access_entry(target)
    expected = {
        "client_ip": "127.0.0.1",
        "method": "POST",
        "host": "gateway.test",
        "protocol": "HTTP/1.1",
        "status": 200,
        "api": "echo",
        "server": "echo",
        "bytes_in": 5,
        "request_id": echo.requests[-1].head.value("x-request-id"),
    }
    assert {key: entry[key] for key in expected} == expected
    assert entry["bytes_out"] >= answer.size
    assert 0 <= entry["duration_ms"] < 10_000
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", entry["time"])


def test_every_request_of_a_connection_has_a_line(gateway: Gateway) -> None:
    before = len(gateway.access_lines_so_far())
    targets = [own_target() for _ in range(10)]
    with gateway.client() as client:
        client.send(*(f"GET {target} HTTP/1.1\r\nHost: gateway.test\r\n\r\n".encode() for target in targets))
        for _ in targets:
            client.receive()
    assert [gateway.access_entry(target)["status"] for target in targets] == [200] * 10
    assert len(gateway.access_lines_so_far()) == before + 10


@pytest.mark.parametrize(
    ("request_line", "status", "code"),
    [
        ("GET {} HTTP/1.1\r\nHost: a b", 400, "bad_request"),
        ("GET {} HTTP/1.1\r\nHost: a\r\nExpect: x", 417, "expectation_failed"),
    ],
)
def test_a_refused_request_has_a_line(request_line: str, status: int, code: str, gateway: Gateway) -> None:
    before = len(gateway.access_lines_so_far())
    with gateway.client() as client:
        client.send(request_line.format(own_target()).encode() + b"\r\n\r\n")
        request_id = client.receive().json()["request_id"]
    (line,) = gateway.access_lines_so_far()[before:]
    entry = json.loads(line)
    assert (entry["status"], entry["code"], entry["request_id"]) == (status, code, request_id)


def test_a_failed_request_names_its_server_and_reason(gateway: Gateway, script: ScriptedBackend) -> None:
    target = own_target()
    script.play(b"garbage\r\n\r\n", Exchange.close)
    with gateway.client() as client:
        client.get(target, "script.test")
    entry = gateway.access_entry(target)
    assert (entry["status"], entry["code"], entry["server"]) == (502, "bad_upstream", "script")
    assert entry["reason"]


def test_a_broken_answer_is_told_from_a_whole_one(gateway: Gateway, script: ScriptedBackend) -> None:
    target = own_target()
    with gateway.client() as client:
        client.send(f"GET {target} HTTP/1.1\r\nHost: script.test\r\n\r\n".encode())
        exchange = script.next_exchange()
        exchange.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello")
        client.receive_head()
        exchange.close()
        exchange.finish()
        client.rest()
    entry = gateway.access_entry(target)
    assert entry["status"] == 200
    assert entry["code"]


def test_what_clients_send_cannot_forge_lines(gateway: Gateway) -> None:
    target = own_target() + '?"x"=\\n'
    with gateway.client() as client:
        assert client.get(target).status == 200
    assert gateway.access_entry(target)["status"] == 200


def test_combined_format(combined: Gateway) -> None:
    target = own_target()
    headers = 'User-Agent: te"st\r\nReferer: http://a.test/\r\nX-Forwarded-For: 8.8.8.8, 9.9.9.9\r\n'
    with combined.client() as client:
        size = client.get(target, headers=headers).size
        client.send(b"GET /a HTTP/1.1\r\n\r\n")
        assert client.receive().status == 400
    eventually(lambda: len(combined.access_lines()) >= 2)
    first, second = (COMBINED.fullmatch(line) for line in combined.access_lines())
    assert first is not None
    assert (first["ip"], first["method"], first["target"], first["status"]) == ("9.9.9.9", "GET", target, "200")
    assert int(first["bytes"]) >= size
    assert first["referer"] == "http://a.test/"
    assert '"' not in first["agent"]
    assert second is not None
    assert second["status"] == "400"


def test_log_rotation_loses_no_line(gateway: Gateway) -> None:
    first, second = own_target(), own_target()
    moved = gateway.access_file.with_suffix(".1")
    with gateway.client() as client:
        client.get(first)
        gateway.access_entry(first)
        gateway.access_file.rename(moved)
        gateway.signal(signal.SIGUSR1)
        eventually(lambda: client.get("/again").status == 200 and gateway.access_file.exists())
        client.get(second)
        assert gateway.access_entry(second)["status"] == 200
    assert first in moved.read_text()
