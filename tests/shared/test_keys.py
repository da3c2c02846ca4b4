import os

import pytest

from gproxy.core.limiter import Limit
from gproxy.shared import layout
from gproxy.shared.keys import Keys
from gproxy.shared.limits import Limits
from gproxy.shared.table import Table

ONCE = Limit.of(1, 3600)
LIVE = 100_000 if "GPROXY_LARGE_TESTS" in os.environ else 10_000


def table_for(workers: int) -> Table:
    table = Table.create(slots=workers, rows=8)
    for slot in range(workers):
        table.claim(slot)
    return table


@pytest.fixture
def one_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layout, "KEY_SETS", 1)


def test_a_share_is_found_by_all_and_written_by_one() -> None:
    table = table_for(2)
    one, two = Keys(table, 0), Keys(table, 1)
    own, shares = one.find(0, 1, b"key", 5)
    assert shares == [(0, 0, 0)]
    table.cells[own + layout.LIMIT_END] = 7
    others, shares = two.find(0, 1, b"key", 6)
    assert others != own
    assert sorted(shares) == [(0, 0, 0), (7, 0, 0)]
    assert one.find(0, 1, b"key", 7) == (own, [(7, 0, 0), (0, 0, 0)])


@pytest.mark.parametrize("other", [(1, 1, b"key"), (0, 2, b"key"), (0, 1, b"kex"), (0, 1, b"")])
def test_row_tag_and_key_make_the_share(other: tuple[int, int, bytes]) -> None:
    keys = Keys(table_for(1), 0)
    assert keys.find(0, 1, b"key", 5)[0] != keys.find(*other, 5)[0]


@pytest.mark.usefixtures("one_set")
def test_the_least_recent_key_is_dropped() -> None:
    table = table_for(2)
    keys, other = Keys(table, 0), Keys(table, 1)
    places = {number: keys.find(0, 1, b"%d" % number, 10 + number)[0] for number in range(layout.KEY_WAYS)}
    assert len(set(places.values())) == layout.KEY_WAYS
    table.cells[places[1] + layout.LIMIT_END] = 99
    assert keys.find(0, 1, b"0", 1000)[0] == places[0]
    assert keys.find(0, 1, b"new", 1001) == (places[1], [(0, 0, 0)]), "and nothing is left of it"
    assert other.find(0, 1, b"0", 5)[1] == [(0, 0, 0), (0, 0, 0)], "another worker drops only what is its own"


@pytest.mark.usefixtures("one_set")
def test_who_is_kept_is_never_refused_wrongly() -> None:
    """Many more keys than there is room for, each once: all are let through, whatever is dropped."""
    table = table_for(2)
    crew = [Limits(table, slot) for slot in range(2)]
    for number in range(5 * layout.KEY_WAYS):
        assert not crew[number % 2].take_key(0, b"%d" % number, ONCE)


def test_live_keys_are_all_kept() -> None:
    table = table_for(2)
    crew = [Limits(table, slot) for slot in range(2)]
    for number in range(LIVE):
        assert not crew[number % 2].take_key(0, b"%d" % number, ONCE)
    assert all(crew[(number + 1) % 2].take_key(0, b"%d" % number, ONCE) for number in range(LIVE))


@pytest.mark.usefixtures("one_set")
def test_a_fingerprint_across_two_cells_is_not_found() -> None:
    """Only whole cells are compared, wherever the bytes turn up."""
    table = table_for(1)
    keys, base = Keys(table, 0), table.key_prints_base(0)
    keys.find(0, 1, b"key", 5)
    fingerprint = table.cells[base]
    table.cells[base] = fingerprint << 32 & (1 << 64) - 1
    table.cells[base + 1] = fingerprint >> 32
    assert keys.find(0, 1, b"key", 6)[1] == [(0, 0, 0)]
