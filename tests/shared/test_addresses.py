from collections import Counter
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gproxy.shared.addresses import Addresses
from gproxy.shared.table import Table

SLOTS = 4


@pytest.fixture
def table() -> Iterator[Table]:
    made = Table.create(SLOTS, rows=8)
    yield made
    made.close()


def workers(table: Table) -> list[Addresses]:
    for slot in range(SLOTS):
        table.claim(slot)
    return [Addresses(table, slot) for slot in range(SLOTS)]


def test_all_workers_count_together(table: Table) -> None:
    one, two, *_ = workers(table)
    place = one.place(b"10.0.0.1")
    assert two.place(b"10.0.0.1") == place != 0
    assert one.count(place) == 0
    for _ in range(3):
        one.enter(place)
    two.enter(place)
    assert one.count(place) == two.count(place) == 4
    assert one.count(one.place(b"10.0.0.2")) == 0
    one.leave(place)
    assert two.count(place) == 3


@pytest.mark.parametrize(
    ("one", "other", "are_one"),
    [
        (b"2001:db8::1", b"2001:db8:0:0:ffff::1", True),
        (b"2001:db8::1", b"2001:db8:0:1::1", False),
        (b"10.0.0.1", b"10.0.0.2", False),
    ],
)
def test_what_counts_as_one_address(table: Table, one: bytes, other: bytes, are_one: bool) -> None:
    addresses = workers(table)[0]
    assert (addresses.place(one) == addresses.place(other)) is are_one


def test_nobody_outside_knows_who_shares_a_place(table: Table) -> None:
    other = Table.create(SLOTS, rows=8)
    assert workers(table)[0].place(b"10.0.0.1") != workers(other)[0].place(b"10.0.0.1")
    other.close()


@pytest.mark.parametrize("how", ["claim", "release"])
def test_the_connections_of_a_worker_that_is_gone_are_forgotten(table: Table, how: str) -> None:
    one, two, *_ = workers(table)
    place = one.place(b"10.0.0.1")
    for worker in (one, two, two):
        worker.enter(place)
    getattr(table, how)(1)
    assert one.count(place) == 1


@given(st.lists(st.tuples(st.integers(0, SLOTS - 1), st.integers(0, 30)), max_size=60))
def test_a_count_is_never_too_low(events: list[tuple[int, int]]) -> None:
    table = Table.create(SLOTS, rows=8)
    everybody = workers(table)
    open_: Counter[tuple[int, int]] = Counter()
    for slot, client in events:
        place = everybody[0].place(b"10.0.0.%d" % client)
        if open_[slot, client] and (slot + client) % 3 == 0:
            open_[slot, client] -= 1
            everybody[slot].leave(place)
        else:
            open_[slot, client] += 1
            everybody[slot].enter(place)
    for client in range(31):
        real = sum(open_[slot, client] for slot in range(SLOTS))
        assert everybody[0].count(everybody[0].place(b"10.0.0.%d" % client)) >= real
    table.close()


def test_many_addresses_hardly_meet(table: Table) -> None:
    addresses = workers(table)[0]
    places = [
        addresses.place(b"10.%d.%d.%d" % (number >> 16, number >> 8 & 255, number & 255)) for number in range(20_000)
    ]
    for place in places:
        addresses.enter(place)
    too_many = sum(addresses.count(place) > 1 for place in places)
    assert too_many < 0.12 * len(places)
    assert max(addresses.count(place) for place in places) <= 4
