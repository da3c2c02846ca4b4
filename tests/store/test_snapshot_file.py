import contextlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gproxy.shared.layout import LAYOUT_VERSION
from gproxy.store import snapshot_file
from gproxy.store.snapshot_file import SnapshotError

LINES = [
    snapshot_file.render("server", {"name": "u1", "address": "127.0.0.1:1"}, 3),
    snapshot_file.render("cluster", {"name": "c\u00e4\n", "servers": ["u1"]}, None),
]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / snapshot_file.FILE_NAME


def test_what_is_written_is_read(path: Path) -> None:
    snapshot_file.write(path, 7, "sqlite:////x", LINES)
    stored = snapshot_file.read(path)
    assert (stored.revision, stored.source, stored.lines) == (7, "sqlite:////x", LINES)
    assert json.loads(LINES[0]) == ["server", {"name": "u1", "address": "127.0.0.1:1"}, 3]
    assert os.listdir(path.parent) == [path.name]
    assert path.stat().st_mode & 0o777 == 0o600, "documents hold secrets"


def test_an_empty_configuration(path: Path) -> None:
    snapshot_file.write(path, 7, "x", [])
    assert snapshot_file.read(path).lines == []


def test_a_missing_file_is_said(path: Path) -> None:
    with pytest.raises(SnapshotError, match="there is no snapshot yet"):
        snapshot_file.read(path)


def test_an_unreadable_file_is_said(path: Path) -> None:
    path.mkdir()
    with pytest.raises(SnapshotError, match="cannot be read"):
        snapshot_file.read(path)


@pytest.mark.parametrize("number", [1, 3])
def test_another_format_is_said(path: Path, number: int) -> None:
    path.write_bytes(b'{"format":%d}\n' % number)
    with pytest.raises(SnapshotError, match=rf"another version \(format {number}, this one reads 2\)"):
        snapshot_file.read(path)


@pytest.mark.parametrize("content", [b"", b"[]\n", b"\xff\xfe\n", b'{"format":2}\n', b'{"format":2,"revi'])
def test_a_damaged_header_is_said(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(SnapshotError):
        snapshot_file.read(path)


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_no_truncated_or_altered_file_is_taken(path: Path, data: st.DataObject) -> None:
    snapshot_file.write(path, 7, "x", LINES)
    whole = path.read_bytes()
    begin = whole.index(b"\n") + 1
    place = data.draw(st.integers(begin, len(whole) - 1))
    altered = bytes([whole[place] ^ data.draw(st.integers(1, 255))])
    for damaged in (whole[:place], whole[:place] + altered + whole[place + 1 :]):
        path.write_bytes(damaged)
        with pytest.raises(SnapshotError):
            snapshot_file.read(path)


def test_two_who_write_at_the_same_time_leave_a_whole_file(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The sync of a master that was killed, in the middle of its write, and that of the next master."""
    dumps = json.dumps

    def meanwhile_another_writes(value: object, **how: Any) -> str:
        monkeypatch.setattr(json, "dumps", dumps)
        with monkeypatch.context() as another:
            another.setattr(os, "getpid", lambda: 1)
            snapshot_file.write(path, 8, "x", LINES * 100)
        return dumps(value, **how)

    monkeypatch.setattr(json, "dumps", meanwhile_another_writes)
    with contextlib.suppress(OSError):
        snapshot_file.write(path, 7, "x", LINES)
    assert len(snapshot_file.read(path).lines) in (len(LINES), 100 * len(LINES))
    assert os.listdir(path.parent) == [path.name]


def test_what_somebody_left_who_was_killed_is_deleted(path: Path) -> None:
    snapshot_file.write(path, 7, "x", LINES)
    path.with_name(f"{path.name}.123.new").write_bytes(b"half")
    snapshot_file.tidy(path)
    assert os.listdir(path.parent) == [path.name]


def test_a_full_disk_leaves_the_old_file(path: Path) -> None:
    """A limit of the file size stands for the full disk: both make write() fail half-way."""
    snapshot_file.write(path, 7, "x", LINES)
    program = (
        "import resource, signal, sys; from pathlib import Path; from gproxy.store import snapshot_file\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))\n"
        "try: snapshot_file.write(Path(sys.argv[1]), 8, 'x', [b'1' * 100_000])\n"
        "except OSError as error: print(error.strerror)"
    )
    result = subprocess.run(
        [sys.executable, "-c", program, str(path)], capture_output=True, text=True, timeout=30, check=True
    )
    assert result.stdout == "File too large\n"
    assert snapshot_file.read(path).revision == 7
    assert os.listdir(path.parent) == [path.name]


def test_reading_needs_no_database_and_no_schema() -> None:
    program = (
        "import sys, gproxy.store.snapshot_file\n"
        "print([name for name in ('sqlite3', 'pydantic') if name in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=30, check=True)
    assert result.stdout == "[]\n"


def test_a_new_format_comes_with_a_new_layout_of_the_shared_memory() -> None:
    # While one program replaces another they share both, so a program that cannot read the file must not take the
    # memory. Whoever raises FORMAT raises LAYOUT_VERSION, too, and notes the pair here.
    first_layout_with = {2: 2}
    assert first_layout_with[snapshot_file.FORMAT] <= LAYOUT_VERSION
