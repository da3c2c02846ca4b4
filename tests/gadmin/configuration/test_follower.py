import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from gadmin.configuration.follower import Follower
from gproxy.store.access import NOBODY
from gproxy.store.base import State, Write
from gproxy.store.open import open_store
from tests.harness.waiting import eventually

Names = set[str]


def names(state: State, before: Names | None) -> Names:
    return {name for _, name in state.objects}


@pytest.fixture
def follower(tmp_path: Path) -> Iterator[Follower[Names]]:
    made = Follower(f"sqlite:///{tmp_path}/a.db", NOBODY, names)
    made.start()
    yield made
    made.stop()


def test_it_shows_what_is_written_by_anybody(tmp_path: Path, follower: Follower[Names]) -> None:
    assert follower.current == set()
    with open_store(f"sqlite:///{tmp_path}/a.db") as store:
        revision = store.write([Write("server", "u1", {"address": "a:1"})], "test")
        assert follower.wait_for(revision)
        assert follower.current == {"u1"}
        assert not follower.wait_for(revision + 1, within_s=0.01)
        store.write([Write("server", "u1", None)], "test")
        assert follower.wait_for(revision + 1)
    assert follower.current == set()
    assert follower.away_s is None


def test_without_its_store_it_shows_the_last_and_says_since_when(tmp_path: Path, follower: Follower[Names]) -> None:
    with open_store(f"sqlite:///{tmp_path}/a.db") as store:
        follower.wait_for(store.write([Write("server", "u1", {"address": "a:1"})], "test"))
    shutil.move(tmp_path / "a.db", tmp_path / "b.db")
    eventually(lambda: follower.away_s is not None, about="it notices")
    assert follower.current == {"u1"}
    shutil.move(tmp_path / "b.db", tmp_path / "a.db")
    eventually(lambda: follower.away_s is None, about="it is back")
    assert follower.current == {"u1"}


def test_a_state_that_cannot_be_shown_is_not_the_end(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    def choosy(state: State, before: Names | None) -> Names:
        if ("server", "bad") in state.objects:
            raise KeyError("bad")
        return names(state, before)

    follower = Follower(f"sqlite:///{tmp_path}/a.db", NOBODY, choosy)
    follower.start()
    with open_store(f"sqlite:///{tmp_path}/a.db") as store:
        store.write([Write("server", "bad", {})], "test")
        eventually(lambda: follower.away_s is not None, about="that it does not show the newest is known")
        assert follower.current == set()
        revision = store.write([Write("server", "bad", None), Write("server", "good", {})], "test")
        assert follower.wait_for(revision)
    assert follower.current == {"good"}
    assert [record.getMessage() for record in caplog.records].count("what the store holds cannot be shown") == 1
    follower.stop()


def test_it_begins_without_a_store(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    lost = Follower(f"sqlite:///{tmp_path}/file/a.db", NOBODY, names)
    lost.start(within_s=0.05)
    assert lost.away_s is not None
    assert lost.current == set()
    lost.stop()
