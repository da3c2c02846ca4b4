import asyncio

import pytest

from scripts.long_run import backend


async def exchange(*requests: bytes) -> bytes:
    """Send requests over one connection and return what comes until the end of it."""
    server = await asyncio.start_server(backend.talk, "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    writer.write(b"".join(requests))
    writer.write_eof()
    received = await asyncio.wait_for(reader.read(), 10)
    writer.close()
    server.close()
    return received


@pytest.mark.parametrize(
    ("request_", "ending"),
    [
        (b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n", b'\r\n\r\n{"path": "/a", "body": 0, "user": 1}'),
        (b"POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello", b'{"path": "/a", "body": 5, "user": 1}'),
        (b"HEAD /a HTTP/1.1\r\nHost: a\r\n\r\n", b"Length: 36\r\n\r\n"),
        (b"GET /large HTTP/1.1\r\nHost: a\r\n\r\n", b"\r\n\r\n" + b"x" * 500_000),
    ],
)
def test_answers(request_: bytes, ending: bytes) -> None:
    received = asyncio.run(exchange(request_, request_))
    assert received.endswith(ending)
    assert received.count(b"HTTP/1.1 200 -\r\n") == 2


def test_events_come_one_after_the_other() -> None:
    received = asyncio.run(exchange(b"GET /events HTTP/1.1\r\nHost: a\r\n\r\n"))
    assert received.count(b"data: ") == 5


def test_half_an_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("random.random", lambda: 0.0)
    assert asyncio.run(exchange(b"GET /broken HTTP/1.1\r\nHost: a\r\n\r\n")).endswith(b"\r\n\r\nhalf")
    assert b" 500 " in asyncio.run(exchange(b"GET /flaky HTTP/1.1\r\nHost: a\r\n\r\n"))
