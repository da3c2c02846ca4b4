"""One of three servers fails in some way, under a steady load: what clients see of it.

`python -m tests.harness.failures` measures every case at 500 requests a second and prints the table of
docs/failures.md.
"""

from __future__ import annotations

import asyncio
import socket
import struct
import sys
import tempfile
from asyncio import StreamReader, StreamWriter
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Thread
from typing import Any, Final

from tests.harness.gateway import Gateway

Script = Callable[[StreamReader, StreamWriter], Awaitable[None]]

_OK: Final = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n0123456789"
_REQUEST: Final = b"GET /load HTTP/1.1\r\nHost: gateway.test\r\n\r\n"
_RESET: Final = struct.pack("ii", 1, 0)
_SLOW_S: Final = 5.0
_IDLE_S: Final = 1.0

#: What the table compares: fields of the cluster's document.
RETRY: Final = {"per_try_timeout_s": 0.3}
BREAKER: Final = {"consecutive_failures": 5, "open_s": 1}
FEATURES: Final[dict[str, dict[str, Any]]] = {
    "neither": {},
    "retry": {"retry": RETRY},
    "retry and circuit_breaker": {"retry": RETRY, "circuit_breaker": BREAKER},
}


async def well(reader: StreamReader, writer: StreamWriter) -> None:
    """Answer every request at once."""
    while await reader.readuntil(b"\r\n\r\n"):
        writer.write(_OK)


async def blackhole(reader: StreamReader, writer: StreamWriter) -> None:
    """Take requests and never answer."""
    await reader.read()


async def slow(reader: StreamReader, writer: StreamWriter) -> None:
    """Answer after five seconds."""
    while await reader.readuntil(b"\r\n\r\n"):
        await asyncio.sleep(_SLOW_S)
        writer.write(_OK)


async def reset_in_body(reader: StreamReader, writer: StreamWriter) -> None:
    """Reset the connection in the middle of the body."""
    await reader.readuntil(b"\r\n\r\n")
    writer.write(_OK[:-5])
    await asyncio.sleep(0.005)  # what is still in the socket would go with the reset
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    writer.transport.abort()


async def idle_close(reader: StreamReader, writer: StreamWriter) -> None:
    """Close a connection on which no request came for a second, as gunicorn does."""
    while await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), _IDLE_S):
        writer.write(_OK)


#: How the third server fails, by name; None: nobody listens there.
CASES: Final[dict[str, Script | None]] = {
    "refused": None,
    "blackhole": blackhole,
    "slow": slow,
    "reset": reset_in_body,
    "idle_close": idle_close,
}
_WORDS: Final = {
    "refused": "refuses connections",
    "blackhole": "accepts, never answers",
    "slow": "answers after 5 s",
    "reset": "resets in the middle of the body",
    "idle_close": "closes idle connections after 1 s",
}


@dataclass(slots=True)
class Outcome:
    """What clients saw: `errors` by status, or by what broke."""

    requests: int = 0
    errors: Counter[str] = field(default_factory=Counter)

    def __str__(self) -> str:
        if not self.errors:
            return "0"
        share = 100 * self.errors.total() / self.requests
        kinds = ", ".join(f"{count} × {kind}" for kind, count in self.errors.most_common())
        return f"{share:.1f} % ({kinds})"


def measured(folder: Path, case: str, features: dict[str, Any], rate: int, seconds: float) -> Outcome:
    """Send `rate` requests a second through a gateway with two good servers and one that fails."""
    with _servers(well, well, CASES[case]) as addresses:
        names = [f"s{number}" for number in range(len(addresses))]
        documents: dict[str, list[dict[str, Any]]] = {
            "servers": [{"name": n, "address": a} for n, a in zip(names, addresses, strict=True)],
            "clusters": [{"name": "c", "servers": names, "timeouts": {"response_s": 1, "total_s": 3}, **features}],
            "apis": [{"name": "all", "path": "/*", "nodes": [{"cluster": "c"}]}],
        }
        settings: dict[str, dict[str, object]] = {
            "gproxy": {"workers": 2, "graceful_timeout_s": 1},
            "log": {"access": "off"},
        }
        with Gateway(folder, documents, settings) as gateway:
            assert isinstance(gateway.address, tuple)
            return asyncio.run(_load(*gateway.address, rate, seconds))


async def _load(host: str, port: int, rate: int, seconds: float) -> Outcome:
    """Begin a request every 1/rate seconds, however long the others take, over keep-alive connections."""
    loop, outcome = asyncio.get_running_loop(), Outcome()
    idle: list[tuple[StreamReader, StreamWriter]] = []

    async def one() -> None:
        outcome.requests += 1
        reader, writer = idle.pop() if idle else await asyncio.open_connection(host, port)
        try:
            writer.write(_REQUEST)
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
            await reader.readexactly(length)
        except (OSError, asyncio.IncompleteReadError):
            outcome.errors["broken body"] += 1
            await _close(writer)
            return
        if head[9:12] != b"200":
            outcome.errors[head[9:12].decode()] += 1
        idle.append((reader, writer))

    begun, tasks = loop.time(), []
    for number in range(round(rate * seconds)):
        await asyncio.sleep(max(0.0, begun + number / rate - loop.time()))
        tasks.append(asyncio.create_task(one()))
    await asyncio.gather(*tasks)
    for _, writer in idle:
        await _close(writer)
    return outcome


async def _close(writer: StreamWriter) -> None:
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()


@contextmanager
def _servers(*scripts: Script | None) -> Iterator[list[str]]:
    """Run these servers in a thread and yield their addresses."""
    loop = asyncio.new_event_loop()
    thread = Thread(target=loop.run_forever, daemon=True)
    thread.start()
    sockets = [socket.create_server(("127.0.0.1", 0), backlog=512) for _ in scripts]
    try:
        for sock, script in zip(sockets, scripts, strict=True):
            if script is None:
                sock.shutdown(socket.SHUT_RDWR)  # the port stays taken, and refuses
            else:
                asyncio.run_coroutine_threadsafe(_serve(sock, script), loop).result()
        yield ["127.0.0.1:{1}".format(*sock.getsockname()) for sock in sockets]
    finally:
        asyncio.run_coroutine_threadsafe(_cancel_all(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
        for sock in sockets:
            sock.close()


async def _serve(sock: socket.socket, script: Script) -> None:
    async def connection(reader: StreamReader, writer: StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError, TimeoutError, asyncio.CancelledError):
            await script(reader, writer)
        await _close(writer)

    await asyncio.start_server(connection, sock=sock)


async def _cancel_all() -> None:
    tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def main(rate: int = 500, seconds: float = 6.0) -> None:
    """Print the table."""
    print(f"| one of three servers | {' | '.join(FEATURES)} |")
    print("|---" * (len(FEATURES) + 1) + "|")
    for case, words in _WORDS.items():
        cells = []
        for features in FEATURES.values():
            with tempfile.TemporaryDirectory() as folder:
                cells.append(str(measured(Path(folder), case, features, rate, seconds)))
        print(f"| {words} | {' | '.join(cells)} |")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
