"""The servers behind the gateway: honest, slow, failing and broken answers, events, and a chat.

Run as a program: python -m scripts.long_run.backend PORT CHAT_PORT.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
from collections.abc import AsyncIterator

import h11
from websockets.asyncio.server import ServerConnection, serve

_LARGE = b"x" * 500_000
Chunks = AsyncIterator[bytes]


async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Serve one connection."""
    connection = h11.Connection(h11.SERVER)
    try:
        while await _one(connection, reader, writer):
            connection.start_next_cycle()
    except (OSError, h11.ProtocolError):
        pass
    finally:
        writer.close()


async def _one(connection: h11.Connection, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
    """Read a request and answer it; False when nothing can follow."""
    request, body = None, 0
    while not isinstance(event := connection.next_event(), h11.EndOfMessage):
        if event is h11.NEED_DATA:
            if connection.they_are_waiting_for_100_continue:
                writer.write(connection.send(h11.InformationalResponse(status_code=100, headers=[])) or b"")
            connection.receive_data(await reader.read(65536))
        elif isinstance(event, h11.Request):
            request = event
        elif isinstance(event, h11.Data):
            body += len(event.data)
        else:
            return False
    assert request is not None
    path = request.target.partition(b"?")[0].decode("ascii")
    if path == "/broken" and random.random() < 0.5:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nhalf")
        await writer.drain()
        return False
    await _answer(connection, writer, path, request.method, body)
    return connection.our_state is connection.their_state is h11.DONE


async def _answer(
    connection: h11.Connection, writer: asyncio.StreamWriter, path: str, method: bytes, body: int
) -> None:
    if path == "/slow":
        await asyncio.sleep(random.uniform(0.02, 0.3))
    status = 500 if path == "/flaky" and random.random() < 0.2 else 200
    content = _LARGE if path == "/large" else json.dumps({"path": path, "body": body, "user": 1}).encode("ascii")
    is_stream = path == "/events"
    framing = ("Transfer-Encoding", "chunked") if is_stream else ("Content-Length", str(len(content)))
    kind = "text/event-stream" if is_stream else "application/json"
    writer.write(
        connection.send(h11.Response(status_code=status, headers=[("Content-Type", kind), framing], reason="-")) or b""
    )
    if is_stream:
        for number in range(5):
            writer.write(connection.send(h11.Data(data=b"data: %d\n\n" % number)) or b"")
            await writer.drain()
            await asyncio.sleep(0.1)
    elif method != b"HEAD":
        writer.write(connection.send(h11.Data(data=content)) or b"")
    writer.write(connection.send(h11.EndOfMessage()) or b"")
    await writer.drain()


async def chat(connection: ServerConnection) -> None:
    """Return every message."""
    async for message in connection:
        await connection.send(message)


async def main(port: int, chat_port: int) -> None:
    """Serve for ever."""
    async with await asyncio.start_server(talk, "127.0.0.1", port), serve(chat, "127.0.0.1", chat_port):
        await asyncio.Future()


if __name__ == "__main__":
    asyncio.run(main(*map(int, sys.argv[1:])))
