"""The memory of stored answers: as one process sees it, and with others that write, race and are killed."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from time import monotonic

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gproxy.shared import cache
from gproxy.shared.cache import CacheMemory, Owner

SIZE = 1 << 20
ME = Owner(7, 1)


@pytest.fixture
def memory() -> Iterator[CacheMemory]:
    made = CacheMemory.create(SIZE)
    yield made
    made.close()


def value(memory: CacheMemory, key: bytes) -> bytes | None:
    at = memory.at(key)
    return None if at is None else memory.get(at)


def child(task: Callable[[], object]) -> int:
    """Run a task in a process of its own, and return that; it ends by itself or is ended by who called."""
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            task()
            code = 0
        finally:
            os._exit(code)
    return pid


def status_of(pid: int) -> int:
    return os.waitpid(pid, 0)[1]


def test_what_is_put_is_found(memory: CacheMemory) -> None:
    assert memory.at(b"a") is None
    assert memory.put(b"a", [b"one", b" ", b"two"], ME) == []
    assert memory.put(b"b", [b""], ME) == []
    assert (value(memory, b"a"), value(memory, b"b"), value(memory, b"c")) == (b"one two", b"", None)
    memory.put(b"a", [b"three"], ME)
    assert value(memory, b"a") == b"three"
    memory.remove(b"a")
    assert (value(memory, b"a"), value(memory, b"b")) == (None, b"")


def test_all_places_of_a_set_are_taken_before_one_is_given_up(memory: CacheMemory) -> None:
    of_a_set = [
        key for key in (b"%d" % number for number in range(10_000)) if memory._set(memory._print(key)) == memory._index
    ]
    for key in of_a_set[: cache._WAYS]:  # the first of them is at position 0
        memory.put(key, [key], ME)
    assert [value(memory, key) for key in of_a_set[: cache._WAYS]] == of_a_set[: cache._WAYS]
    memory.put(of_a_set[cache._WAYS], [b""], ME)
    assert [value(memory, key) for key in of_a_set[:2]] == [None, of_a_set[1]]


def test_a_purge_forgets_everything_and_nothing_that_comes_later(memory: CacheMemory) -> None:
    memory.put(b"a", [b"1"], ME)
    before = memory.purged()
    memory.purge()
    assert memory.purged() != before
    before = memory.purged()
    memory.purge()
    assert memory.purged() != before  # though nothing was stored in between
    assert value(memory, b"a") is None
    memory.put(b"a", [b"2"], ME)
    assert value(memory, b"a") == b"2"


@pytest.mark.parametrize("change", ["put", "remove", "purge"])
def test_what_was_replaced_or_forgotten_meanwhile_does_not_come_back(memory: CacheMemory, change: str) -> None:
    memory.put(b"a", [b"old"], ME)
    assert memory.put(b"a", [b"old"], ME, only_over=memory.at(b"a")) == []
    at = memory.at(b"a")
    changes = {"put": lambda: memory.put(b"a", [b"new"], ME), "remove": lambda: memory.remove(b"a")}
    changes.get(change, memory.purge)()
    found = value(memory, b"a")
    assert memory.put(b"a", [b"old"], ME, only_over=at) is None
    assert value(memory, b"a") == found


def test_what_is_too_large_is_not_stored(memory: CacheMemory) -> None:
    assert memory.has_room_for(SIZE // 8 - 64)
    assert not memory.has_room_for(SIZE // 8)
    assert memory.put(b"a", [b"x" * (SIZE // 8)], ME) is None


def test_the_oldest_go_when_the_memory_is_full_and_their_owners_are_told(memory: CacheMemory) -> None:
    size = 100_000
    lost = [memory.put(b"%d" % number, [bytes([number]) * size], Owner(number, 3)) for number in range(25)]
    assert lost[:10] == [[]] * 10
    gone = [owner.row for step in lost if step for owner, _ in step]
    assert gone == list(range(len(gone)))
    assert len(gone) >= 14
    assert all(bytes_ == size for step in lost if step for _, bytes_ in step)
    for number in range(25):
        assert value(memory, b"%d" % number) == (None if number in gone else bytes([number]) * size)


def test_what_was_replaced_or_removed_is_nobodys_loss(memory: CacheMemory) -> None:
    for _ in range(30):
        assert memory.put(b"a", [b"x" * 100_000], ME) == []
        memory.put(b"b", [b"y"], ME)
        memory.remove(b"b")


def test_what_is_far_back_is_old(memory: CacheMemory) -> None:
    memory.put(b"a", [b"x"], ME)
    at = memory.at(b"a")
    assert at is not None
    for number in range(8):
        assert not memory.is_old(at)
        memory.put(b"%d" % number, [b"y" * 100_000], ME)
    assert memory.is_old(at)


keys = st.integers(0, 40)
steps = st.lists(st.tuples(keys, st.one_of(st.none(), st.integers(0, 120_000))), min_size=1, max_size=60)


@settings(deadline=None)
@given(steps)
def test_what_is_found_is_what_was_put_last(taken: list[tuple[int, int | None]]) -> None:
    memory = CacheMemory.create(SIZE)
    model: dict[int, bytes | None] = {}
    for number, (key, size) in enumerate(taken):
        if size is None:
            memory.remove(b"%d" % key)
            model[key] = None
        else:
            data = bytes([number % 256]) * size
            assert memory.put(b"%d" % key, [data], ME) is not None
            model[key] = data
            assert value(memory, b"%d" % key) == data
        for other, expected in model.items():
            assert value(memory, b"%d" % other) in (None, expected)
    memory.close()


# -- with other processes --------------------------------------------------------------------------------------------


def test_who_does_not_get_the_lock_stores_nothing(memory: CacheMemory) -> None:
    reading, writing = os.pipe()

    def hold() -> None:
        assert memory._lock()
        os.write(writing, b"!")
        signal.pause()

    pid = child(hold)
    os.read(reading, 1)
    assert memory.put(b"a", [b"x"], ME) is None
    os.kill(pid, signal.SIGKILL)
    status_of(pid)
    assert memory.put(b"a", [b"x"], ME) == []
    os.close(reading)
    os.close(writing)


@pytest.mark.parametrize("step", ["_make_room", "_write_head", "_enter"])
def test_a_writer_that_is_killed_leaves_everything_usable(memory: CacheMemory, step: str) -> None:
    for number in range(12):
        memory.put(b"%d" % number, [bytes([number]) * 100_000], ME)

    def die(*arguments: object) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    def write() -> None:
        setattr(CacheMemory, step, die)
        memory.put(b"new", [b"n" * 100_000], ME)

    assert os.WTERMSIG(status_of(child(write))) == signal.SIGKILL
    for number in range(12):
        assert value(memory, b"%d" % number) in (None, bytes([number]) * 100_000)
    assert value(memory, b"new") is None
    for number in range(30):
        assert memory.put(b"later", [bytes([number]) * 90_000], ME) is not None
        assert value(memory, b"later") == bytes([number]) * 90_000
    assert value(memory, b"0") is None


def test_what_comes_after_a_writer_that_was_killed_and_a_purge_is_found(memory: CacheMemory) -> None:
    def write() -> None:
        CacheMemory._write_head = lambda *arguments: os.kill(os.getpid(), signal.SIGKILL)
        memory.put(b"new", [b"n" * 100_000], ME)

    memory.put(b"before", [b"x"], ME)
    status_of(child(write))
    memory.purge()
    for number in range(50):  # several rounds of the log
        assert memory.put(b"%d" % number, [bytes([number]) * 100_000], ME) is not None
        assert value(memory, b"%d" % number) == bytes([number]) * 100_000
    assert value(memory, b"before") is None


def test_readers_never_see_half_of_anything(memory: CacheMemory) -> None:
    until = monotonic() + 0.6

    def write() -> None:
        number = 0
        while monotonic() < until:
            number += 1
            memory.put(b"%d" % (number % 20), [bytes([number % 256]) * (1 + number * 7919 % 60_000)], ME)

    writers = [child(write) for _ in range(3)]
    seen = 0
    while monotonic() < until:
        for key in range(20):
            found = value(memory, b"%d" % key)
            if found is not None:
                seen += 1
                assert found == found[:1] * len(found)
    assert [status_of(pid) for pid in writers] == [0, 0, 0]
    assert seen


def test_one_fetches_for_all_until_it_is_done_or_late(memory: CacheMemory, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [(1 << 32) - 1000]  # the half of the clock that counts comes round
    monkeypatch.setattr(cache, "now_ms", lambda: now[0])
    assert memory.lease(b"a", 2000)
    assert not memory.lease(b"a", 2000)
    now[0] += 1999
    assert not memory.lease(b"a", 2000)
    now[0] += 1
    assert memory.lease(b"a", 2000)
    memory.release(b"b")
    assert not memory.lease(b"a", 2000)
    memory.release(b"a")
    assert memory.lease(b"a", 2000)
