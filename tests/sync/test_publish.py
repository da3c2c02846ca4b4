import errno
import json
import logging
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gproxy.core.events import Kind, SnapshotCause
from gproxy.core.schema import collect
from gproxy.shared import layout
from gproxy.shared.rings import RingReader
from gproxy.shared.table import Table
from gproxy.store import snapshot_file
from gproxy.store.base import Key, State, Stored
from gproxy.sync import publish
from gproxy.sync.publish import Publisher

SOURCE = "sqlite:////somewhere.db"
LISTS: dict[str, Any] = {
    "servers": [{"name": "u2", "address": "127.0.0.1:2"}, {"name": "u1", "address": "127.0.0.1:1"}],
    "clusters": [{"name": "users", "servers": ["u1", "u2"]}],
    "apis": [{"name": "all", "path": "/*", "nodes": [{"cluster": "users"}]}],
}


def state_of(lists: dict[str, Any], revision: int) -> State:
    objects: dict[Key, Stored] = {}
    for kind, documents in collect(lists)[0].items():
        for name, document in documents.items():
            objects[kind, name] = Stored(kind, name, revision, document)
    return State(revision, objects)


GOOD = state_of(LISTS, 3)
BAD = state_of({**LISTS, "servers": LISTS["servers"][:1]}, 4)
EMPTIED = State(4, {})


@pytest.fixture
def table() -> Iterator[Table]:
    table = Table.create(slots=1)
    yield table
    table.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "run" / snapshot_file.FILE_NAME


@pytest.fixture
def publisher(path: Path, table: Table, caplog: pytest.LogCaptureFixture) -> Publisher:
    caplog.set_level(logging.INFO)
    path.parent.mkdir()
    return Publisher(path, SOURCE, table)


def published(table: Table) -> tuple[int, int]:
    return table.cells[layout.PUBLISHED], table.cells[layout.REVISION]


def test_a_valid_state_is_written_and_announced(publisher: Publisher, path: Path, table: Table) -> None:
    assert not publisher.has_last_good
    publisher.offer(GOOD, 0.0)
    stored = snapshot_file.read(path)
    assert (stored.revision, stored.source) == (3, SOURCE)
    assert [line.split(b",")[:2] for line in stored.lines] == [
        [b'["server"', b'{"name":"u1"'],
        [b'["server"', b'{"name":"u2"'],
        [b'["cluster"', b'{"name":"users"'],
        [b'["api"', b'{"name":"all"'],
    ]
    assert published(table) == (1, 3)
    assert table.cells[layout.PUBLISHED_MS] > 0
    assert publisher.has_announced


def test_the_same_again_is_not_published_again(publisher: Publisher, table: Table) -> None:
    publisher.offer(GOOD, 0.0)
    publisher.offer(state_of(LISTS, 3), 1.0)
    assert published(table) == (1, 3)


def test_an_invalid_state_is_refused_whole_and_every_problem_is_logged(
    publisher: Publisher, path: Path, table: Table, caplog: pytest.LogCaptureFixture
) -> None:
    publisher.offer(GOOD, 0.0)
    before = path.read_bytes()
    caplog.clear()
    wrong = state_of({**LISTS, "servers": [{"name": "u2", "address": "h"}], "apis": []}, 4)
    publisher.offer(wrong, 1.0)
    publisher.offer(wrong, 2.0)
    assert caplog.messages == [
        "the configuration is refused, the last good one stays",
        'refused: servers[u2].address: must be "host:port" with a port from 1 to 65535, "[IPv6]:port" or "unix:/path"',
        'refused: clusters[users].servers[0]: there is no server "u1"',
    ]
    assert path.read_bytes() == before
    assert published(table) == (1, 3)
    assert table.cells[layout.SYNC_REJECTED] == 1, "read again after an outage it is still the same one"
    publisher.offer(state_of(LISTS, 5), 3.0)
    assert published(table) == (2, 5)


