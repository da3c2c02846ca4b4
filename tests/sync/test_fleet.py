"""One node's view of others: the records are written by the test, the cells are real."""

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gproxy.core.breaker import Circuit, State
from gproxy.core.events import FleetCause, Kind
from gproxy.core.fleet import SILENT_S
from gproxy.shared import circuit_cells, layout
from gproxy.shared.fleet import FleetCells
from gproxy.shared.rings import RingReader
from gproxy.shared.table import Table
from gproxy.store.base import StoreUnavailable
from gproxy.store.nodes import Drain, Node, Registry
from gproxy.sync.fleet import LOOK_S, Fleet
from gproxy.sync.fleet_memory import FleetMemory
from tests.store.test_nodes import a_node
from tests.sync.test_shared_rules import api, server

LINES = [
    server("u1", 0, circuit_breaker={"share": "cluster", "quorum": 2, "open_s": 10}),
    api("a", 1, rate_limit={"rate": 100, "scope": "cluster"}),
]


class Records(Registry):
    """What the others say."""

    def __init__(self) -> None:
        self.said: dict[str, Node] = {}
        self.clock_ms = 0
        self.is_away = False

    def drains(self) -> dict[str, Drain]:
        raise NotImplementedError

    def drain(self, node: str, wish: Drain | None) -> None:
        raise NotImplementedError

    def announce(self, node: Node) -> None:
        raise NotImplementedError

    def say(self, name: str, demand: float = 0.0, open_ms: int = 0, **fields: Any) -> None:
        self.clock_ms += 1
        facts = {"demand": {"a": demand}, "open_ms": {"u1": open_ms} if open_ms else {}}
        self.said[name] = Node(**{**_plain(a_node(name)), **facts, "written_ms": self.clock_ms, **fields})

    def records(self) -> list[Node]:
        if self.is_away:
            raise StoreUnavailable("away")
        return list(self.said.values())


def _plain(node: Node) -> dict[str, Any]:
    return {name: getattr(node, name) for name in Node.__slots__}


@pytest.fixture
def table() -> Iterator[Table]:
    table = Table.create(slots=2, rows=8)
    table.cells[layout.SLOTS_USED] = 2
    yield table
    table.close()


@pytest.fixture
def fleet(table: Table, tmp_path: Path) -> Fleet:
    fleet = Fleet(table, "me", FleetMemory(tmp_path))
    fleet.use(LINES)
    return fleet


def part(table: Table, row: int = 1) -> float:
    return FleetCells(table).part(row) / layout.FLEET_WHOLE


def test_a_shared_limit_is_divided_by_demand(fleet: Fleet, table: Table) -> None:
    records = Records()
    fleet.look(records, 0, False)
    assert part(table) == 1, "alone"
    records.say("me", 150)
    records.say("other", 50)
    fleet.look(records, LOOK_S - 0.1, False)
    assert part(table) == 1, "not yet"
    fleet.look(records, LOOK_S - 0.1, True)
    assert part(table) == pytest.approx(0.05 + 0.9 * 0.75)


def test_a_lost_lease_changes_nothing_for_long_and_a_goodbye_at_once(fleet: Fleet, table: Table) -> None:
    records = Records()
    records.say("me", 100)
    records.say("other", 100)
    fleet.look(records, 0, True)
    lost = records.said.pop("other")
    fleet.look(records, SILENT_S - 1, True)
    assert part(table) == 0.5
    fleet.look(records, SILENT_S, True)
    assert part(table) == 1
    records.said["other"] = lost
    fleet.look(records, SILENT_S + 1, True)
    assert part(table) == 0.5
    records.said["other"] = lost.left()
    fleet.look(records, SILENT_S + 2, True)
    assert part(table) == 1


def test_while_the_store_is_away_parts_stay(fleet: Fleet, table: Table) -> None:
    records = Records()
    records.say("other", 100)
    fleet.look(records, 0, True)
    before = part(table)
    records.is_away = True
    with pytest.raises(StoreUnavailable):
        fleet.look(records, 1000, True)
    assert part(table) == before < 0.2
    records.is_away = False
    fleet.look(records, 1001, True)
    assert part(table) == before, "it is listed again"


