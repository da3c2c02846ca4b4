import json
from collections.abc import Iterator

import pytest

from gproxy.monitor.mirrors import MOST_SAMPLES, document
from gproxy.monitor.objects import objects
from gproxy.monitor.sampler import Sampler
from gproxy.shared import layout
from gproxy.shared.samples import SampleWriter
from gproxy.shared.table import Table
from gproxy.store.snapshot_file import render
from tests.monitor.figures import put


@pytest.fixture
def table() -> Iterator[Table]:
    made = Table.create(slots=4, rows=64)
    yield made
    made.close()


def sampler(table: Table) -> Sampler:
    made = Sampler(table, lambda: None)
    rules = (("shadow", "mirror", 3), ("beta", "split", 4), ("another", "mirror", 5))
    made.follow(objects(render("routing", {"name": name, "action": action}, row) for name, action, row in rules))
    return made


def test_every_mirror_with_its_figures(table: Table) -> None:
    put(table, 3, 5)
    put(table, 3, 2, cell=layout.ROW_UNANSWERED)
    base = table.row_base(0, 3)
    for cell, count in ((layout.ROW_REJECTED, 1), (layout.ROW_COMPARED, 4), (layout.ROW_DIFFERED, 3)):
        table.cells[base + cell] = count
    told = document(table, sampler(table), "node-1")
    assert told["node"] == "node-1"
    assert [mirror["name"] for mirror in told["mirrors"]] == ["another", "shadow"]
    assert told["mirrors"][1] == {
        "name": "shadow",
        "copies": 7,
        "active": 0,
        "unanswered": 2,
        "dropped": 1,
        "compared": 4,
        "differed": 3,
        "samples": [],
    }


def test_samples_of_all_workers_the_newest_first(table: Table) -> None:
    for slot in (0, 2):
        put(table, 3, 1, slot=slot)
        for number in range(layout.SAMPLES):
            sample = {"rule": "shadow", "time_ms": 10 * number + slot, "differences": []}
            SampleWriter(table, slot).tell(json.dumps(sample).encode())
    SampleWriter(table, 0).tell(b'{"rule": "gone", "time_ms": 1}')
    told = document(table, sampler(table), "node-1")["mirrors"]
    assert told[0]["samples"] == []
    times = [sample["time_ms"] for sample in told[1]["samples"]]
    assert times == sorted(times, reverse=True)
    assert (times[0], len(times)) == (152, MOST_SAMPLES)
    assert told[1]["samples"][0] == {"time_ms": 152, "differences": []}