def test_the_last_good_one_is_served_after_a_restart(publisher: Publisher, path: Path, table: Table) -> None:
    publisher.offer(GOOD, 0.0)
    table.cells[layout.PUBLISHED] = table.cells[layout.REVISION] = 0  # a new master has a new table
    again = Publisher(path, SOURCE, table)
    assert again.has_last_good
    assert not again.has_announced
    again.announce_last_good()
    again.announce_last_good()
    assert published(table) == (1, 3)
    again.offer(GOOD, 1.0)
    assert published(table) == (1, 3), "the store has what is running already"


def test_a_restarted_sync_does_not_announce_again(publisher: Publisher, path: Path, table: Table) -> None:
    publisher.offer(GOOD, 0.0)
    again = Publisher(path, SOURCE, table)
    assert again.has_announced
    again.announce_last_good()
    again.offer(GOOD, 1.0)
    assert published(table) == (1, 3)


def test_a_refused_state_at_the_start_leaves_the_last_good_one(publisher: Publisher, path: Path, table: Table) -> None:
    publisher.offer(GOOD, 0.0)
    table.cells[layout.PUBLISHED] = 0
    again = Publisher(path, SOURCE, table)
    again.offer(BAD, 1.0)
    again.announce_last_good()
    assert published(table) == (1, 3)


@pytest.mark.parametrize("harm", ["other source", "truncated", "none"])
def test_what_is_not_a_last_good_one(
    publisher: Publisher, path: Path, table: Table, harm: str, caplog: pytest.LogCaptureFixture
) -> None:
    if harm == "truncated":
        publisher.offer(GOOD, 0.0)
        path.write_bytes(path.read_bytes()[:-5])
    elif harm == "other source":
        snapshot_file.write(path, 9, "sqlite:////elsewhere.db", [])
    caplog.clear()
    again = Publisher(path, SOURCE, table)
    assert not again.has_last_good
    again.announce_last_good()
    assert len(caplog.messages) == (0 if harm == "none" else 1)


def test_emptying_the_store_is_a_deletion(publisher: Publisher, path: Path, table: Table) -> None:
    publisher.offer(GOOD, 0.0)
    publisher.offer(EMPTIED, 1.0)
    assert published(table) == (2, 4)
    assert snapshot_file.read(path).lines == []


@pytest.mark.parametrize("revision", [0, 3])
def test_a_store_made_anew_is_no_deletion(
    publisher: Publisher, path: Path, table: Table, revision: int, caplog: pytest.LogCaptureFixture
) -> None:
    publisher.offer(GOOD, 0.0)
    publisher.offer(State(revision, {}), 1.0)
    assert published(table) == (1, 3)
    assert len(snapshot_file.read(path).lines) == 4
    assert "stays until something is written" in caplog.messages[-1]
    publisher.offer(state_of({"servers": LISTS["servers"]}, 1), 2.0)
    assert published(table) == (2, 1), "something was written to it"
    assert "went back to an older revision" in caplog.text
    publisher.offer(State(2, {}), 3.0)
    assert published(table) == (3, 2), "from there on it is a store like any other"


