import threading
from collections.abc import Iterator

import pytest

from gproxy.shared import layout
from gproxy.shared.samples import MOST_BYTES, SampleWriter, samples
from gproxy.shared.table import Table


@pytest.fixture
def table() -> Iterator[Table]:
    made = Table.create(slots=3, rows=8)
    for slot in range(2):
        made.claim(slot)
    yield made
    made.close()


def test_nothing_was_left(table: Table) -> None:
    assert list(samples(table)) == []


@pytest.mark.parametrize("text", [b"", b"x", b"12345678", b"123456789", b"\0\0", b"x" * MOST_BYTES])
def test_what_is_left_is_found(table: Table, text: bytes) -> None:
    SampleWriter(table, 1).tell(text)
    SampleWriter(table, 0).tell(b"other")
    assert list(samples(table)) == [b"other", text]


def test_the_oldest_give_way(table: Table) -> None:
    writer = SampleWriter(table, 0)
    for number in range(layout.SAMPLES + 5):
        writer.tell(b"%d" % number)
    assert list(samples(table)) == [b"%d" % number for number in range(5, layout.SAMPLES + 5)]
    SampleWriter(table, 0).tell(b"the next worker goes on")
    assert list(samples(table))[-2:] == [b"%d" % (layout.SAMPLES + 4), b"the next worker goes on"]


def test_one_that_is_too_long(table: Table) -> None:
    with pytest.raises(ValueError, match="the most is"):
        SampleWriter(table, 0).tell(b"x" * (MOST_BYTES + 1))


def test_one_that_is_being_written_is_left_out(table: Table) -> None:
    writer = SampleWriter(table, 0)
    for text in (b"a", b"b"):
        writer.tell(text)
    table.cells[table.sample_base(0) + layout.LINE_CELLS + layout.SAMPLE_NUMBER] = 0
    assert list(samples(table)) == [b"b"]


def test_a_reader_never_sees_half_a_sample(table: Table) -> None:
    writer, done = SampleWriter(table, 0), threading.Event()

    def write() -> None:
        for number in range(5_000):
            writer.tell(b"%d" % (number % 10) * (8 * (1 + number % 400)))
        done.set()

    thread = threading.Thread(target=write)
    thread.start()
    while not done.is_set():
        for text in samples(table):
            assert len(set(text)) == 1
    thread.join()
