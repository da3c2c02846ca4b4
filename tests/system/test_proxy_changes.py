"""Changes under load: new configurations, reloads, more and fewer workers, a clean stop, a killed worker."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.harness.backend import ScriptedBackend
from tests.harness.echo import EchoBackend
from tests.harness.gateway import Gateway
from tests.harness.load import Load
from tests.harness.site import documents
from tests.harness.waiting import eventually

WORKERS = 2
#: how often each change is made here; the full numbers of the requirements take too long for every run
TIMES = int(os.environ.get("GPROXY_CHANGES", "2"))
#: more in a row would be a crash loop, which the master answers with longer and longer pauses
KILLS = 2
#: requests between two changes, so that each is felt by running traffic
BETWEEN = 50


@pytest.fixture(scope="module")
def backends() -> Iterator[tuple[EchoBackend, EchoBackend]]:
    with EchoBackend("one") as one, EchoBackend("two") as two:
        yield one, two


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory, backends: tuple[EchoBackend, EchoBackend]) -> Iterator[Gateway]:
    folder = tmp_path_factory.mktemp("changes")
    with Gateway(folder, documents({"one": backends[0].address}), {"gproxy": {"workers": WORKERS}}) as gateway:
        yield gateway


def steady(gateway: Gateway, workers: int = WORKERS) -> set[int]:
    """Wait until this many workers, and no others, are there, and return their pids."""

    def pids() -> set[int] | None:
        found = gateway.workers()
        accepting = {worker["pid"] for worker in found if worker["state"] == "accepting"}
        return accepting if len(accepting) == len(found) == workers else None

    result = eventually(pids, 30, f"{workers} workers")
    assert result is not None
    return result


def wait_for_end_of(gateway: Gateway, pids: set[int]) -> None:
    """Wait until none of these workers accepts connections any more."""
    eventually(lambda: not pids & gateway.worker_pids(), 30, f"workers {pids} are replaced")


def led_to(document: dict[str, list[dict[str, Any]]], name: str) -> dict[str, list[dict[str, Any]]]:
    """Return the document with every cluster served by the server `name`."""
    return {**document, "clusters": [{"name": cluster["name"], "servers": [name]} for cluster in document["clusters"]]}


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_new_configurations_lose_nothing_and_take_effect(
    method: str, gateway: Gateway, backends: tuple[EchoBackend, EchoBackend]
) -> None:
    configuration = documents({backend.name: backend.address for backend in backends})
    with Load(gateway.client, method=method) as load, gateway.client() as client:
        for turn in range(2 * TIMES):
            name = ("two", "one")[turn % 2]
            gateway.apply(led_to(configuration, name))
            assert client.get("/whose").json()["backend"] == name
            load.wait_for(BETWEEN)
    assert load.lost == []


def test_reloads_lose_nothing(gateway: Gateway) -> None:
    with Load(gateway.client) as load:
        for _ in range(TIMES):
            before = steady(gateway)
            gateway.signal(signal.SIGHUP)
            wait_for_end_of(gateway, before)
            load.wait_for(BETWEEN)
        steady(gateway)
    assert load.lost == []


def test_a_reload_lets_requests_finish(gateway: Gateway) -> None:
    before = steady(gateway)
    with gateway.client(20) as client:
        client.send(b"GET /slow/3000 HTTP/1.1\r\nHost: gateway.test\r\n\r\n")
        eventually(lambda: sum(worker["active"] for worker in gateway.workers()) == 1)
        gateway.signal(signal.SIGHUP)
        wait_for_end_of(gateway, before)
        answer = client.receive()
        assert (answer.status, answer.body) == (200, b"slow")
        assert answer.head.value("connection") == "close"
        assert client.is_closed()
    steady(gateway)


def test_more_and_fewer_workers_lose_nothing(gateway: Gateway) -> None:
    steady(gateway)
    with Load(gateway.client) as load:
        for _ in range(TIMES):
            gateway.signal(signal.SIGTTIN)
            steady(gateway, WORKERS + 1)
            load.wait_for(BETWEEN)
            gateway.signal(signal.SIGTTOU)
            steady(gateway, WORKERS)
            load.wait_for(BETWEEN)
    assert load.lost == []


def test_a_killed_worker_loses_only_what_it_had_in_hand(gateway: Gateway) -> None:
    clients = 6
    with Load(gateway.client, clients) as load:
        for _ in range(KILLS):
            before = steady(gateway)
            lost = len(load.lost)
            os.kill(min(before), signal.SIGKILL)
            wait_for_end_of(gateway, {min(before)})
            steady(gateway)
            load.wait_for(BETWEEN)
            assert len(load.lost) - lost <= clients
    assert [loss for loss in load.lost if loss.reason.startswith("status")] == []


def test_stopping_answers_what_was_asked_and_refuses_the_rest(tmp_path: Path) -> None:
    request = b"GET / HTTP/1.1\r\nHost: gateway.test\r\n\r\n"
    settings = {"gproxy": {"workers": WORKERS}}
    with ScriptedBackend() as script, Gateway(tmp_path, documents({"one": script.address}), settings) as gateway:
        with ExitStack() as opened:
            idle, *asking = [opened.enter_context(gateway.client()) for _ in range(8)]
            idle.send(request)
            first = script.next_exchange()
            first.answer(b"idle")
            first.finish()
            assert idle.receive().body == b"idle"
            for client in asking:
                client.send(request)
            exchanges = [script.next_exchange() for _ in asking]
            gateway.signal(signal.SIGTERM)
            eventually(lambda: is_refused(gateway), 5, "new connections are refused while requests are in flight")
            assert idle.is_closed()
            for exchange in exchanges:
                exchange.answer(b"asked")
                exchange.finish()
            for client in asking:
                answer = client.receive()
                assert (answer.body, answer.head.value("connection")) == (b"asked", "close")
        assert gateway.wait_end() == 0


def is_refused(gateway: Gateway) -> bool:
    try:
        gateway.client().close()
    except ConnectionRefusedError:
        return True
    return False


def test_a_busy_client_is_told_before_its_connection_ends(
    tmp_path: Path, backends: tuple[EchoBackend, EchoBackend]
) -> None:
    """A client under steady load never sees a connection closed under its request, not even at the end."""
    with Gateway(tmp_path, documents({"one": backends[0].address}), {"gproxy": {"workers": WORKERS}}) as gateway:
        with Load(gateway.client) as load:
            load.wait_for(BETWEEN)
            gateway.signal(signal.SIGTERM)
            assert gateway.wait_end() == 0
        assert load.lost, "clients went on after the end"
        assert [loss for loss in load.lost if not loss.is_first] == []
