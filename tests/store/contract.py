"""What every store must do. A store's own test file subclasses `StoreContract` and says how to open one."""

import multiprocessing
import threading
import time
from abc import abstractmethod
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gproxy.core.change import Objects, diff
from gproxy.store.base import ABSENT, Conflict, Store, UnknownRevision, Write
from gproxy.store.nodes import Drain
from gproxy.store.open import open_store
from tests.store.test_nodes import a_node

U1 = {"name": "u1", "address": "127.0.0.1:1"}
U2 = {"name": "u2", "address": "127.0.0.1:2"}
HEAVY = {**U1, "weight": 9}


def put(document: Mapping[str, object], expected: int | None = None) -> Write:
    return Write("server", str(document["name"]), document, expected)


def remove(name: str, expected: int | None = None) -> Write:
    return Write("server", name, None, expected)


def add_many(url: str, author: str, count: int) -> None:
    """Run in a process of its own: read, then write on top, again and again, as ctl does."""
    with open_store(url) as store:
        for number in range(count):
            while True:
                state = store.read()
                counter = state.objects.get(("server", "counter"))
                value = counter.document["weight"] + 1 if counter else 1
                own = {"name": f"{author}-{number}", "address": "127.0.0.1:1"}
                writes = [put({"name": "counter", "weight": value}), put(own, ABSENT)]
                try:
                    store.write(writes, author, expected_revision=state.revision)
                except Conflict:
                    continue
                break


