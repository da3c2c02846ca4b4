"""The load: each kind of request a coroutine, asked for in the shares of one visible table.

Run as a program: python -m scripts.long_run.clients PORT TLS_PORT RATE. Prints a line of JSON every ten seconds: how
often each kind came to each end since the line before.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import ssl
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field

import httpx
import jwt
from websockets.asyncio.client import connect

from scripts.long_run.configuration import KEY, SECRET
from scripts.long_run.kept import Kept

_REPORT_S = 10.0
_TIMEOUT_S = 20.0
#: requests in flight: who is slow, gateway or clients, is not asked more and more
_MOST_WAITING = 64


@dataclass
class Site:
    """The gateway's ports, and clients that keep connections."""

    port: int
    tls_port: int
    one: Kept = field(init=False)
    two: httpx.AsyncClient = field(init=False)

    def __post_init__(self) -> None:
        self.one = Kept(self.port)
        secure = f"https://127.0.0.1:{self.tls_port}"
        self.two = httpx.AsyncClient(base_url=secure, http2=True, verify=_trusting(), timeout=_TIMEOUT_S)


def _trusting() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


Kind = Callable[[Site], Awaitable[str]]


def plain(path: str, method: str = "GET", headers: dict[str, str] | None = None, body: bytes = b"") -> Kind:
    """Return a kind of request over a kept connection."""

    async def ask(site: Site) -> str:
        return str(await site.one.ask(path, method, headers, body))

    return ask


def over_http2(path: str) -> Kind:
    """Return a kind of request over TLS and HTTP/2."""

    async def ask(site: Site) -> str:
        return str((await site.two.get(path)).status_code)

    return ask


async def signed(site: Site) -> str:
    """Ask with a token of one's own."""
    token = jwt.encode({"sub": f"u{random.randrange(1000)}", "exp": time.time() + 60}, SECRET, "HS256")
    return str(await site.one.ask("/signed", headers={"Authorization": f"Bearer {token}"}))


async def limited(site: Site) -> str:
    """Ask as one of many who share a limit each."""
    return str(await site.one.ask("/limited", headers={"X-Who": str(random.randrange(3))}))


async def unseen(site: Site) -> str:
    """Ask with a head that nobody has seen before."""
    return str(await site.one.ask(f"/small?n={random.random()}", headers={"X-N": str(random.random())}))


async def chunked(site: Site) -> str:
    """Send a body in chunks."""

    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(5):
            yield b"x" * 2000
            await asyncio.sleep(0.01)

    return str(await site.one.ask("/posts", "POST", body=pieces()))


async def chat(site: Site) -> str:
    """Hold a WebSocket for a moment."""
    async with connect(f"ws://127.0.0.1:{site.port}/chat", open_timeout=_TIMEOUT_S) as socket:
        for number in range(5):
            await socket.send(f"hello {number}")
            await asyncio.wait_for(socket.recv(), _TIMEOUT_S)
            await asyncio.sleep(0.1)
    return "done"


async def leaving(site: Site) -> str:
    """Ask and leave at once."""
    _, writer = await asyncio.open_connection("127.0.0.1", site.port)
    writer.write(b"GET /slow HTTP/1.1\r\nHost: a\r\n\r\n")
    await writer.drain()
    writer.close()
    return "left"


async def rubbish(site: Site) -> str:
    """Send what is no request, or half of one, and wait for the end."""
    reader, writer = await asyncio.open_connection("127.0.0.1", random.choice((site.port, site.tls_port)))
    with contextlib.closing(writer):
        writer.write(random.choice((b"\0\1\2\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"GET /small HTTP/1.1\r\nHo")))
        await writer.drain()
        await asyncio.wait_for(reader.read(65536), _TIMEOUT_S)
    return "ended"


async def fresh(site: Site) -> str:
    """Ask over a new TLS connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", site.tls_port, ssl=_trusting())
    with contextlib.closing(writer):
        writer.write(b"GET /small HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        return (await asyncio.wait_for(reader.read(65536), _TIMEOUT_S))[9:12].decode("ascii")


#: kind of request -> (how many of a hundred and more, who asks)
KINDS: dict[str, tuple[int, Kind]] = {
    "GET": (30, plain("/small")),
    "GET, new head": (10, unseen),
    "HTTP/2": (10, over_http2("/small")),
    "new TLS connection": (4, fresh),
    "POST": (10, plain("/posts", "POST", body=b"x" * 10_000)),
    "POST in chunks": (3, chunked),
    "aggregation": (6, plain("/pages/7")),
    "API key": (4, plain("/keyed", headers={"X-Api-Key": KEY})),
    "wrong API key": (1, plain("/keyed", headers={"X-Api-Key": "x"})),
    "token": (4, signed),
    "limited": (6, limited),
    "violation": (1, plain("/checked?n=x")),
    "queue": (4, plain("/slow")),
    "large": (2, plain("/large")),
    "flaky server": (4, plain("/flaky")),
    "broken server": (1, plain("/broken")),
    "preflight": (1, plain("/x", "OPTIONS", headers={"Origin": "https://a.test"})),
    "redirect": (1, plain("/moved")),
    "mock": (1, plain("/made")),
    "events": (1, plain("/events")),
    "WebSocket": (1, chat),
    "client leaves": (2, leaving),
    "rubbish": (1, rubbish),
}


async def run(site: Site, rate: float, say: Callable[[str], object]) -> None:
    """Ask for ever, at random, `rate` times a second."""
    ends: Counter[str] = Counter()
    waiting: set[asyncio.Task[None]] = set()
    names, weights = list(KINDS), [weight for weight, _ in KINDS.values()]

    async def one(name: str) -> None:
        try:
            async with asyncio.timeout(_TIMEOUT_S):
                end = await KINDS[name][1](site)
        except Exception as error:  # whatever a library makes of a fault
            end = type(error).__name__
        ends[f"{name}: {end}"] += 1

    report_s = time.monotonic() + _REPORT_S
    while True:
        for _ in range(max(1, round(rate / 20))):
            task = asyncio.create_task(one(random.choices(names, weights)[0]))
            waiting.add(task)
            task.add_done_callback(waiting.discard)
        await asyncio.sleep(0.05)
        while len(waiting) > _MOST_WAITING:
            await asyncio.sleep(0.05)
        if time.monotonic() >= report_s:
            report_s += _REPORT_S
            say(json.dumps(ends))
            ends.clear()


if __name__ == "__main__":
    asyncio.run(run(Site(int(sys.argv[1]), int(sys.argv[2])), float(sys.argv[3]), lambda line: print(line, flush=True)))
