import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from gproxy import __version__, settings
from gproxy.role import NO_SLOT, Context
from gproxy.shared import layout
from gproxy.shared.table import Table
from gproxy.store.base import StoreUnavailable
from gproxy.store.nodes import Drain, Node, Registry, RunningWorker
from gproxy.sync.register import RENEW_S, UNSETTLED_S, Registrar, running


class Written(Registry):
    """Keeps what it was told, unless it is made to fail."""

    def __init__(self) -> None:
        self.told: list[Node] = []
        self.fails = False

    def drains(self) -> dict[str, Drain]:
        raise NotImplementedError

    def drain(self, node: str, wish: Drain | None) -> None:
        raise NotImplementedError

    def announce(self, node: Node) -> None:
        if self.fails:
            raise StoreUnavailable("away")
        self.told.append(node)

    def records(self) -> list[Node]:
        return self.told[-1:]


@pytest.fixture
def table() -> Iterator[Table]:
    table = Table.create(slots=4, rows=64)
    for slot, state in ((0, layout.STATE_ACCEPTING), (1, layout.STATE_DRAINING)):
        table.claim(slot)
        table.cells[table.base(slot) + layout.STATE] = state
        table.cells[table.base(slot) + layout.PID] = 100 + slot
        table.cells[table.base(slot) + layout.RUNNING_REVISION] = 7
    table.cells[layout.REVISION] = 7
    table.cells[layout.WORKERS_WANTED] = 1
    yield table
    table.close()


@pytest.fixture
def registrar(table: Table, tmp_path: Path) -> Registrar:
    texts = {"gproxy": {"run_dir": str(tmp_path)}, "node": {"id": "web-1"}, "control": {"bind": "127.0.0.1:0"}}
    return Registrar(Context(settings.load(None, texts), table, NO_SLOT, (), os.getppid()))


@pytest.fixture
def registry() -> Written:
    return Written()


def test_a_node_tells_who_and_where_it_is_and_what_its_workers_run(
    registrar: Registrar, registry: Written, table: Table
) -> None:
    table.cells[layout.CONTROL_PORT] = 4711
    registrar.tell(registry, 0.0)
    (node,) = registry.told
    assert (node.id, node.control, node.pid, node.version) == ("web-1", "127.0.0.1:4711", os.getppid(), __version__)
    assert node.revision == 7
    assert node.workers == running(table)
    assert node.workers == (RunningWorker(0, 100, "accepting", 7), RunningWorker(1, 101, "draining", 7))


def test_news_are_told_at_once_and_the_record_is_renewed(registrar: Registrar, registry: Written, table: Table) -> None:
    registrar.tell(registry, 0.0)
    registrar.tell(registry, 0.1)
    assert len(registry.told) == 1
    table.cells[table.base(0) + layout.RUNNING_REVISION] = 8
    registrar.tell(registry, 0.2)
    assert registry.told[-1].workers[0].revision == 8
    registrar.tell(registry, 0.2 + RENEW_S - 0.1)
    assert len(registry.told) == 2
    registrar.tell(registry, 0.2 + RENEW_S)
    assert len(registry.told) == 3


def test_workers_that_come_one_after_the_other_are_told_together(
    registrar: Registrar, registry: Written, table: Table
) -> None:
    registrar.tell(registry, 0.0)
    table.cells[layout.REVISION] = 8
    registrar.tell(registry, 0.1)
    assert len(registry.told) == 1, "nobody runs it yet"
    registrar.tell(registry, UNSETTLED_S)
    assert registry.told[-1].revision == 8
    table.cells[table.base(0) + layout.RUNNING_REVISION] = 8
    registrar.tell(registry, UNSETTLED_S + 0.01)
    assert registry.told[-1].workers[0].revision == 8, "the last one is told at once; who drains does not count"


def test_a_registry_that_fails_is_said_once_and_asked_again(
    registrar: Registrar, registry: Written, caplog: pytest.LogCaptureFixture
) -> None:
    registry.fails = True
    registrar.tell(registry, 0.0)
    registrar.tell(registry, 0.01)
    registrar.tell(registry, 0.5)
    assert caplog.text.count("cannot register the node with the store: away") == 1
    registry.fails = False
    registrar.tell(registry, 5.0)
    assert len(registry.told) == 1


def test_a_node_that_stops_says_so(registrar: Registrar, registry: Written, table: Table) -> None:
    registrar.tell(registry, 0.0)
    registrar.leave(registry)
    assert not registry.told[-1].has_left, "only this process ends, another sync takes over"
    table.cells[layout.WORKERS_WANTED] = 0
    registrar.leave(registry)
    assert registry.told[-1].has_left


def test_who_goes_on_as_this_node_is_left_alone(registrar: Registrar, registry: Written, table: Table) -> None:
    registrar.tell(registry, 0.0)
    table.cells[layout.WORKERS_WANTED] = 0
    registry.told.append(Node.of({**registry.told[0].document(), "pid": 1}))  # type: ignore[arg-type]
    registrar.leave(registry)
    assert not registry.told[-1].has_left
