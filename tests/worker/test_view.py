import pytest

from gproxy.core.router import Route
from tests.worker.stage import Stage

HOST = b"Host: A.example:8080\r\n"


def test_what_a_request_says(stage: Stage) -> None:
    exchange = stage.exchange(HOST + b"User-Agent: x\r\nuser-agent: y\r\n")
    assert exchange.field(b"user-agent") == b"x"
    assert exchange.field(b"referer") is None
    assert exchange.host() == b"a.example"
    assert exchange.client_ip() == b"127.0.0.1"
    assert (exchange.path_names(), exchange.rest()) == ((), None)


def test_fields_of_large_heads_are_found_as_well(stage: Stage) -> None:
    exchange = stage.exchange(HOST + b"X-A: 1\r\nX-B: " + b"b" * 5_000 + b"\r\nx-a: 2\r\n")
    assert (exchange.field(b"x-a"), exchange.field(b"x-c")) == (b"1", None)
    assert exchange.field(b"x-b") == b"b" * 5_000


@pytest.mark.parametrize(
    ("path", "target", "names", "rest"),
    [
        ("/static/*", b"/static/a%20b/c?x=1", (), b"a%20b/c"),
        ("/static/*", b"/static/", (), b""),
        ("/*", b"/a/b", (), b"a/b"),
        ("/u/{id}/*", b"/u/7/x/y", ("id",), b"x/y"),
        ("/u/{id}", b"/u/7", ("id",), None),
        (r"~^/v(\d+)/", b"/v1/", ("1",), None),
    ],
)
def test_what_the_path_of_the_api_makes_of_it(
    stage: Stage, path: str, target: bytes, names: tuple[str, ...], rest: bytes | None
) -> None:
    stage.proxy_to("127.0.0.1:1", path=path)
    assert stage.runtime.snapshot is not None
    exchange = stage.exchange(HOST, target=target)
    exchange.api = next(value.target for value in stage.runtime.snapshot.compiled.values() if isinstance(value, Route))
    assert (exchange.path_names(), exchange.rest()) == (names, rest)


@pytest.mark.parametrize(
    ("body", "value"),
    [(b'{"a": 1}', {"a": 1}), (b"[", None), (b"", None), (b"\xff", None), (b"[" * 9999 + b"]" * 9999, None)],
)
def test_json(stage: Stage, body: bytes, value: object) -> None:
    exchange = stage.exchange(HOST + b"Content-Length: %d\r\n" % len(body), b"POST")
    exchange.client.buffer = body
    exchange.take_body(0)
    assert exchange.json("") == value
    assert exchange.json("user") is None
