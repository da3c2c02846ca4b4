"""What the master holds, without processes; tests/master/test_arbiter.py has them."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from gproxy import settings
from gproxy.core.events import Kind, ReloadCause
from gproxy.master.child import MONITOR, SYNC, WORKER, Child
from gproxy.master.generation import Generation
from gproxy.master.node import MOST_LEAVING_GENERATIONS, Node, most_workers
from gproxy.master.pidfile import PidFile
from gproxy.shared import layout
from gproxy.shared.rings import RingReader
from gproxy.shared.table import Table, now_ms
from tests.master.test_generation import asked


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    made = Node(Generation.open(asked(f"unix:{tmp_path}/g.sock")), Table.create(16, 8), {}, PidFile(tmp_path))
    made.signals.install()
    yield made
    made.close()


def child(node: Node, role: str, slot: int = -1) -> Child:
    return Child(role, slot, 2**22 + 1, 0.0, 0.0)


def test_a_table_has_slots_for_two_generations_and_one_more_worker() -> None:
    for slots, most in ((4, 1), (64, 31), (1024, 128)):
        table = Table.create(slots, 8)
        assert most_workers(table) == most
        table.close()


def test_there_is_no_second_sync_while_the_first_is_leaving(node: Node) -> None:
    node.want_sides()
    node.tend_sides()
    assert [place.role for place in node.sides] == [SYNC, MONITOR]
    node.sides[0].child = child(node, SYNC)
    node.remove_sides(100.0)
    assert not node.sides_are_gone()
    node.want_sides()
    node.tend_sides()
    assert node.sides == []
    node.crew.leaving.clear()
    node.tend_sides()
    assert [place.role for place in node.sides] == [SYNC, MONITOR]
    node.remove_sides(100.0)
    node.tend_sides()  # they are not wanted any more
    assert node.sides == []


def test_sides_are_up_when_both_have_shown_it(node: Node) -> None:
    assert not node.sides_are_up()
    node.want_sides()
    node.tend_sides()
    for side in node.sides:
        side.child = child(node, side.role)
    node.table.cells[layout.SYNC_HEARTBEAT] = 1
    assert not node.sides_are_up()
    node.table.cells[layout.MONITOR_HEARTBEAT] = 1
    assert node.sides_are_up()
    node.crew.places = []


def test_leaving_workers_and_those_of_other_masters_take_room(node: Node, caplog: pytest.LogCaptureFixture) -> None:
    assert node.finds_room(2, "reload")
    cells, table = node.table.cells, node.table
    for slot in range(2 * MOST_LEAVING_GENERATIONS + 1):
        table.claim(slot)
    assert not node.finds_room(2, "upgrade")
    assert not node.finds_room(2, "upgrade")
    assert caplog.text.count("upgrade waits until workers of earlier reloads have ended") == 1
    table.release(0)
    assert node.finds_room(2, "upgrade")
    assert node.finds_room(6, "upgrade")
    assert not node.finds_room(8, "upgrade")  # 16 slots, 8 of them taken
    assert cells[table.base(1) + layout.HEARTBEAT] > now_ms() - 10_000


def test_one_worker_more_and_one_less(node: Node) -> None:
    assert node.add_worker() == 3
    assert node.table.cells[layout.WORKERS_WANTED] == 3
    assert [place.role for place in node.crew.places] == [WORKER] * 3
    assert node.remove_worker(100.0) == 2
    assert node.table.cells[layout.WORKERS_WANTED] == 2
    assert len(node.crew.places) == 2


def test_the_run_dir_stays(node: Node, caplog: pytest.LogCaptureFixture) -> None:
    changed = settings.load(None, {"gproxy": {"run_dir": "elsewhere", "workers": "5"}})
    kept = node.keep_run_dir(changed).gproxy
    assert (kept.run_dir, kept.workers) == (node.generation.settings.gproxy.run_dir, 5)
    assert "run_dir changes with a restart only" in caplog.text


def test_public_sockets_close_first_and_a_lent_one_keeps_its_file(node: Node, tmp_path: Path) -> None:
    node.generation.listeners[0].is_lent = True
    node.close_public_listeners()
    assert node.generation.listeners[0].socket.fileno() == -1
    assert node.generation.control.socket.fileno() > 0
    assert (tmp_path / "g.sock").exists()


def test_how_a_reload_went_is_an_event(node: Node) -> None:
    node.tell(ReloadCause.UPGRADED, 4)
    (told,) = RingReader(node.table).news()
    assert (told.event.kind, told.event.cause, told.event.figures) == (Kind.RELOAD, ReloadCause.UPGRADED, (4, 0, 0))
