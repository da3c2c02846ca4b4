"""Which server is asked: weights, backup, drain and down, and the addresses that a gateway can be reached at."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from tests.harness.client import RawClient
from tests.harness.echo import EchoBackend
from tests.harness.gateway import Gateway

NAMES = ("a", "b", "c")


@pytest.fixture(scope="module")
def backends() -> Iterator[dict[str, EchoBackend]]:
    with ExitStack() as opened:
        yield {name: opened.enter_context(EchoBackend(name)) for name in NAMES}


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory, backends: dict[str, EchoBackend]) -> Iterator[Gateway]:
    folder = tmp_path_factory.mktemp("servers")
    binds = {"gproxy": {"bind": f"127.0.0.1:0, [::1]:0, unix:{folder}/public.sock"}}
    with Gateway(folder, configuration(backends), binds) as gateway:
        yield gateway


def configuration(backends: dict[str, EchoBackend], **fields: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """Return one cluster of all servers, with further `fields` for some of them."""
    return {
        "servers": [
            {"name": name, "address": backend.address, **fields.get(name, {})} for name, backend in backends.items()
        ],
        "clusters": [{"name": "all", "servers": list(backends)}],
        "apis": [{"name": "all", "path": "/*", "nodes": [{"cluster": "all"}]}],
    }


def asked(gateway: Gateway, times: int) -> list[str]:
    with gateway.client() as client:
        return [client.get("/").json()["backend"] for _ in range(times)]


def test_servers_take_turns(gateway: Gateway, backends: dict[str, EchoBackend]) -> None:
    gateway.apply(configuration(backends))
    turns = asked(gateway, 30)
    assert Counter(turns) == {"a": 10, "b": 10, "c": 10}
    assert all(len(set(turns[n : n + 3])) == 3 for n in range(0, 30, 3))


def test_weights_are_exact_and_smooth(gateway: Gateway, backends: dict[str, EchoBackend]) -> None:
    gateway.apply(configuration(backends, a={"weight": 5}))
    turns = asked(gateway, 70)
    assert Counter(turns) == {"a": 50, "b": 10, "c": 10}
    assert "aaaaa" not in "".join(turns[7:])


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"a": {"status": "down"}}, {"b", "c"}),
        ({"a": {"status": "drain"}}, {"b", "c"}),
        ({"a": {"weight": 0}}, {"b", "c"}),
        ({"a": {"backup": True}}, {"b", "c"}),
        ({"a": {"backup": True}, "b": {"status": "down"}, "c": {"status": "drain"}}, {"a"}),
    ],
    ids=["down", "drain", "weight_0", "backup_rests", "backup_steps_in"],
)
def test_servers_that_are_not_asked(
    fields: dict[str, Any], expected: set[str], gateway: Gateway, backends: dict[str, EchoBackend]
) -> None:
    gateway.apply(configuration(backends, **fields))
    assert set(asked(gateway, 12)) == expected


def test_a_server_that_drains_finishes_its_requests(gateway: Gateway, backends: dict[str, EchoBackend]) -> None:
    gateway.apply(configuration(backends, b={"status": "down"}, c={"status": "down"}))
    with gateway.client(20) as client:
        client.send(b"GET /slow/1000 HTTP/1.1\r\nHost: gateway.test\r\n\r\n")
        gateway.apply(configuration(backends, a={"status": "drain"}))
        assert client.receive().body == b"slow"
        assert client.get("/").json()["backend"] in ("b", "c")


def test_an_unchanged_configuration_keeps_connections(gateway: Gateway, backends: dict[str, EchoBackend]) -> None:
    gateway.apply(configuration(backends))
    asked(gateway, 6)
    before = [backend.connections for backend in backends.values()]
    gateway.apply(configuration(backends, a={"weight": 2}))
    asked(gateway, 12)
    assert [backend.connections for backend in backends.values()] == before


def test_every_address_answers(gateway: Gateway, backends: dict[str, EchoBackend]) -> None:
    gateway.apply(configuration(backends))
    assert len(gateway.addresses) == 3
    origins = []
    for address in gateway.addresses:
        with RawClient(address) as client:
            told = client.get("/").json()
            assert client.get("/again").status == 200
        origins += [value for name, value in told["headers"] if name.lower() == "forwarded"]
    assert [origin.split(";")[0] for origin in origins] == ["for=127.0.0.1", 'for="[::1]"', "for=unknown"]
