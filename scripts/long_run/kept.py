"""Kept connections of HTTP/1.1, as cheap as they can be in Python: it is the gateway that shall be busy."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, Mapping

import h11


class Kept:
    """Asks a server over connections that are kept; one that has ended is not missed."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter, h11.Connection]] = []

    async def ask(
        self,
        target: str,
        method: str = "GET",
        headers: Mapping[str, str] | None = None,
        body: bytes | AsyncIterable[bytes] = b"",
    ) -> int:
        """Return the status of the answer, once it is whole. Raises OSError, EOFError, h11.ProtocolError."""
        reader, writer, connection = await self._take()
        try:
            status = await _exchange(reader, writer, connection, _request(target, method, headers, body), body)
        except BaseException:
            writer.close()
            raise
        if connection.our_state is connection.their_state is h11.DONE:
            connection.start_next_cycle()
            self._idle.append((reader, writer, connection))
        else:
            writer.close()
        return status

    def close(self) -> None:
        """Close what is idle."""
        while self._idle:
            self._idle.pop()[1].close()

    async def _take(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter, h11.Connection]:
        while self._idle:
            reader, writer, connection = self._idle.pop()
            if not reader.at_eof():
                return reader, writer, connection
            writer.close()
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        return reader, writer, h11.Connection(h11.CLIENT)


def _request(
    target: str, method: str, headers: Mapping[str, str] | None, body: bytes | AsyncIterable[bytes]
) -> h11.Request:
    fields = [("Host", "soak.test"), *(headers or {}).items()]
    if not isinstance(body, bytes):
        fields.append(("Transfer-Encoding", "chunked"))
    elif body:
        fields.append(("Content-Length", str(len(body))))
    return h11.Request(method=method, target=target, headers=fields)


async def _exchange(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    connection: h11.Connection,
    request: h11.Request,
    body: bytes | AsyncIterable[bytes],
) -> int:
    writer.write(connection.send(request) or b"")
    if isinstance(body, bytes):
        writer.write((body and connection.send(h11.Data(data=body))) or b"")
    else:
        async for piece in body:
            writer.write(connection.send(h11.Data(data=piece)) or b"")
    writer.write(connection.send(h11.EndOfMessage()) or b"")
    status = 0
    while not isinstance(event := connection.next_event(), h11.EndOfMessage):
        if event is h11.NEED_DATA:
            connection.receive_data(await reader.read(65536))
        elif isinstance(event, h11.Response):
            status = event.status_code
        elif isinstance(event, h11.ConnectionClosed):
            raise EOFError
    return status
