"""Circuit breakers at work: several workers in front of a server that fails, hangs and recovers, under load."""

from __future__ import annotations

import re
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.harness.backend import ScriptedBackend
from tests.harness.exchange import Exchange
from tests.harness.gateway import Gateway
from tests.harness.paced import Outcome, paced
from tests.harness.waiting import eventually

WORKERS = 4
CLIENTS = 16
CONNECTIONS = 64
GOOD = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
BAD = b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 2\r\n\r\nno"


class Moody:
    """A server that answers well or badly as the test says, or hangs; it counts what reached it in each mood."""

    def __init__(self) -> None:
        self.mood = "good"
        self.reached: Counter[str] = Counter()
        self.released = threading.Event()
        self._lock = threading.Lock()
        self.backend = ScriptedBackend(self._answer)

    def _answer(self, exchange: Exchange) -> None:
        mood = self.mood
        with self._lock:
            self.reached[mood] += 1
        if mood == "hanging":
            self.released.wait(30)
            exchange.reset()
        else:
            exchange.send(GOOD if mood == "good" else BAD)


class Crowd:
    """Clients that ask without pause; `statuses` counts what they got."""

    def __init__(self, gateway: Gateway) -> None:
        self.statuses: Counter[int] = Counter()
        self._gateway = gateway
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._run, daemon=True) for _ in range(CLIENTS)]

    def _run(self) -> None:
        with self._gateway.client() as client:
            while not self._stopping.is_set():
                status = client.get().status
                with self._lock:
                    self.statuses[status] += 1

    def more(self, count: int, *wanted: int) -> None:
        """Wait for so many more answers with these statuses (any, without)."""

        def got() -> int:
            return sum(self.statuses[status] for status in wanted) if wanted else self.statuses.total()

        goal = got() + count
        eventually(lambda: got() >= goal, 30, f"{count} more of {wanted}: {self.statuses}")

    @contextmanager
    def asking(self) -> Iterator[None]:
        for thread in self._threads:
            thread.start()
        try:
            yield
        finally:
            self._stopping.set()
            for thread in self._threads:
                thread.join(30)


@pytest.fixture
def moody() -> Iterator[Moody]:
    server = Moody()
    with server.backend:
        yield server
        server.released.set()


def guarded(address: str, breaker: dict[str, Any], **api: Any) -> dict[str, Any]:
    """Return the documents for a server with a circuit breaker."""
    return {
        "servers": [{"name": "moody", "address": address, "circuit_breaker": breaker}],
        "clusters": [{"name": "all", "servers": ["moody"]}],
        "apis": [{"name": "all", "path": "/*", "nodes": [{"cluster": "all"}], **api}],
    }


def gateway_before(folder: Path, moody: Moody, breaker: dict[str, Any], **api: Any) -> Gateway:
    return Gateway(
        folder,
        guarded(moody.backend.address, breaker, **api),
        {"gproxy": {"workers": WORKERS}, "log": {"access": "off"}},
    )


def moves(gateway: Gateway) -> list[str]:
    """Return the states that the circuit went to, each after the one that it was in before.

    What two workers tell within the same moment may be written the other way round.
    """
    told = re.findall(r" circuit (open|half_open|closed) server=moody was=(\w+)", gateway.log())
    found = ["closed"]
    while told:
        step = next((step for step in told if step[1] == found[-1]), told[0])
        told.remove(step)
        found.append(step[0])
    return found[1:]


def test_a_server_that_fails_is_spared_and_used_again_when_it_recovers(tmp_path: Path, moody: Moody) -> None:
    open_s, threshold = 1.0, 5
    breaker = {"consecutive_failures": threshold, "open_s": open_s, "half_open_percent": 10, "half_open_successes": 1}
    with gateway_before(tmp_path, moody, breaker) as gateway:
        crowd = Crowd(gateway)
        with crowd.asking():
            crowd.more(500, 200)
            moody.mood = "bad"
            crowd.more(1, 503)
            opened_s = time.monotonic()
            crowd.more(200, 503)
            # Each client has at most one request in flight when the last failure that was needed is seen.
            reached = moody.reached["bad"]
            assert threshold <= reached <= threshold + CLIENTS
            moody.mood = "good"
            assert moves(gateway) == ["open"]
            crowd.more(1, 200)
            assert time.monotonic() - opened_s < open_s + 0.5
            before = crowd.statuses[503]
            crowd.more(300, 200)
            assert crowd.statuses[503] - before <= CLIENTS, "one probe was enough"
        assert moody.reached["bad"] == reached
        assert moves(gateway) == ["open", "half_open", "closed"], "each move is told once"


