"""Health checks at work: a gateway of two workers in front of servers that die, come back, flap and move."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.harness.backend import ScriptedBackend
from tests.harness.echo import EchoBackend
from tests.harness.gateway import Gateway
from tests.harness.waiting import eventually

CHECK = {"interval_s": 0.2, "timeout_s": 0.5, "rise": 2, "fall": 2, "path": "/up"}


class Mortal:
    """A backend that can be killed and started again on the same port."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._alive: EchoBackend | None = EchoBackend(name)
        self.port = self._alive.port
        self.address = self._alive.address

    def kill(self) -> None:
        assert self._alive is not None
        self._alive.stop()
        self._alive = None

    def start(self) -> None:
        self._alive = EchoBackend(self.name, port=self.port)

    def stop(self) -> None:
        if self._alive is not None:
            self.kill()


@pytest.fixture
def backends() -> Iterator[dict[str, Mortal]]:
    with contextlib.ExitStack() as stack:
        made = {name: Mortal(name) for name in ("a", "b")}
        for backend in made.values():
            stack.callback(backend.stop)
        yield made


def configuration(addresses: dict[str, str], cluster: Any = None, **servers: Any) -> dict[str, list[dict[str, Any]]]:
    return {
        "servers": [{"name": name, "address": address, **servers.get(name, {})} for name, address in addresses.items()],
        "clusters": [{"name": "all", "servers": list(addresses), "health_check": CHECK, **(cluster or {})}],
        "apis": [{"name": "all", "path": "/*", "nodes": [{"cluster": "all"}]}],
    }


@pytest.fixture
def gateway(tmp_path: Path, backends: dict[str, Mortal]) -> Iterator[Gateway]:
    addresses = {name: backend.address for name, backend in backends.items()}
    with Gateway(tmp_path, configuration(addresses), {"gproxy": {"workers": 2}}) as gateway:
        yield gateway


def health(gateway: Gateway, name: str) -> dict[str, Any]:
    """Return what is said of a server, {"state": None} before the monitor knows it."""
    (server,) = gateway.control_get(f"/health?server={name}").get("servers", [{"state": None}])
    return dict(server)


def wait_for(gateway: Gateway, name: str, state: str) -> dict[str, Any]:
    return eventually(
        lambda: (server := health(gateway, name))["state"] == state and server, about=f"{name} is {state}"
    )


def wait_until_down(gateway: Gateway, name: str) -> dict[str, Any]:
    """Wait until a server is down and every worker has had a turn of its loop to see it."""
    found = wait_for(gateway, name, "down")
    eventually(lambda: "502" not in who_answers(gateway, 8))
    return found


def who_answers(gateway: Gateway, times: int = 40) -> set[str]:
    """Return who answered so many requests, each over a connection of its own; an error by its status."""
    seen = set()
    for _ in range(times):
        with gateway.client() as client:
            response = client.get("/")
            seen.add(response.json()["backend"] if response.status == 200 else str(response.status))
    return seen


def test_a_server_that_dies_is_passed_over_and_used_again(gateway: Gateway, backends: dict[str, Mortal]) -> None:
    wait_for(gateway, "a", "up")
    wait_for(gateway, "b", "up")
    assert who_answers(gateway) == {"a", "b"}
    backends["a"].kill()
    down = wait_until_down(gateway, "a")
    assert who_answers(gateway) == {"b"}
    assert down["reason"] == "cannot connect: connection refused"
    assert down["last"]["request"].startswith("GET /up HTTP/1.1\r\n")
    backends["a"].start()
    wait_for(gateway, "a", "up")
    assert eventually(lambda: who_answers(gateway, 8) == {"a", "b"})
    assert "a server is down server=a" in gateway.log().replace('"', "")
    assert "a server is up again server=a" in gateway.log().replace('"', "")


