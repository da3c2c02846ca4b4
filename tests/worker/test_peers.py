import pytest

from gproxy.shared import layout
from gproxy.shared.table import Table, now_ms
from gproxy.worker.peers import Peers


def accept(table: Table, connections: list[int], **fields: int) -> None:
    """Let workers accept that have so many connections; `fields` change what all but the first say of themselves."""
    table.cells[layout.SLOTS_USED] = len(connections)
    for slot, count in enumerate(connections):
        values = {layout.STATE: layout.STATE_ACCEPTING, layout.HEARTBEAT: now_ms(), layout.CONNECTIONS: count}
        if slot:
            values |= {getattr(layout, name): value for name, value in fields.items()}
        for cell, value in values.items():
            table.cells[table.base(slot) + cell] = value


@pytest.mark.parametrize(
    ("mine", "others", "fields", "expected"),
    [
        (0, [], {}, False),
        (20, [], {}, False),
        (20, [20], {}, False),
        (20, [50, 50], {}, False),
        (20, [0], {}, True),
        (20, [19, 0, 0], {}, True),
        (0, [0, 0], {}, False),
        (1, [0, 0], {}, False),
        (20, [0], {"HEARTBEAT": 1}, False),
        (20, [0], {"STATE": layout.STATE_DRAINING}, False),
        (20, [0], {"STATE": layout.STATE_STARTING}, False),
        (20, [0], {"STATE": layout.STATE_FREE}, False),
    ],
)
def test_a_fair_share_is_that_of_the_workers_that_accept(
    mine: int, others: list[int], fields: dict[str, int], expected: bool
) -> None:
    table = Table.create(4, 8)
    accept(table, [mine, *others], **fields)
    peers = Peers(table)
    assert not peers.have_fewer(mine), "nobody was looked at yet"
    peers.look()
    assert peers.have_fewer(mine) is expected


def test_who_comes_later_is_seen() -> None:
    table = Table.create(4, 8)
    accept(table, [20])
    peers = Peers(table)
    peers.look()
    assert not peers.have_fewer(20)
    accept(table, [20, 0])
    peers.look()
    assert peers.have_fewer(20)