def test_half_open_lets_its_percentage_through_over_all_workers(tmp_path: Path, moody: Moody) -> None:
    breaker = {"consecutive_failures": 1, "open_s": 0.2, "half_open_percent": 20, "half_open_successes": 1_000_000}
    with gateway_before(tmp_path, moody, breaker) as gateway:
        moody.mood = "bad"
        with gateway.client() as client:
            assert client.get().status == 500
        moody.mood = "good"
        with gateway.client() as client:
            eventually(lambda: client.get().status == 200, about="the first probe")
        crowd = Crowd(gateway)
        with crowd.asking():
            crowd.more(1000)
        asked = crowd.statuses.total() + 1
        assert crowd.statuses[200] + 1 == moody.reached["good"]
        assert abs(moody.reached["good"] / asked - 0.2) <= 0.01
        assert moves(gateway) == ["open", "half_open"]


def test_a_hanging_probe_frees_its_place(tmp_path: Path, moody: Moody) -> None:
    """Without time limits a probe has as long as the circuit was open."""
    breaker = {"consecutive_failures": 1, "open_s": 0.5, "half_open_percent": 0.1}
    no_limits = {"connect_s": 0, "response_s": 0, "total_s": 0}
    with gateway_before(tmp_path, moody, breaker, timeouts=no_limits) as gateway:
        moody.mood = "bad"
        with gateway.client() as client:
            assert client.get().status == 500
            moody.mood = "hanging"
            with gateway.client() as probing:
                eventually(lambda: _reaches(gateway, probing, moody), 5, "the open time ends")
                hung_s = time.monotonic()
                assert client.get().status == 503
                moody.mood = "good"
                eventually(lambda: client.get().status == 200, 5, "the place is free again")
                assert time.monotonic() - hung_s > 0.4


def _reaches(gateway: Gateway, probing: Any, moody: Moody) -> bool:
    """Ask once on this connection; True when the request hangs at the server, which leaves it there."""
    probing.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    eventually(lambda: moody.reached["hanging"] or _has_answer(probing), 5)
    if moody.reached["hanging"]:
        return True
    assert probing.receive().status == 503
    return False


def _has_answer(client: Any) -> bool:
    client.sock.settimeout(0.01)
    try:
        return bool(client.sock.recv(1, socket.MSG_PEEK))
    except TimeoutError:
        return False


def mocked(status: int) -> dict[str, Any]:
    """Return the documents of a gateway that stands for a server and always answers so."""
    answer = {"status": status, "body": "said"}
    return {"apis": [{"name": "all", "path": "/*", "mock": True, "default_response": answer, "nodes": []}]}


@pytest.mark.serial
def test_eight_workers_at_two_thousand_requests_a_second(tmp_path: Path) -> None:
    breaker = {"consecutive_failures": 5, "open_s": 2, "half_open_percent": 10, "half_open_successes": 1_000_000}
    quiet = {"log": {"access": "off"}}
    with Gateway(tmp_path / "server", mocked(200), quiet) as server:
        documents = guarded("{}:{}".format(*server.address), breaker)
        with Gateway(tmp_path / "gateway", documents, {"gproxy": {"workers": 8}, **quiet}) as gateway:
            found: list[Outcome] = []
            address = gateway.address
            assert not isinstance(address, str)
            load = threading.Thread(target=lambda: found.append(paced(address, 2000, 8, lambda _: "", CONNECTIONS)))
            load.start()
            eventually(lambda: server.stats()["totals"]["requests"] > 1000, 10, "the load is on")
            server.apply(mocked(500))
            eventually(lambda: moves(gateway) == ["open"], 10, "the circuit opens")
            server.apply(mocked(200))
            load.join()
            assert moves(gateway) == ["open", "half_open"]
            assert sum(worker["requests"] > 0 for worker in gateway.workers()) == 8
    answers = sorted(found[0].answers)
    statuses = [status for _, status, _ in answers]
    print(f"{len(answers) / found[0].lasted_s:.0f} requests/s, {statuses.count(500)} failures reached the server")
    assert 5 <= statuses.count(500) <= 5 + CONNECTIONS
    half_open = statuses[statuses.index(200, statuses.index(503)) :]
    assert len(half_open) > 1000
    assert abs(half_open.count(200) / len(half_open) - 0.1) <= 0.01
    assert set(half_open) == {200, 503}
