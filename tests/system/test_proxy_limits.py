"""Limits under load: what several workers let through together is what was asked for, and nobody waits for it.

With GPROXY_LARGE_TESTS in the environment the load lasts 10 s instead of 3.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.harness.backend import ScriptedBackend
from tests.harness.client import RawClient
from tests.harness.echo import EchoBackend
from tests.harness.exchange import Exchange
from tests.harness.gateway import Gateway
from tests.harness.paced import Outcome, paced
from tests.harness.site import documents
from tests.harness.waiting import eventually

SECONDS = 10 if "GPROXY_LARGE_TESTS" in os.environ else 3
WORKERS = 8
PER_S = 500
SETTINGS: dict[str, dict[str, object]] = {
    "gproxy": {"workers": WORKERS, "trusted_proxies": "127.0.0.0/8"},
    "log": {"access": "off"},
}


@pytest.fixture
def echo() -> Iterator[EchoBackend]:
    with EchoBackend() as backend:
        yield backend


def load(gateway: Gateway, *, addresses: int) -> Outcome:
    """Offer four times PER_S, from so many client addresses in turn."""
    address = gateway.address
    assert not isinstance(address, str)

    def lines(number: int) -> str:
        client = number % addresses
        return f"X-Forwarded-For: 10.1.{client // 250}.{client % 250}\r\n"

    return paced(address, 4 * PER_S, SECONDS, lines)


def check_nobody_waited(outcome: Outcome) -> None:
    assert {status for _, status, _ in outcome.answers} == {200, 429}
    assert outcome.took_s(429, 0.5) < 0.05
    assert outcome.took_s(200, 0.5) < 0.05


@pytest.mark.serial
def test_eight_workers_let_through_what_one_server_may_have(echo: EchoBackend, tmp_path: Path) -> None:
    configuration = documents({"echo": echo.address}, server={"max_qps": PER_S})
    with Gateway(tmp_path, configuration, SETTINGS) as gateway:
        outcome = load(gateway, addresses=1)
        assert outcome.count(200) == pytest.approx(PER_S * outcome.lasted_s, rel=0.02)
        check_nobody_waited(outcome)
        assert sum(worker["requests"] > 0 for worker in gateway.workers()) > 2, "it was not one worker alone"


@pytest.mark.serial
def test_the_same_limit_divided_among_a_thousand_addresses(echo: EchoBackend, tmp_path: Path) -> None:
    addresses, rate = 1000, 1
    limit = {"rate": rate, "per_s": rate * addresses / PER_S, "key": "client_ip"}
    with Gateway(tmp_path, documents({"echo": echo.address}, api={"rate_limit": limit}), SETTINGS) as gateway:
        outcome = load(gateway, addresses=addresses)
        check_nobody_waited(outcome)
        # An address that may ask again does so at its next turn, a quarter of a span later at most when all goes well.
        span_s, stretch = limit["per_s"], outcome.lasted_s / SECONDS
        least, most = int(outcome.lasted_s / (span_s + span_s / 4 * stretch)), int(outcome.lasted_s / span_s) + 1
        passed = Counter(number % addresses for number, status, _ in outcome.answers if status == 200)
        assert len(passed) == addresses
        assert least <= min(passed.values()) <= max(passed.values()) <= most
        assert outcome.count(200) == pytest.approx(PER_S * outcome.lasted_s, abs=addresses), "less than a span each"


def test_what_is_told_to_who_is_limited(echo: EchoBackend, tmp_path: Path) -> None:
    limit = {"rate": 2, "per_s": 60, "key": "header:X-Customer"}
    with (
        Gateway(tmp_path, documents({"echo": echo.address}, api={"rate_limit": limit})) as gateway,
        gateway.client() as client,
    ):
        assert [client.get("/", headers="X-Customer: a\r\n").status for _ in range(2)] == [200, 200]
        answer = client.get("/", headers="X-Customer: a\r\n")
        assert answer.status == 429
        assert answer.json()["code"] == "rate_limited"
        assert answer.head.value("ratelimit-limit") == "2"
        assert answer.head.value("ratelimit-remaining") == "0"
        assert answer.head.value("retry-after") == answer.head.value("ratelimit-reset") == "60"
        assert client.get("/", headers="X-Customer: b\r\n").status == 200, "the connection and other customers go on"


def ask(clients: Iterable[RawClient]) -> None:
    for client in clients:
        client.send(b"GET /held HTTP/1.1\r\nHost: gateway.test\r\n\r\n")


def answered(clients: Sequence[RawClient], many: int) -> list[RawClient]:
    """Wait until so many of the clients have an answer, and return them."""
    poll = select.poll()
    for client in clients:
        poll.register(client.sock, select.POLLIN)

    def readable() -> list[RawClient]:
        ready = {descriptor for descriptor, _ in poll.poll(0)}
        return [client for client in clients if client.sock.fileno() in ready]

    eventually(lambda: len(readable()) >= many, about=f"{many} answers")
    return readable()


def serve(exchange: Exchange) -> None:
    exchange.answer()
    exchange.finish()


@pytest.fixture
def script() -> Iterator[ScriptedBackend]:
    with ScriptedBackend() as backend:
        yield backend


@pytest.mark.parametrize("where", [{"api": {"max_concurrency": 2}}, {"server": {"max_connections": 2}}])
def test_places_are_counted_over_workers(where: dict[str, Any], script: ScriptedBackend, tmp_path: Path) -> None:
    configuration = documents({"script": script.address}, **where)
    with Gateway(tmp_path, configuration, {"gproxy": {"workers": 4}}) as gateway, contextlib.ExitStack() as stack:
        clients = [stack.enter_context(gateway.client()) for _ in range(12)]
        for _ in range(3):
            ask(clients)
            exchanges = [script.next_exchange(), script.next_exchange()]
            for client in (refused := answered(clients, 10)):
                answer = client.receive()
                assert (answer.status, answer.json()["code"], answer.head.value("retry-after")) == (
                    503,
                    "overloaded",
                    "1",
                )
            for exchange in exchanges:
                serve(exchange)
            assert {client.receive().status for client in clients if client not in refused} == {200}


@pytest.mark.parametrize("where", ["api", "server"])
def test_a_queue_is_bounded_in_length_and_time(where: str, script: ScriptedBackend, tmp_path: Path) -> None:
    most = "max_concurrency" if where == "api" else "max_connections"
    limits: dict[str, Any] = {where: {most: 1, "queue": {"size": 5, "timeout_s": 1}}}
    configuration = documents({"script": script.address}, **limits)
    with Gateway(tmp_path, configuration, {"gproxy": {"workers": 4}}) as gateway, contextlib.ExitStack() as stack:
        clients = [stack.enter_context(gateway.client()) for _ in range(10)]
        ask(clients)
        refused = answered(clients, 4)
        assert {client.receive().status for client in refused} == {503}
        waiting = [client for client in clients if client not in refused]
        for _ in range(4):  # one after the other, over all workers
            serve(script.next_exchange())
        served = answered(waiting, 4)
        assert {client.receive().status for client in served} == {200}
        script.next_exchange()
        late = answered([client for client in waiting if client not in served], 1)
        assert [client.receive().status for client in late] == [503], "its time in the queue was over"


def test_who_leaves_the_queue_leaves_no_trace(script: ScriptedBackend, tmp_path: Path) -> None:
    configuration = documents(
        {"script": script.address}, api={"max_concurrency": 1, "queue": {"size": 2, "timeout_s": 30}}
    )
    with Gateway(tmp_path, configuration) as gateway, gateway.client() as first, gateway.client() as third:
        ask([first])
        exchange = script.next_exchange()
        with gateway.client() as second:
            ask([second])
            eventually(lambda: gateway.workers()[0]["active"] == 2)
        eventually(lambda: gateway.workers()[0]["active"] == 1, about="the second one is gone")
        ask([third])
        serve(exchange)
        assert first.receive().status == 200
        serve(script.next_exchange())
        assert third.receive().status == 200


def test_a_worker_that_dies_gives_its_places_back(script: ScriptedBackend, tmp_path: Path) -> None:
    configuration = documents({"script": script.address}, api={"max_concurrency": 1})
    with Gateway(tmp_path, configuration) as gateway, gateway.client() as first:
        ask([first])
        script.next_exchange()
        (pid,) = gateway.worker_pids()
        os.kill(pid, signal.SIGKILL)
        eventually(lambda: gateway.worker_pids() - {pid})
        with gateway.client() as second:
            ask([second])
            serve(script.next_exchange())
            assert second.receive().status == 200
