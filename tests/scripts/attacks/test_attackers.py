import asyncio
import contextlib
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.attacks import attackers
from scripts.attacks.attackers import ATTACKERS, SOURCE, Target
from scripts.benchmark import certificate


class Victim:
    """Takes connections and what they send, and answers nothing, over TLS if it has a certificate."""

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        self.received = b""
        self.sources: list[str] = []
        self._threads: list[threading.Thread] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._context = context
        self.port = int(self._listener.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    def wait(self) -> None:
        for thread in self._threads:
            thread.join(10)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                sock, address = self._listener.accept()
                self.sources.append(address[0])
                self._threads.append(threading.Thread(target=self._take, args=(sock,), daemon=True))
                self._threads[-1].start()

    def _take(self, sock: socket.socket) -> None:
        with contextlib.suppress(OSError), contextlib.ExitStack() as stack:
            stack.callback(sock.close)
            if self._context is not None:
                sock = stack.enter_context(self._context.wrap_socket(sock, server_side=True))
            sock.settimeout(5)
            while data := sock.recv(65536):
                self.received += data


@pytest.fixture
def victim() -> Iterator[Victim]:
    made = Victim()
    yield made
    made.close()


async def until(condition: object, task: asyncio.Task[None]) -> None:
    while not condition():  # type: ignore[operator]
        await asyncio.sleep(0.01)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("slow_heads", b"X: x"),
        ("slow_bodies", b"\r\n\r\nx"),
        ("slow_readers", b"GET /large"),
        ("tiny_chunks", b"1\r\nx\r\n1\r\nx\r\n"),
        ("chunk_extensions", b"1;xxx"),
        ("huge_heads", b"x" * 4000 + b"\r\nX: x"),
        ("early_close", b"GET /large"),
        ("half_close", b"GET /large"),
        ("pipelines", b"GET /none HTTP/1.1\r\nHost: nobody\r\n\r\nGET /none"),
        ("slow_handshakes", b"\x16\x03\x01"),
        ("false_announcements", b"PROXY TCP4 10.0.0.1"),
        ("idle_crowd", b""),
        ("new_connections", b""),
    ],
)
def test_what_attackers_send_and_where_they_come_from(victim: Victim, name: str, expected: bytes) -> None:
    async def run() -> None:
        target = Target(victim.port, victim.port, victim.port, 1.0)
        task = asyncio.ensure_future(attackers.attack(ATTACKERS[name], target, 2))
        await asyncio.wait_for(until(lambda: expected in victim.received and len(victim.sources) >= 2, task), 10)

    asyncio.run(run())
    assert set(victim.sources) == {SOURCE}


def test_handshakes_are_whole_ones(tmp_path: Path) -> None:
    certificate.write(tmp_path / "certificates")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "all.pem")
    victim = Victim(context)

    async def run() -> None:
        target = Target(0, victim.port, 0, 1.0)
        await asyncio.wait_for(ATTACKERS["handshakes"](target, 0), 10)

    asyncio.run(run())
    victim.close()
    victim.wait()
    assert victim.sources == [SOURCE]


@pytest.mark.parametrize(("scale", "count", "many"), [(1.0, 10, 10), (0.1, 10, 1), (0.01, 10, 1), (2.0, 10, 20)])
def test_how_many(scale: float, count: int, many: int) -> None:
    assert Target(0, 0, 0, scale).many(count) == many
