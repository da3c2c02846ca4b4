import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from gproxy.core.change import Objects
from gproxy.core.schema import check
from gproxy.store.base import Conflict, State, Store
from gproxy.store.edit import Known, Rejected, plan, write
from gproxy.store.open import open_store

U1 = {"name": "u1", "address": "127.0.0.1:1"}


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/gateway.db"


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    with open_store(url, create=True) as store:
        yield store


def with_server(name: str, **fields: object) -> Objects:
    return {"server": {name: {"name": name, "address": "127.0.0.1:1", **fields}}}


def test_what_is_written_is_compact(store: Store) -> None:
    written = write(store, lambda state: with_server("u1", weight=1, status="up"), "ann", "first")
    assert (written.revision, [change.sign for change in written.changes]) == (1, ["+"])
    assert store.read().documents() == {"server": {"u1": U1}}
    assert store.history()[0].comment == "first"


def test_nothing_to_do_makes_no_revision(store: Store) -> None:
    write(store, lambda state: with_server("u1"), "ann")
    written = write(store, lambda state: with_server("u1", weight=1), "ann")
    assert (written.revision, written.changes) == (1, [])


def test_an_invalid_whole_is_refused(store: Store) -> None:
    with pytest.raises(Rejected) as caught:
        write(store, lambda state: {**with_server("u1"), "cluster": {"c": {"servers": ["u2"]}}}, "ann")
    assert str(caught.value) == 'clusters[c].servers[0]: there is no server "u2"'
    assert store.read().revision == 0


def test_a_plan_writes_nothing(store: Store) -> None:
    assert [change.name for change in plan(store.read(), lambda state: with_server("u1"))] == ["u1"]
    assert store.read().revision == 0


def test_a_write_in_between_is_taken_into_account(store: Store, url: str) -> None:
    """The other one deletes what ours adds to: the wish is asked again, on what is there then."""
    seen: list[int] = []

    def wish(state: State) -> Objects:
        seen.append(state.revision)
        if len(seen) == 1:
            with open_store(url) as other:
                write(other, lambda state: with_server("theirs"), "bob")
        return {"server": {**state.documents().get("server", {}), "u1": U1}}

    assert write(store, wish, "ann").revision == 2
    assert seen == [0, 1]
    assert sorted(store.read().documents()["server"]) == ["theirs", "u1"]


def test_endless_conflicts_end(store: Store, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gproxy.store.edit.TRIES", 3)
    tries: list[int] = []

    def wish(state: State) -> Objects:
        tries.append(state.revision)
        with open_store(url) as other:
            write(other, lambda state: with_server(f"s{len(tries)}"), "bob")
        return with_server("u1")

    with pytest.raises(Conflict):
        write(store, wish, "ann")
    assert tries == [0, 1, 2]


def test_writers_at_the_same_time_all_get_in(store: Store, url: str) -> None:
    def add(author: str) -> None:
        with open_store(url) as mine:
            for number in range(5):
                name = f"{author}{number}"
                write(
                    mine,
                    lambda state, name=name: {  # type: ignore[misc]
                        "server": {**state.documents().get("server", {}), **with_server(name)["server"]}
                    },
                    author,
                )

    threads = [threading.Thread(target=add, args=(author,)) for author in "abc"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(store.read().objects) == 15
    assert store.read().revision == 15


def added(state: State, name: str) -> Objects:
    """Return everything, and one server more."""
    documents = state.documents()
    return {**documents, "server": {**documents.get("server", {}), **with_server(name)["server"]}}


def known_now(store: Store) -> Known:
    state = store.read()
    return Known(state, check(state.documents()))


def test_what_is_known_is_neither_read_nor_checked_again(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    write(store, lambda state: added(state, "u1"), "ann")
    known = known_now(store)
    monkeypatch.setattr(store, "read", lambda: pytest.fail("it is known"))
    written = write(store, lambda state: added(state, "u2"), "ann", known=known)
    assert [change.name for change in written.changes] == ["u2"]


def test_what_is_known_may_be_old(store: Store) -> None:
    known = known_now(store)
    write(store, lambda state: added(state, "theirs"), "bob")
    write(store, lambda state: added(state, "mine"), "ann", known=known)
    assert {"theirs", "mine"} == set(store.read().documents()["server"])


def test_a_wish_fails_only_on_what_the_store_says(store: Store) -> None:
    known = known_now(store)
    write(store, lambda state: added(state, "late"), "bob")

    def wish(state: State) -> Objects:
        if "late" not in state.documents().get("server", {}):
            raise KeyError("late")
        return added(state, "after")

    assert write(store, wish, "ann", known=known).changes
    with pytest.raises(Rejected):
        write(store, lambda state: added(state, "bad name"), "ann", known=known)
