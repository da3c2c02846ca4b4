import http.client
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.benchmark.process import wait_until_serving
from scripts.demo import backend
from scripts.processes import free_ports, started


@pytest.mark.parametrize(
    ("method", "target", "status", "part"),
    [
        ("GET", "/users", 200, "Alan"),
        ("HEAD", "/users", 200, "Alan"),
        ("GET", "/users/1", 200, "Ada"),
        ("GET", "/orders/7?verbose=1", 200, "pencil"),
        ("GET", "/orders/", 200, "compiler"),
        ("DELETE", "/headers?x=1", 200, "/headers?x=1"),
        ("GET", "/slow?ms=0", 200, "waited_ms"),
    ],
)
def test_the_answers(method: str, target: str, status: int, part: str) -> None:
    found, value = backend.answer(method, target, {}, b"")
    assert found == status
    assert part in json.dumps(value)


@pytest.mark.parametrize(
    ("method", "target"), [("GET", "/"), ("GET", "/users/99"), ("GET", "/users/ada"), ("PUT", "/users/1")]
)
def test_nothing_else_is_there(method: str, target: str) -> None:
    with pytest.raises(backend.NotFoundError):
        backend.answer(method, target, {}, b"")


def test_an_order_is_echoed() -> None:
    status, value = backend.answer("POST", "/orders", {}, b'{"user": 2}')
    assert (status, value) == (201, {"id": 9, "state": "open", "user": 2})


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[http.client.HTTPConnection]:
    (port,) = free_ports(1)
    with started([sys.executable, "-m", backend.__name__, "demo-1", str(port)], tmp_path / "log") as process:
        wait_until_serving(process, port, "/users", tmp_path / "log")
        client = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        yield client
        client.close()


def test_one_connection_serves_many_requests(connection: http.client.HTTPConnection) -> None:
    for method, target, body, status in (
        ("GET", "/users/1", None, 200),
        ("GET", "/nothing", None, 404),
        ("HEAD", "/users/1", None, 200),
        ("POST", "/orders", b'{"user": 2}', 201),
        ("POST", "/orders", b"not json", 400),
        ("POST", "/orders", b"7", 400),
        ("GET", "/headers", None, 200),
    ):
        connection.request(method, target, body)
        response = connection.getresponse()
        response.read()
        assert (method, target, response.status) == (method, target, status)
        assert response.getheader("X-Served-By") == "demo-1"
        assert not response.will_close


def test_a_chunked_body_is_read(connection: http.client.HTTPConnection) -> None:
    connection.request("POST", "/orders", iter([b'{"us', b'er": 2}']), encode_chunked=True)
    response = connection.getresponse()
    assert (response.status, json.loads(response.read())["user"]) == (201, 2)
    connection.request("GET", "/users/1")
    assert connection.getresponse().status == 200
