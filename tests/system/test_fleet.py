"""What three nodes do together through etcd: a limit that they share, and circuits that they agree on."""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.harness.echo import EchoBackend
from tests.harness.etcd import Etcd
from tests.harness.etcd_fleet import Fleet
from tests.harness.gateway import Gateway
from tests.harness.paced import Outcome, paced
from tests.harness.waiting import eventually

PER_S = 60
#: a state must come within so long: well before a node that is only silent is left out (core/fleet.py SILENT_S)
WITHIN_S = 20
NODES = 3


@pytest.fixture(scope="module")
def echo() -> Iterator[EchoBackend]:
    with EchoBackend() as backend:
        yield backend


@pytest.fixture(scope="module")
def etcd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Etcd]:
    with Etcd(tmp_path_factory.mktemp("etcd")) as etcd:
        yield etcd


def documents(address: str) -> dict[str, list[dict[str, Any]]]:
    breaker = {"consecutive_failures": 2, "open_s": 30, "share": "cluster", "quorum": 2}
    limit = {"rate": PER_S, "burst": 1, "scope": "cluster"}
    return {
        "servers": [{"name": "good", "address": address}, {"name": "bad", "address": address}],
        "clusters": [
            {"name": "good", "servers": ["good"]},
            {"name": "bad", "servers": ["bad"], "circuit_breaker": breaker},
        ],
        "apis": [
            {"name": "limited", "path": "/*", "nodes": [{"cluster": "good"}], "rate_limit": limit},
            {"name": "bad", "hosts": ["bad.test"], "path": "/*", "nodes": [{"cluster": "bad"}]},
        ],
    }


@pytest.fixture(scope="module")
def fleet(etcd: Etcd, echo: EchoBackend, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    fleet = Fleet(tmp_path_factory.mktemp("fleet"), etcd.url(), documents(echo.address), NODES)
    eventually(lambda: len(json.loads(fleet.gateways[0].ctl("nodes", "--format", "json"))["nodes"]) == NODES)
    yield fleet
    fleet.stop()


def offered(fleet: Fleet, rates: list[float], seconds: float) -> list[Outcome]:
    """Send so many requests a second to each node, at the same time."""
    outcomes: list[Outcome] = [Outcome() for _ in rates]

    def run(number: int) -> None:
        address = fleet.gateways[number].address
        assert isinstance(address, tuple)
        outcomes[number] = paced(address, rates[number], seconds, lambda _: "", connections=8)

    threads = [threading.Thread(target=run, args=(number,)) for number, rate in enumerate(rates) if rate]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return outcomes


def passed(outcomes: list[Outcome], of_the_last_s: float, rates: list[float]) -> list[float]:
    """Return how many requests a second got through on each node towards the end, by how long it really took."""
    found = []
    for outcome, rate in zip(outcomes, rates, strict=True):
        total = len(outcome.answers)
        late = [status for number, status, _ in outcome.answers if number >= total - rate * of_the_last_s]
        stretched = max(1.0, outcome.lasted_s * rate / total) if total else 1.0
        found.append(late.count(200) / (of_the_last_s * stretched))
    return found


def until_through(
    fleet: Fleet, rates: list[float], seconds: float, of_the_last_s: float, is_so: Callable[[list[float]], bool]
) -> None:
    """Offer so much until what gets through is as it should be. More than the limit is wrong at any time.

    Less is not at once: with a burst of 1, what a busy machine sends late is lost.
    """
    give_up = time.monotonic() + WITHIN_S
    while not is_so(through := passed(offered(fleet, rates, seconds), of_the_last_s, rates)):
        assert sum(through) < 1.15 * PER_S, f"more than the limit: {through}"
        assert time.monotonic() < give_up, through
    assert sum(through) < 1.15 * PER_S, f"more than the limit: {through}"


def test_a_shared_limit_goes_where_the_demand_is(fleet: Fleet) -> None:
    """Before, each node has a third; then the parts follow what is asked for, and the sum stays the limit."""
    rates = [4.0 * PER_S, 1.0 * PER_S, 0.0]
    offered(fleet, rates, 7)

    def is_so(through: list[float]) -> bool:
        is_whole = sum(through) == pytest.approx(PER_S, rel=0.1)
        return is_whole and through[0] > 0.6 * PER_S > 0.3 * PER_S > through[1] > 0.1 * PER_S

    until_through(fleet, rates, 4, 3, is_so)


def test_a_lost_lease_and_an_outage_change_no_part(fleet: Fleet, etcd: Etcd) -> None:
    def is_whole(through: list[float]) -> bool:
        return sum(through) > 0.85 * PER_S

    rates = [2.0 * PER_S] * NODES
    offered(fleet, rates, 5)
    etcd.kill()
    fleet.until_sync_is("store_lost")
    until_through(fleet, rates, 3, 2, is_whole)  # three thirds, not three wholes
    etcd.start()
    fleet.until_sync_is("following")
    until_through(fleet, rates, 3, 2, is_whole)


def ask_bad(gateway: Gateway, path: str = "/status/500") -> int:
    assert isinstance(gateway.address, tuple)
    connection = http.client.HTTPConnection(*gateway.address, timeout=10)
    connection.request("GET", path, headers={"Host": "bad.test"})
    status = connection.getresponse().status
    connection.close()
    return status


def test_a_server_that_two_nodes_have_opened_is_open_on_the_third(fleet: Fleet) -> None:
    first, second, third = fleet.gateways
    assert ask_bad(third, "/") == 200
    assert [ask_bad(first) for _ in range(3)] == [500, 500, 503]
    time.sleep(0.5)
    assert ask_bad(third, "/") == 200, "one node is not enough"
    assert [ask_bad(second) for _ in range(3)] == [500, 500, 503]
    began = time.monotonic()
    eventually(lambda: ask_bad(third, "/") == 503)
    assert time.monotonic() - began < 2
    assert "a server is given a rest: other nodes have opened its circuit" in third.log()
    (event,) = [event for event in third.control_get("/events")["events"] if event["cause"] == "server_open"]
    assert (event["kind"], event["name"], event["figures"]) == ("fleet", "bad", {"say_so": 2, "nodes": 3})


def test_a_node_that_stops_leaves_its_part_to_the_others(fleet: Fleet) -> None:
    fleet.gateways.pop().stop()
    rates = [2.0 * PER_S] * (NODES - 1)
    offered(fleet, rates, 4)
    until_through(fleet, rates, 3, 2, lambda through: sum(through) > 0.85 * PER_S and min(through) > 0.35 * PER_S)
