import asyncio
from collections.abc import AsyncIterator

import pytest

from scripts.long_run import backend
from scripts.long_run.kept import Kept


async def pieces() -> AsyncIterator[bytes]:
    yield b"a"
    yield b"b"


def test_connections_are_kept_and_those_that_have_ended_are_not_missed() -> None:
    connections = 0

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        await backend.talk(reader, writer)

    async def run() -> None:
        server = await asyncio.start_server(talk, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        kept = Kept(port)
        assert await kept.ask("/a") == 200
        assert await kept.ask("/a", "POST", {"X-A": "b"}, b"hello") == 200
        assert await kept.ask("/a", "POST", body=pieces()) == 200
        assert connections == 1
        assert [await kept.ask("/large") for _ in range(2)] == [200, 200]
        kept.close()
        assert await kept.ask("/a") == 200
        assert connections == 2
        kept.close()
        server.close()

    asyncio.run(run())


def test_an_answer_that_breaks_off_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("random.random", lambda: 0.0)

    async def run() -> None:
        server = await asyncio.start_server(backend.talk, "127.0.0.1", 0)
        kept = Kept(server.sockets[0].getsockname()[1])
        with pytest.raises(Exception, match="closed"):
            await kept.ask("/broken")
        server.close()

    asyncio.run(run())
