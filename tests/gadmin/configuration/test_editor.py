from collections.abc import Iterator
from pathlib import Path

import pytest

from gadmin.configuration.configuration import Configuration
from gadmin.configuration.editor import Editor, InUse, NoSuchObject, Signature
from gadmin.configuration.follower import Follower
from gadmin.configuration.stores import Stores
from gproxy.store.access import NOBODY
from gproxy.store.base import ABSENT, Conflict, UnknownRevision
from gproxy.store.edit import Rejected

ADA = Signature("ada", "because")
SERVER = {"name": "u1", "address": "a:1"}
CLUSTER = {"name": "c", "servers": ["u1"]}
API = {"name": "all", "path": "/*", "nodes": [{"cluster": "c"}]}


@pytest.fixture
def follower(tmp_path: Path) -> Iterator[Follower[Configuration]]:
    made = Follower(f"sqlite:///{tmp_path}/gateway.db", NOBODY, Configuration)
    made.start()
    yield made
    made.stop()


@pytest.fixture
def editor(tmp_path: Path, follower: Follower[Configuration]) -> Iterator[Editor]:
    stores = Stores(f"sqlite:///{tmp_path}/gateway.db", NOBODY)
    yield Editor(stores, follower)
    stores.close()


@pytest.fixture
def full(editor: Editor) -> Editor:
    editor.apply({"server": {"u1": SERVER}, "cluster": {"c": CLUSTER}, "api": {"all": API}}, ADA)
    return editor


def test_what_is_written_is_seen_at_once_with_author_and_comment(
    editor: Editor, follower: Follower[Configuration]
) -> None:
    done = editor.put("server", "u1", SERVER, ADA, ABSENT)
    assert [change.sign for change in done.changes] == ["+"]
    assert follower.current.objects["server"] == {"u1": SERVER}
    (entry,) = editor.history()
    assert (entry.author, entry.comment) == ("ada", "because")


def test_a_put_at_another_revision_is_a_conflict_with_both_versions(full: Editor) -> None:
    with pytest.raises(Conflict) as caught:
        full.put("server", "u1", {**SERVER, "weight": 5}, ADA, 7)
    assert caught.value.theirs is not None
    assert caught.value.theirs.document == SERVER
    assert caught.value.mine is not None
    assert caught.value.mine["weight"] == 5


def test_what_would_not_be_valid_is_not_written(full: Editor, follower: Follower[Configuration]) -> None:
    with pytest.raises(Rejected):
        full.put("cluster", "c", {**CLUSTER, "servers": ["u9"]}, ADA)
    assert follower.current.objects["cluster"] == {"c": CLUSTER}


def test_what_is_used_stays_unless_forced(full: Editor, follower: Follower[Configuration]) -> None:
    with pytest.raises(InUse) as caught:
        full.delete("server", "u1", ADA)
    assert caught.value.users == [("cluster", "c")]
    planned = full.delete("cluster", "c", ADA, is_forced=True, is_dry=True)
    assert {(change.kind, change.name) for change in planned.changes} == {("cluster", "c"), ("api", "all")}
    assert "c" in follower.current.objects["cluster"]
    full.delete("server", "u1", ADA, is_forced=True)
    assert follower.current.objects["cluster"]["c"].get("servers", []) == []
    with pytest.raises(NoSuchObject):
        full.delete("server", "u1", ADA)


def test_apply_tells_before_it_does(full: Editor, follower: Follower[Configuration]) -> None:
    objects = {"server": {"u1": {**SERVER, "weight": 4}, "u2": {"name": "u2", "address": "b:1"}}}
    planned = full.apply(objects, ADA, is_dry=True)
    assert [(change.sign, change.name) for change in planned.changes] == [("~", "u1"), ("+", "u2")]
    assert follower.current.revision == planned.revision == 1
    assert full.apply(objects, ADA).revision == 2


def test_rollback_brings_back_what_was(full: Editor, follower: Follower[Configuration]) -> None:
    full.delete("api", "all", ADA)
    assert full.rollback(1, Signature("bob"), is_dry=True).changes[0].sign == "+"
    done = full.rollback(1, Signature("bob"))
    assert follower.current.objects["api"] == {"all": API}
    assert full.history(limit=1)[0].comment == "rollback to revision 1"
    assert full.state_at(2)["server"] == {"u1": SERVER}
    assert done.revision == 3
    with pytest.raises(UnknownRevision):
        full.rollback(99, ADA)


def test_without_nodes_everything_is_applied_everywhere(full: Editor) -> None:
    assert full.nodes() == []
    assert full.wait_applied(1, 0).stragglers == ()
