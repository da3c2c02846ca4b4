"""The attackers: each a coroutine that harasses a gateway until it is stopped.

Run as a program: python -m scripts.attacks.attackers NAME PORT TLS_PORT PROXY_PORT SCALE. They come from an address of
their own (127.0.0.66), so that limits on addresses do not hit others. SCALE multiplies how many there are.
"""

import asyncio
import contextlib
import os
import socket
import ssl
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

SOURCE = "127.0.0.66"
HEAD = b"GET /small HTTP/1.1\r\nHost: a\r\n"
GET = HEAD + b"\r\n"
#: what is sent in one write by those that send as fast as they can
_BURST_BYTES = 65536


@dataclass(frozen=True, slots=True)
class Target:
    """The gateway's addresses (ports of 127.0.0.1), and how many attackers are wanted for each one of scale 1."""

    port: int
    tls_port: int
    proxy_port: int
    scale: float

    def many(self, count: int) -> int:
        """Return how many attackers `count` of them are at this scale."""
        return max(1, int(count * self.scale))


Attacker = Callable[[Target, int], Awaitable[None]]


async def connect(port: int, receive_buffer: int = 0) -> socket.socket:
    """Open a connection from the attackers' address."""
    sock = socket.socket()
    sock.setblocking(False)
    sock.bind((SOURCE, 0))
    if receive_buffer:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    try:
        await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", port))
    except BaseException:
        sock.close()
        raise
    return sock


async def send(sock: socket.socket, data: bytes) -> None:
    """Send all of it."""
    await asyncio.get_running_loop().sock_sendall(sock, data)


async def receive(sock: socket.socket, size: int = 65536) -> bytes:
    """Read some; ConnectionError at the end of the connection."""
    data = await asyncio.get_running_loop().sock_recv(sock, size)
    if not data:
        raise ConnectionError("closed")
    return data


async def dribble(target: Target, start: bytes, piece: bytes, pause_s: float = 0.2) -> None:
    """Begin something and go on with a little now and then."""
    sock = await connect(target.port)
    with contextlib.closing(sock):
        await send(sock, start)
        while True:
            await asyncio.sleep(pause_s)
            await send(sock, piece)


async def slow_heads(target: Target, number: int) -> None:
    """Send a head byte by byte."""
    await dribble(target, HEAD + b"X: ", b"x")


async def slow_bodies(target: Target, number: int) -> None:
    """Send a body byte by byte."""
    await dribble(target, b"POST /large HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n", b"x")


async def slow_readers(target: Target, number: int) -> None:
    """Ask for a megabyte and take it in sips."""
    sock = await connect(target.port, receive_buffer=4096)
    with contextlib.closing(sock):
        await send(sock, b"GET /large HTTP/1.1\r\nHost: a\r\n\r\n")
        while True:
            await receive(sock, 64)
            await asyncio.sleep(0.2)


async def idle_crowd(target: Target, number: int) -> None:
    """Open a connection and say nothing."""
    sock = await connect(target.port)
    with contextlib.closing(sock):
        await receive(sock)


async def tiny_chunks(target: Target, number: int) -> None:
    """Send chunks of one byte as fast as they are taken."""
    sock = await connect(target.port)
    with contextlib.closing(sock):
        await send(sock, b"POST /large HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
        burst = b"1\r\nx\r\n" * (_BURST_BYTES // 6)
        while True:
            await send(sock, burst)
            await asyncio.sleep(0.02)


async def chunk_extensions(target: Target, number: int) -> None:
    """Send chunks whose extensions are a thousand times their content."""
    sock = await connect(target.port)
    with contextlib.closing(sock):
        await send(sock, b"POST /large HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
        chunk = b"1;" + b"x" * 1000 + b"\r\nx\r\n"
        while True:
            await send(sock, chunk * (_BURST_BYTES // len(chunk)))
            await asyncio.sleep(0.02)


async def huge_heads(target: Target, number: int) -> None:
    """Send heads that do not end."""
    sock = await connect(target.port)
    with contextlib.closing(sock):
        await send(sock, HEAD)
        while True:
            await send(sock, b"X: " + b"x" * 4000 + b"\r\n")
            await asyncio.sleep(0.01)


async def early_close(target: Target, number: int) -> None:
    """Ask and leave at once."""
    sock = await connect(target.port)
    with contextlib.closing(sock):
        await send(sock, b"GET /large HTTP/1.1\r\nHost: a\r\n\r\n")
    await asyncio.sleep(0.05)


async def half_close(target: Target, number: int) -> None:
    """Ask, say that nothing more will come, and read nothing."""
    sock = await connect(target.port, receive_buffer=4096)
    with contextlib.closing(sock):
        await send(sock, b"GET /large HTTP/1.1\r\nHost: a\r\n\r\n")
        sock.shutdown(socket.SHUT_WR)
        await asyncio.sleep(10)


async def pipelines(target: Target, number: int) -> None:
    """Send thousands of requests at once, whose answers nobody reads."""
    sock = await connect(target.port, receive_buffer=4096)
    with contextlib.closing(sock):
        request = b"GET /none HTTP/1.1\r\nHost: nobody\r\n\r\n"
        while True:
            await send(sock, request * (_BURST_BYTES // len(request)))
            await asyncio.sleep(0.05)


async def new_connections(target: Target, number: int) -> None:
    """Connect and leave, again and again."""
    (await connect(target.port)).close()
    await asyncio.sleep(0.01)


async def slow_handshakes(target: Target, number: int) -> None:
    """Begin a TLS handshake and go on byte by byte."""
    sock = await connect(target.tls_port)
    with contextlib.closing(sock):
        await send(sock, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")
        while True:
            await asyncio.sleep(0.2)
            await send(sock, b"x")


async def handshakes(target: Target, number: int) -> None:
    """Make the gateway sign and leave, some ten times a second."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    _, writer = await asyncio.open_connection(
        "127.0.0.1", target.tls_port, ssl=context, server_hostname="a.test", local_addr=(SOURCE, 0)
    )
    writer.close()
    await asyncio.sleep(0.1)


async def false_announcements(target: Target, number: int) -> None:
    """Claim to come from somewhere else, without the right to."""
    sock = await connect(target.proxy_port)
    with contextlib.closing(sock):
        await send(sock, b"PROXY TCP4 10.0.0.1 10.0.0.2 1 2\r\n" + GET)
        await receive(sock)
    await asyncio.sleep(0.01)


ATTACKERS: dict[str, Attacker] = {
    attacker.__name__: attacker
    for attacker in (
        *(slow_heads, slow_bodies, slow_readers, idle_crowd, tiny_chunks, chunk_extensions, huge_heads, early_close),
        *(half_close, pipelines, new_connections, slow_handshakes, handshakes, false_announcements),
    )
}


async def attack(attacker: Attacker, target: Target, count: int) -> None:
    """Run so many of one kind for ever; one that is thrown out comes back."""

    async def again_and_again(number: int) -> None:
        await asyncio.sleep(number / count / 2)  # not all in the same moment
        while True:
            try:
                await attacker(target, number)
            except OSError:
                await asyncio.sleep(0.05)

    await asyncio.gather(*(again_and_again(number) for number in range(count)))


def main(arguments: list[str]) -> None:
    """Attack until killed."""
    name, port, tls_port, proxy_port, scale, count = arguments
    os.nice(10)  # on a machine of few cores the attackers' own hunger must not be taken for their effect
    target = Target(int(port), int(tls_port), int(proxy_port), float(scale))
    asyncio.run(attack(ATTACKERS[name], target, target.many(int(count))))


if __name__ == "__main__":
    main(sys.argv[1:])