def test_a_full_disk_is_said_and_tried_again(
    publisher: Publisher, path: Path, table: Table, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    publisher.offer(GOOD, 0.0)
    before = path.read_bytes()

    def full(*arguments: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    caplog.clear()
    with monkeypatch.context() as patch:
        patch.setattr(publish.snapshot_file, "write", full)
        publisher.offer(EMPTIED, 1.0)
        for tenth in range(50):
            publisher.flush(1.0 + tenth / 10)
        assert published(table) == (1, 3)
        assert path.read_bytes() == before
    assert caplog.messages == [f"cannot write the snapshot, the last good one stays: {path}: No space left on device"]
    publisher.flush(60.0)
    assert published(table) == (2, 4)
    assert caplog.messages[-1].endswith("stays: over")


def test_a_file_that_was_removed_is_written_again(publisher: Publisher, path: Path, table: Table) -> None:
    publisher.flush(100.0)
    assert not path.exists()  # there is nothing yet
    publisher.offer(GOOD, 100.0)
    kept = path.read_bytes()
    for removed in (path.parent, path):
        shutil.rmtree(removed) if removed.is_dir() else removed.unlink()
        publisher.flush(200.0)
        assert path.read_bytes().partition(b"\n")[2] == kept.partition(b"\n")[2]
    assert table.cells[layout.PUBLISHED] == 1  # the workers have it already


def test_a_newer_state_replaces_one_that_waits_for_the_disk(publisher: Publisher, path: Path, table: Table) -> None:
    path.parent.rmdir()
    path.parent.touch()
    publisher.offer(GOOD, 0.0)
    publisher.offer(state_of(LISTS, 4), 0.01)
    path.parent.unlink()
    publisher.flush(10.0)
    assert published(table) == (1, 4)


def test_only_what_changed_is_rendered(publisher: Publisher, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    publisher.offer(GOOD, 0.0)
    rendered = []

    def spy(kind: str, document: dict[str, Any], row: int | None) -> bytes:
        rendered.append(document["name"])
        return snapshot_file_render(kind, document, row)

    snapshot_file_render = snapshot_file.render
    monkeypatch.setattr(publish.snapshot_file, "render", spy)
    changed = Stored("server", "u1", 4, {"name": "u1", "address": "127.0.0.1:9"})
    publisher.offer(State(4, {**GOOD.objects, ("server", "u1"): changed}), 1.0)
    assert rendered == ["u1"]
    assert b"127.0.0.1:9" in snapshot_file.read(path).lines[0]


@pytest.mark.serial
def test_one_change_among_ten_thousand_is_published_at_once(publisher: Publisher, table: Table) -> None:
    """Only what changed is checked and rendered; the rest is one pass over it and one file."""
    apis = [{"name": f"api-{n}", "path": f"/s{n}/{{id}}", "nodes": [{"cluster": "users"}]} for n in range(10_000)]
    first = state_of({**LISTS, "apis": apis}, 3)
    publisher.offer(first, 0.0)
    changed = Stored("api", "api-7", 4, {**apis[7], "priority": 1})
    began = time.process_time()
    publisher.offer(State(4, {**first.objects, ("api", "api-7"): changed}), 1.0)
    assert published(table) == (2, 4)
    assert time.process_time() - began < 0.25


def test_what_becomes_of_a_configuration_is_an_event(publisher: Publisher, path: Path, table: Table) -> None:
    publisher.offer(GOOD, 0.0)
    publisher.offer(BAD, 1.0)
    table.cells[layout.PUBLISHED] = 0
    Publisher(path, SOURCE, table).announce_last_good()
    told = [one.event for one in RingReader(table).news()]
    assert [(event.kind, event.cause, event.figures[:2]) for event in told] == [
        (Kind.SNAPSHOT, SnapshotCause.APPLIED, (3, 4)),
        (Kind.SNAPSHOT, SnapshotCause.REJECTED, (4, 1)),
        (Kind.SNAPSHOT, SnapshotCause.LAST_GOOD, (3, 4)),
    ]


def test_more_objects_than_rows_are_a_problem(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path.parent.mkdir()
    table = Table.create(slots=1, rows=3)
    publisher = Publisher(path, SOURCE, table)
    publisher.offer(GOOD, 0.0)
    assert caplog.messages[-1] == "refused: 4 objects are too many: there is room for 3"
    assert published(table) == (0, 0)
    publisher.offer(state_of({**LISTS, "apis": []}, 4), 1.0)
    assert published(table) == (1, 4)
    assert [json.loads(line)[2:] for line in snapshot_file.read(path).lines] == [[0], [1], [2]]
    table.close()


def test_a_cluster_with_a_url_pattern_is_an_api_with_figures_of_its_own(publisher: Publisher, path: Path) -> None:
    clusters = [{"name": "users", "servers": ["u1"], "url_pattern": "/users/*"}, {"name": "other"}]
    publisher.offer(state_of({**LISTS, "clusters": clusters}, 3), 0.0)
    apis = [json.loads(line) for line in snapshot_file.read(path).lines if line.startswith(b'["api"')]
    assert [(document["name"], document["path"]) for _, document, _ in apis] == [
        ("all", "/*"),
        ("cluster/users", "/users/*"),
    ]
    assert len({row for _, _, row in apis}) == 2