def test_when_all_are_down_the_answer_says_so(gateway: Gateway, backends: dict[str, Mortal]) -> None:
    for name, backend in backends.items():
        backend.kill()
        wait_for(gateway, name, "down")

    def no_server() -> Any:
        with gateway.client() as client:
            response = client.get("/all-down")
            return response.status == 503 and response.json()

    assert eventually(no_server)["code"] == "no_server"
    reasons = eventually(lambda: [line for line in gateway.log().splitlines() if "no usable server" in line])
    assert "down by their health checks: a, b" in reasons[-1]


def test_backups_step_in(gateway: Gateway, backends: dict[str, Mortal]) -> None:
    addresses = {name: backend.address for name, backend in backends.items()}
    gateway.apply(configuration(addresses, b={"backup": True}))
    assert who_answers(gateway) == {"a"}
    backends["a"].kill()
    wait_until_down(gateway, "a")
    assert eventually(lambda: who_answers(gateway, 8) == {"b"})
    backends["a"].start()
    wait_for(gateway, "a", "up")
    assert eventually(lambda: who_answers(gateway, 8) == {"a"})


def test_a_server_without_result_is_used(gateway: Gateway, backends: dict[str, Mortal]) -> None:
    """A check that hangs for long says nothing yet."""
    with ScriptedBackend() as silent:
        addresses = {"a": backends["a"].address, "silent": silent.address}
        gateway.apply(configuration(addresses, {"health_check": CHECK | {"timeout_s": 30}}))
        eventually(silent.has_waiting_exchange)
        silent.default = [b'HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n{"backend":"silent"}']
        assert who_answers(gateway) == {"a", "silent"}
        assert health(gateway, "silent")["state"] == "unknown"


def test_another_address_is_used_at_once(gateway: Gateway, backends: dict[str, Mortal]) -> None:
    backends["a"].kill()
    wait_until_down(gateway, "a")
    with EchoBackend("moved") as moved:
        gateway.apply(configuration({"a": moved.address, "b": backends["b"].address}))
        assert who_answers(gateway) == {"moved", "b"}


def test_without_a_check_nothing_is_known(gateway: Gateway, backends: dict[str, Mortal]) -> None:
    backends["a"].kill()
    wait_until_down(gateway, "a")
    addresses = {name: backend.address for name, backend in backends.items()}
    gateway.apply(configuration(addresses, a={"health_check": {"type": "off"}}))
    eventually(lambda: [server["name"] for server in gateway.control_get("/health")["servers"]] == ["b"])
    assert eventually(lambda: who_answers(gateway, 8) == {"502", "b"})


def test_a_monitor_that_is_killed_changes_nothing(gateway: Gateway, backends: dict[str, Mortal]) -> None:
    backends["a"].kill()
    wait_until_down(gateway, "a")
    monitor = next(
        child for child in psutil.Process(gateway.pid).children() if child.name().startswith("gproxy-monitor")
    )
    os.kill(monitor.pid, signal.SIGKILL)
    assert who_answers(gateway) == {"b"}

    def found_again() -> Any:
        with contextlib.suppress(OSError, ValueError):
            return health(gateway, "a")["state"] == "down"

    eventually(found_again)
    assert who_answers(gateway) == {"b"}
    backends["a"].start()
    wait_for(gateway, "a", "up")


def test_a_server_that_flaps_is_shown_to(gateway: Gateway) -> None:
    with ScriptedBackend() as flapping:
        for _ in range(20):
            flapping.play(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
            flapping.play(b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n")
        gateway.apply(configuration({"a": flapping.address}))
        seen = eventually(lambda: (server := health(gateway, "a"))["flips_last_minute"] >= 10 and server)
    assert (seen["state"], seen["flapping"]) == ("up", True)


def test_one_prober_per_node(gateway: Gateway) -> None:
    """Two workers ask no more often than one."""
    with ScriptedBackend([b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"]) as counted:
        gateway.apply(configuration({"a": counted.address}))
        eventually(lambda: len(counted.heads) >= 3)
        before, since_s = len(counted.heads), eventually(lambda: health(gateway, "a")["since_s"])
        eventually(lambda: health(gateway, "a")["since_s"] > since_s + 2)
        assert 5 <= len(counted.heads) - before <= 14  # every 0.2 s, and 20 % to either side
