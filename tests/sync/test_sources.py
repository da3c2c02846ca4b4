import logging
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gproxy.store.base import State, Store, Write
from gproxy.store.open import open_store
from gproxy.sync.sources import Source


class Clock:
    """Time that passes only when somebody sleeps."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def now(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        self.now_s += seconds


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "gateway.db"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    with open_store(f"sqlite:///{path}", create=True) as store:
        store.write([server("u1"), server("u2")], "ann")
        yield store


@pytest.fixture
def source_at(path: Path, caplog: pytest.LogCaptureFixture) -> Iterator[Callable[[bool], Source]]:
    caplog.set_level(logging.INFO)
    made = []

    def make(create: bool = False) -> Source:
        clock = Clock()
        made.append(Source(f"sqlite:///{path}", create, now=clock.now, sleep=clock.sleep))
        return made[-1]

    yield make
    for source in made:
        source.close()


def server(name: str, weight: int = 1) -> Write:
    return Write("server", name, {"name": name, "address": "127.0.0.1:1", "weight": weight})


def next_state(source: Source) -> State:
    for _ in range(100):
        state = source.poll(0.1)
        if state is not None:
            return state
    raise AssertionError("the source gave no state")


def test_it_gives_the_state_then_what_is_new(store: Store, source_at: Callable[..., Source]) -> None:
    source = source_at()
    first = next_state(source)
    assert (first.revision, sorted(name for _, name in first.objects)) == (1, ["u1", "u2"])
    assert source.poll(0.0) is None
    assert source.is_following
    store.write([server("u2", 5), Write("server", "u1", None), server("u3")], "ann")
    second = next_state(source)
    assert second.revision == 2
    assert {name: item["weight"] for name, item in second.documents()["server"].items()} == {"u2": 5, "u3": 1}


def test_what_has_not_changed_is_the_same_object(store: Store, source_at: Callable[..., Source], path: Path) -> None:
    source = source_at()
    first = next_state(source)
    store.write([server("u2", 5)], "ann")
    second = next_state(source)
    path.rename(path.with_suffix(".away"))
    assert source.poll(0.1) is None
    path.with_suffix(".away").rename(path)
    third = next_state(source)
    key = ("server", "u1")
    assert first.objects[key] is second.objects[key]
    assert second.objects[key] is third.objects[key], "also after an outage"
    assert third.objects["server", "u2"].document["weight"] == 5


def test_a_missing_store_is_waited_for(
    path: Path, source_at: Callable[..., Source], caplog: pytest.LogCaptureFixture
) -> None:
    source = source_at()
    for _ in range(50):
        assert source.poll(0.25) is None
        assert not source.is_following
    assert 1 <= len(caplog.messages) <= 3, "not at every attempt"
    assert caplog.messages[0] == f"cannot follow the store: {path}: there is no such store"
    assert not path.exists()
    with open_store(f"sqlite:///{path}", create=True) as store:
        store.write([server("u1")], "ann")
    assert next_state(source).revision == 1
    assert caplog.messages[-2:] == ["cannot follow the store: over", "following the store"]


def test_a_node_that_never_ran_makes_the_store_once(path: Path, source_at: Callable[..., Source]) -> None:
    source = source_at(True)
    assert next_state(source).revision == 0
    assert path.exists()
    path.unlink()
    for _ in range(10):
        assert source.poll(0.25) is None
    assert not path.exists(), "a lost store is not replaced by an empty one"


def damage(path: Path) -> None:
    path.write_bytes(b"this is no database, and long enough to be looked at as one" * 20)


def make_newer(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 99")
    connection.close()


@pytest.mark.parametrize(
    ("harm", "said"), [(damage, "damaged or not a store"), (make_newer, "written by a newer version")]
)
def test_a_store_that_cannot_be_used_is_said_and_tried_again(
    path: Path,
    source_at: Callable[..., Source],
    caplog: pytest.LogCaptureFixture,
    harm: Callable[[Path], None],
    said: str,
) -> None:
    harm(path)
    source = source_at()
    for _ in range(20):
        assert source.poll(0.25) is None
    assert said in caplog.messages[0]
    path.unlink()
    with open_store(f"sqlite:///{path}", create=True) as store:
        store.write([server("u1")], "ann")
    assert next_state(source).revision == 1


def test_a_locked_store_is_said_and_waited_for(
    path: Path, store: Store, source_at: Callable[..., Source], caplog: pytest.LogCaptureFixture
) -> None:
    store.close()
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("PRAGMA locking_mode = EXCLUSIVE")
    holder.execute("BEGIN EXCLUSIVE")
    holder.execute("UPDATE store SET revision = revision")
    source = source_at()
    assert source.poll(0.1) is None
    assert caplog.messages == [f"cannot follow the store: {path}: locked by another process"]
    holder.close()
    assert next_state(source).revision == 1
