import os
import struct
import time
from itertools import accumulate

from gproxy.shared import layout
from gproxy.shared.places import Places
from gproxy.shared.table import Table

ROW = 5


def crew_of(count: int) -> tuple[list[Places], Table]:
    table = Table.create(slots=count, rows=8)
    for slot in range(count):
        table.claim(slot)
    table.cells[layout.ROWS_USED] = 8
    return [Places(table, slot) for slot in range(count)], table


def test_places_are_counted_over_workers() -> None:
    (one, two), _ = crew_of(2)
    assert one.take(ROW, 2)
    assert two.take(ROW, 2)
    assert not one.take(ROW, 2)
    assert two.take(ROW + 1, 1), "each row for itself"
    two.give_back(ROW)
    assert one.take(ROW, 2)


def test_places_of_a_worker_that_died_come_back() -> None:
    (one, two), table = crew_of(2)
    assert one.take(ROW, 1)
    one.note_queue(ROW, 3, 7)
    assert not two.take(ROW, 1)
    table.release(0)
    assert two.take(ROW, 1)
    assert two.queued(ROW) == 0
    assert two.is_first(ROW, 100)


def test_the_queue_knows_its_length_and_who_came_first() -> None:
    (one, two, three), _ = crew_of(3)
    assert one.is_first(ROW, 50)
    one.note_queue(ROW, 2, 50)
    two.note_queue(ROW, 1, 40)
    assert three.queued(ROW) == 3
    assert not one.is_first(ROW, 50)
    assert two.is_first(ROW, 40)
    two.note_queue(ROW, 0, 0)
    assert one.is_first(ROW, 50)


def test_processes_that_race_never_take_one_too_many() -> None:
    """Four of them take and give back as fast as they can, and note from when to when they had a place."""
    places, _ = crew_of(4)
    children = []
    stop = time.monotonic() + 0.3
    for slot in range(4):
        reader, writer = os.pipe()
        if (pid := os.fork()) == 0:
            own, held = places[slot], bytearray()
            while (now := time.monotonic()) < stop or (not held and now < stop + 10):
                if own.take(ROW, 2):
                    since = time.monotonic_ns()
                    held += struct.pack("2q", since, time.monotonic_ns())
                    own.give_back(ROW)
            with os.fdopen(writer, "wb") as pipe:
                pipe.write(held)
            os._exit(0)
        os.close(writer)
        children.append((pid, reader))
    moments = []
    for pid, reader in children:
        with os.fdopen(reader, "rb") as pipe:
            spans = list(struct.iter_unpack("2q", pipe.read()))
        assert os.waitpid(pid, 0)[1] == 0
        assert spans, "everybody got a place now and then"
        moments += [(since, 1) for since, _ in spans] + [(until, -1) for _, until in spans]
    assert max(accumulate(change for _, change in sorted(moments))) <= 2
    assert places[0].take(ROW, 1), "all were given back"
