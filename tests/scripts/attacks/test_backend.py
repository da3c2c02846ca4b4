import asyncio
import socket

import pytest

from scripts.attacks import backend


async def exchange(*requests: bytes) -> bytes:
    """Send requests over one connection and return what comes until it has been still for a moment."""
    server = await asyncio.start_server(backend.serve, "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    for request in requests:
        writer.write(request)
    writer.write_eof()
    received = await asyncio.wait_for(reader.read(), 10)
    writer.close()
    server.close()
    return received


@pytest.mark.parametrize(
    ("request_", "size"),
    [
        (b"GET /small HTTP/1.1\r\n\r\n", 2),
        (b"GET /large HTTP/1.1\r\n\r\n", 1_000_000),
        (b"POST /small HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello", 2),
    ],
)
def test_answers(request_: bytes, size: int) -> None:
    received = asyncio.run(exchange(request_, request_))
    assert received.count(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size) == 2


def test_it_listens_where_it_is_told() -> None:
    async def run() -> bytes:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        task = asyncio.ensure_future(backend.main(port))
        while True:
            try:
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                break
            except OSError:
                await asyncio.sleep(0.01)
        writer.write(b"GET /small HTTP/1.1\r\n\r\n")
        received = await reader.readuntil(b"ok")
        writer.close()
        task.cancel()
        return received

    assert asyncio.run(asyncio.wait_for(run(), 10)).startswith(b"HTTP/1.1 200 OK")
