"""The server behind the attacked gateway: small and large answers, and it reads whatever comes.

Run as a program: python -m scripts.attacks.backend PORT.
"""

import asyncio
import re
import sys

_SMALL = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
_LARGE = b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n" + b"x" * 1_000_000
_LENGTH = re.compile(rb"\r\ncontent-length: (\d+)\r\n", re.IGNORECASE)


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer the requests of one connection; a chunked body is read until it ends or the connection does."""
    try:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            length = _LENGTH.search(head)
            left = int(length[1]) if length else 0
            while left:
                left -= len(await _some(reader, left))
            if b"chunked" in head:
                while await _some(reader, 65536):
                    pass
            writer.write(_LARGE if head.startswith(b"GET /large") else _SMALL)
            await writer.drain()
    except (OSError, asyncio.IncompleteReadError):
        pass
    finally:
        writer.close()


async def _some(reader: asyncio.StreamReader, most: int) -> bytes:
    data = await reader.read(min(most, 65536))
    if not data:
        raise ConnectionError("closed")
    return data


async def main(port: int) -> None:
    """Serve for ever."""
    server = await asyncio.start_server(serve, "127.0.0.1", port, backlog=4096)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
