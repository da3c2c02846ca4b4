import json
from collections.abc import Iterator

import gevent
import pytest

from gproxy.core.events import Event, Kind, ReloadCause
from gproxy.monitor.stats import Now
from gproxy.monitor.wanted import Wanted
from gproxy.monitor.watch import Watch, as_json
from gproxy.shared import layout
from gproxy.shared.rings import RingWriter
from gproxy.shared.table import Table
from tests.monitor.figures import lines, put
from tests.worker.peer import eventually


@pytest.fixture
def table() -> Iterator[Table]:
    made = Table.create(slots=2, rows=64)
    yield made
    made.close()


def test_it_looks_every_second_and_tells(table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gproxy.monitor.watch.LOOK_EVERY_S", 0.001)
    watch = Watch(table)
    watch.follow(lines({"a": 0}, {}))
    looking = gevent.spawn(watch.look_for_ever)
    try:
        eventually(lambda: watch.sampler.node.length > 2)
        put(table, 0, 5)
        RingWriter(table, table.slots + layout.RING_MASTER).tell(Event(Kind.RELOAD, ReloadCause.DONE))
        eventually(lambda: watch.events.since(0)["last"] == 1)
        eventually(lambda: watch.figures.document(Wanted("none"))["servers"][0]["requests"] == 5)
        assert b'gproxy_server_requests_total{code_class="2xx",server="a"} 5\n' in watch.metrics(Now(1, 1))
    finally:
        looking.kill()


def test_documents_are_json() -> None:
    assert json.loads(as_json({"a": "\u00e4"})) == {"a": "\u00e4"}