class StoreContract:
    """The laws of the port."""

    @pytest.fixture
    @abstractmethod
    def url(self, tmp_path: Path) -> str:
        """Return the URL of an empty store, which is made when it is opened with `create`."""

    @abstractmethod
    def bound_history(self, monkeypatch: pytest.MonkeyPatch, entries: int, changes: int) -> None:
        """Make the store's history shorter than it is."""

    @pytest.fixture
    def store(self, url: str) -> Iterator[Store]:
        with open_store(url, create=True) as store:
            yield store

    def test_a_new_store_is_empty_at_revision_0(self, store: Store) -> None:
        state = store.read()
        assert (state.revision, dict(state.objects)) == (0, {})
        assert store.get("server", "u1") is None
        assert store.history() == []
        assert store.state_at(0) == {}

    def test_each_write_is_one_revision_and_each_object_knows_its_own(self, store: Store) -> None:
        assert store.write([put(U1), put(U2)], "ann", "first") == 1
        assert store.write([put(HEAVY)], "bob") == 2
        state = store.read()
        assert state.revision == 2
        assert state.documents() == {"server": {"u1": HEAVY, "u2": U2}}
        assert {key: stored.revision for key, stored in state.objects.items()} == {
            ("server", "u1"): 2,
            ("server", "u2"): 1,
        }
        assert store.get("server", "u1") == state.objects["server", "u1"]

    def test_writing_what_is_there_changes_nothing(self, store: Store) -> None:
        store.write([put(U1)], "ann")
        assert store.write([put(U1), remove("nobody")], "ann") == 1
        assert len(store.history()) == 1

    def test_an_object_is_written_only_at_the_expected_revision(self, store: Store) -> None:
        store.write([put(U1, ABSENT)], "ann")
        store.write([put(HEAVY, 1)], "ann")
        with pytest.raises(Conflict) as caught:
            store.write([put(U2), put(U1, 1)], "bob")
        conflict = caught.value
        assert (conflict.expected, conflict.actual, conflict.mine) == (1, 2, U1)
        assert conflict.theirs == store.get("server", "u1")
        assert store.get("server", "u2") is None, "a write is whole or nothing"
        with pytest.raises(Conflict, match="server u1 is at revision 2, though it should not exist yet"):
            store.write([put(U1, ABSENT)], "bob")
        with pytest.raises(Conflict, match="server u2 does not exist, but was expected at revision 1"):
            store.write([remove("u2", 1)], "bob")
        assert store.read().revision == 2

    def test_the_whole_is_written_only_at_the_expected_revision(self, store: Store) -> None:
        store.write([put(U1)], "ann", expected_revision=0)
        with pytest.raises(Conflict, match="the store is at revision 1, not at 0 any more") as caught:
            store.write([put(U2)], "bob", expected_revision=0)
        assert (caught.value.expected, caught.value.actual) == (0, 1)

    def test_history_tells_who_when_why_and_what(self, store: Store) -> None:
        before = time.time()
        store.write([put(U1)], "ann", "first")
        store.write([put(HEAVY), put(U2)], "bob", "heavier")
        store.write([remove("u2")], "ann")
        newest, middle, oldest = store.history()
        assert [entry.revision for entry in (newest, middle, oldest)] == [3, 2, 1]
        assert (middle.author, middle.comment) == ("bob", "heavier")
        assert before <= oldest.time_s <= newest.time_s <= time.time()
        assert {(c.name, c.sign) for c in middle.changes} == {("u1", "~"), ("u2", "+")}
        (removal,) = newest.changes
        assert (removal.before, removal.after) == (U2, None)
        assert [entry.revision for entry in store.history(limit=2)] == [3, 2]

    def test_history_of_one_object(self, store: Store) -> None:
        store.write([put(U1), put(U2)], "ann")
        store.write([put({**U2, "weight": 5})], "ann")
        store.write([put(HEAVY)], "bob")
        entries = store.history("server", "u1")
        assert [entry.revision for entry in entries] == [3, 1]
        assert [[change.name for change in entry.changes] for entry in entries] == [["u1"], ["u1"]]
        assert store.history("server", "nobody") == []
        assert [entry.revision for entry in store.history("server")] == [3, 2, 1]
        assert store.history("api") == []

    def test_an_old_state_can_be_told(self, store: Store) -> None:
        store.write([put(U1)], "ann")
        store.write([put(HEAVY), put(U2)], "ann")
        store.write([remove("u1")], "ann")
        assert store.state_at(0) == {}
        assert store.state_at(1) == {"server": {"u1": U1}}
        assert store.state_at(2) == {"server": {"u1": HEAVY, "u2": U2}}
        assert store.state_at(3) == {"server": {"u2": U2}}
        for unknown in (4, -1):
            with pytest.raises(UnknownRevision, match="the store is at 3"):
                store.state_at(unknown)

    def test_the_history_is_bounded(self, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
        self.bound_history(monkeypatch, entries=3, changes=4)
        for weight in range(5):
            store.write([put({**U1, "weight": weight})], "ann")
        assert [entry.revision for entry in store.history()] == [5, 4, 3]
        assert store.state_at(2) == {"server": {"u1": {**U1, "weight": 1}}}
        with pytest.raises(UnknownRevision, match="the history begins at 2"):
            store.state_at(1)
        store.write([put({"name": f"s{number}"}) for number in range(9)], "ann")
        assert [entry.revision for entry in store.history()] == [6], "too many changes, but the newest stays"
        assert store.watch(3, 0) is not None

    def test_watch_tells_what_is_new_since_a_revision(self, store: Store) -> None:
        store.write([put(U1)], "ann")
        store.write([put(U2)], "ann")
        store.write([put(HEAVY), remove("u2")], "ann")
        store.write([put({"name": "u3"})], "ann")
        news = store.watch(2, 0)
        assert news is not None
        assert (news.revision, news.removed, news.is_whole) == (4, frozenset({("server", "u2")}), False)
        assert {stored.name: stored.revision for stored in news.changed} == {"u1": 3, "u3": 4}
        assert store.watch(4, 0) is None

    def test_watch_after_a_revision_from_the_future_tells_the_whole(self, store: Store) -> None:
        store.write([put(U1)], "ann")
        news = store.watch(7, 0)
        assert news is not None
        assert (news.revision, news.is_whole, [item.name for item in news.changed]) == (1, True, ["u1"])

    def test_watch_from_forgotten_history_tells_the_whole(self, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
        self.bound_history(monkeypatch, entries=2, changes=1_000)
        for weight in range(5):
            store.write([put({**U1, "weight": weight})], "ann")
        news = store.watch(3, 0)
        assert news is not None
        assert not news.is_whole
        news = store.watch(2, 0)
        assert news is not None
        assert news.is_whole

    def test_watch_wakes_up_for_the_write_of_another(self, store: Store, url: str) -> None:
        def write() -> None:
            with open_store(url) as other:
                other.write([put(U1)], "bob")
                written.append(time.monotonic())

        written: list[float] = []
        writer = threading.Thread(target=write)
        writer.start()
        news = store.watch(0, 10)
        seen = time.monotonic()
        writer.join()
        assert news is not None
        assert news.revision == 1
        assert seen - written[0] < 1

    def test_watch_gives_up_in_time(self, store: Store) -> None:
        began = time.monotonic()
        assert store.watch(0, 0.05) is None
        assert time.monotonic() - began >= 0.05

    def test_many_processes_write_at_the_same_time_and_nothing_is_lost(self, store: Store, url: str) -> None:
        context = multiprocessing.get_context("spawn")
        processes = [context.Process(target=add_many, args=(url, f"p{n}", 20)) for n in range(4)]
        for process in processes:
            process.start()
        revision, seen = 0, set()
        deadline = time.monotonic() + 40
        while revision < 80 and time.monotonic() < deadline:
            news = store.watch(revision, 1)
            if news is not None:
                assert news.revision > revision
                assert not news.is_whole
                revision = news.revision
                seen |= {item.name for item in news.changed}
        for process in processes:
            process.join(10)
            assert process.exitcode == 0
        counter = store.get("server", "counter")
        assert counter is not None
        assert counter.document["weight"] == 80
        assert seen == {"counter", *(f"p{n}-{number}" for n in range(4) for number in range(20))}
        assert [entry.revision for entry in store.history()] == list(range(80, 0, -1))

    def test_nodes_drain_until_that_is_taken_back(self, store: Store, url: str) -> None:
        registry, wish = store.registry, Drain("somebody", 1_000)
        assert registry.drains() == {}
        registry.drain("n2", wish)
        registry.drain("a.b:1", Drain("ä", 2))
        with open_store(url) as other:
            assert other.registry.drains() == {"a.b:1": Drain("ä", 2), "n2": wish}
            assert other.registry.records() == []
            other.registry.drain("n2", None)
            other.registry.drain("n2", None)
        assert list(registry.drains()) == ["a.b:1"]
        assert (store.read().revision, store.history()) == (0, [])

    def test_nodes_are_listed_until_they_leave(self, store: Store, url: str) -> None:
        assert store.registry.records() == []
        store.registry.announce(a_node("n2"))
        store.registry.announce(a_node("n1"))
        store.registry.announce(a_node("n2", revision=6))
        with open_store(url) as other:
            assert other.registry.nodes() == [a_node("n1"), a_node("n2", revision=6)]
        store.registry.announce(a_node("n1").left())
        assert [node.id for node in store.registry.nodes()] == ["n2"]
        assert [node.has_left for node in store.registry.records()] == [True, False]
        assert store.read().revision == 0, "nodes are no configuration"

    @settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(
        steps=st.lists(
            st.dictionaries(st.sampled_from("abcd"), st.one_of(st.none(), st.integers(0, 3)), min_size=1, max_size=4),
            max_size=8,
        )
    )
    def test_history_is_exact(self, store: Store, steps: list[dict[str, int | None]]) -> None:
        """Every past state can be told, the changes lead from one to the next, and going back restores it."""
        states: dict[int, Objects] = {}
        revision = store.read().revision
        for step in steps:
            states[revision] = store.read().documents()
            writes = [
                remove(name) if weight is None else put({"name": name, "weight": weight})
                for name, weight in step.items()
            ]
            revision = store.write(writes, "ann")
        states[revision] = store.read().documents()
        for past, state in states.items():
            assert store.state_at(past) == state
        if states:
            first = min(states)
            back = [Write(c.kind, c.name, c.after) for c in diff(store.read().documents(), states[first])]
            store.write(back, "ann", f"rollback to {first}")
            assert store.read().documents() == states[first]
