"""Aggregation in the real gateway: the example, two workers, and how long a whole takes."""

from __future__ import annotations

import contextlib
import select
import socket
import statistics
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from scripts.benchmark import slow_backend
from scripts.processes import free_ports
from tests.harness.backend import ScriptedBackend
from tests.harness.client import Address
from tests.harness.gateway import Gateway
from tests.harness.waiting import eventually

REQUEST = b"GET /%b HTTP/1.1\r\nHost: gateway.test\r\n\r\n"
CONCURRENT, DELAY_MS = 100, 50


@contextmanager
def slow_servers() -> Iterator[list[str]]:
    """Run servers that answer after 50 ms, and yield their addresses."""
    ports = free_ports(3)
    with subprocess.Popen([sys.executable, slow_backend.__file__, str(DELAY_MS), *map(str, ports)]) as process:
        try:
            for port in ports:
                eventually(lambda port=port: is_listening(port))
            yield [f"127.0.0.1:{port}" for port in ports]
        finally:
            process.kill()


def is_listening(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
        return True
    return False


def documents(addresses: list[str]) -> dict[str, Any]:
    """Return an API of three nodes at once, /three, and one of two batches, /batches."""
    nodes = [{"cluster": f"c{at}", "attr": f"part{at}"} for at in range(len(addresses))]
    later = [*nodes[:2], {**nodes[2], "batch": 1, "rewrite": "/{part0.id}"}]
    apis = [{"name": name, "path": f"/{name}", "nodes": its} for name, its in (("three", nodes), ("batches", later))]
    return {
        "servers": [{"name": f"s{at}", "address": address} for at, address in enumerate(addresses)],
        "clusters": [{"name": f"c{at}", "servers": [f"s{at}"]} for at in range(len(addresses))],
        "apis": apis,
    }


def times_ms(address: Address, target: bytes, rounds: int) -> list[float]:
    """Return how long requests took, of which 100 are under way all the time: each connection asks again at once.

    They begin one after the other, over the time that one answer takes.
    """
    assert not isinstance(address, str)
    socks = [socket.create_connection(address) for _ in range(CONCURRENT)]
    poll, since, left, took = select.epoll(), {}, dict.fromkeys(socks, rounds), []
    for sock in socks:
        poll.register(sock.fileno(), select.EPOLLIN)
    by_number = {sock.fileno(): sock for sock in socks}
    begun, starting = time.monotonic(), deque(socks)

    def ask(sock: socket.socket) -> None:
        since[sock] = time.monotonic()
        sock.sendall(REQUEST % target)

    while len(took) < rounds * CONCURRENT:
        while starting and time.monotonic() - begun >= (CONCURRENT - len(starting)) * DELAY_MS / 1000 / CONCURRENT:
            ask(starting.popleft())
        for descriptor, _ in poll.poll(0.0005 if starting else 10):
            sock = by_number[descriptor]
            assert sock.recv(65536).startswith(b"HTTP/1.1 200 ")
            took.append((time.monotonic() - since[sock]) * 1000)
            left[sock] -= 1
            if left[sock]:
                ask(sock)
    poll.close()
    for sock in socks:
        sock.close()
    return took


@pytest.mark.serial
@pytest.mark.parametrize(("target", "within_ms"), [(b"three", 70), (b"batches", 130)])
def test_a_whole_takes_as_long_as_its_slowest_part(
    tmp_path: Path, target: bytes, within_ms: int, record_property: Any
) -> None:
    with slow_servers() as addresses, Gateway(tmp_path, documents(addresses)) as gateway:
        times_ms(gateway.address, target, 1)  # connections are opened
        medians = [statistics.median(times_ms(gateway.address, target, 3)) for _ in range(3)]
    record_property("median_ms", min(medians))
    assert min(medians) < within_ms


def test_parts_are_counted_and_told_by_several_workers(tmp_path: Path) -> None:
    answer = b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{"id": 7}'
    with ScriptedBackend([answer]) as one, ScriptedBackend([answer]) as two, ScriptedBackend([answer]) as three:
        whole = documents([one.address, two.address, three.address])
        with Gateway(tmp_path, whole, {"gproxy": {"workers": 2, "http2": "all"}}) as gateway:
            for _ in range(10):
                with gateway.client() as client:
                    parts = client.get("/batches").json()
                assert parts == {"part0": {"id": 7}, "part1": {"id": 7}, "part2": {"id": 7}}
            host, port = gateway.address
            with httpx.Client(http1=False, http2=True) as client:
                assert client.get(f"http://{host}:{port}/batches?once").json() == parts
            logged = gateway.access_entry("/batches?once")
            assert logged["protocol"] == "HTTP/2"
            assert [(part["attr"], part["server"], part["status"]) for part in logged["parts"]] == [
                (f"part{at}", f"s{at}", 200) for at in range(3)
            ]
            counted = eventually(lambda: counts(gateway.stats()) if counts(gateway.stats())["batches"] == 11 else None)
            assert counted == {"s0": 11, "s1": 11, "s2": 11, "three": 0, "batches": 11}
            gateway.apply({**whole, "apis": whole["apis"][1:]})
            with gateway.client() as client:
                assert client.get("/three").status == 404
                assert client.get("/batches").status == 200
        assert {request.target for request in three.requests} == {"/7"}
        assert [*one.violations, *two.violations, *three.violations] == []


def counts(stats: Any) -> dict[str, int]:
    """Return how many requests each server and API has had."""
    return {row["name"]: row["requests"] for row in (*stats["servers"], *stats["apis"])}