def test_a_limit_that_is_shared_no_more_is_whole_again(fleet: Fleet, table: Table) -> None:
    records = Records()
    records.say("other", 100)
    fleet.look(records, 0, True)
    fleet.use(LINES[:1])
    assert FleetCells(table).part(1) == 0


def test_the_demand_is_what_the_workers_counted(fleet: Fleet, table: Table) -> None:
    fleet.facts(10.0)
    for slot in (0, 1):
        table.cells[table.row_base(slot, 1) + layout.ROW_STATUS_2XX] += 300
        table.cells[table.row_base(slot, 1) + layout.ROW_STATUS_4XX] += 200
    assert fleet.facts(10.5).demand == {}, "too soon"
    assert fleet.facts(15.0).demand == {"a": 200.0}
    assert fleet.facts(17.5).demand == {"a": 100.0}


def open_own(table: Table, at_us: int, level: int = 0) -> None:
    base = table.breaker_base(0, 0)
    table.cells[base + circuit_cells.since_cell(1)] = at_us
    table.cells[base] = circuit_cells.word(0, Circuit(1, State.OPEN, level, at_us))


def test_an_open_circuit_is_told_for_as_long_as_it_is_open(fleet: Fleet, table: Table) -> None:
    assert fleet.facts(1.0).open_us == {}
    open_own(table, 1_000_000)
    assert fleet.facts(4.0).open_us == {"u1": 7_000_000}
    assert fleet.facts(11.0).open_us == {}, "its time is over"
    open_own(table, 1_000_000, level=1)
    assert fleet.facts(11.0).open_us == {"u1": 10_000_000}


def test_a_server_is_given_a_rest_when_enough_nodes_say_so(
    fleet: Fleet, table: Table, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    cells, reader, records = FleetCells(table), RingReader(table), Records()
    records.say("other", open_ms=8_000)
    fleet.look(records, 100, True)
    fleet.agree(100)
    assert cells.open_until_us(0) == 0, "one is not enough"
    records.say("third", open_ms=5_000)
    fleet.look(records, 101, True)
    fleet.agree(101)
    assert cells.open_until_us(0) == 106_000_000
    fleet.agree(106)
    assert cells.open_until_us(0) == 0, "by the clock: nobody has to take it back"
    told = [found.event for found in reader.news()]
    assert "a server is given a rest: other nodes have opened its circuit" in caplog.text
    assert "that rest is over" in caplog.text
    assert [(event.kind, event.cause) for event in told] == [
        (Kind.FLEET, FleetCause.NODES),
        (Kind.FLEET, FleetCause.SERVER_OPEN),
        (Kind.FLEET, FleetCause.SERVER_CLOSED),
    ]


def test_a_node_that_takes_its_word_back_ends_an_agreement(fleet: Fleet, table: Table) -> None:
    cells, records = FleetCells(table), Records()
    records.say("other", open_ms=8_000)
    records.say("third", open_ms=8_000)
    fleet.look(records, 100, True)
    fleet.agree(100)
    assert cells.open_until_us(0)
    records.say("third")
    fleet.look(records, 101, True)
    fleet.agree(101)
    assert cells.open_until_us(0) == 0


def test_a_node_that_starts_while_the_store_is_away_takes_the_part_that_it_had(
    fleet: Fleet, table: Table, tmp_path: Path
) -> None:
    records = Records()
    records.say("me", 100)
    records.say("other", 100)
    fleet.look(records, 0, True)
    FleetCells(table).divide(1, 0)  # as in the memory of a new program
    again = Fleet(table, "me", FleetMemory(tmp_path))
    again.use(LINES)
    assert part(table) == 0.5
    records.said.clear()
    again.look(records, 1, True)
    assert part(table) == 1, "those who can be heard count, and only those"
