"""The snapshot file: the last good configuration of a node, written by `sync`, read by every worker.

Line 1 is a JSON header with the store revision, the source and a hash of the rest; each further line is one
object, `["server", {normalised document}, row]`; clusters have no row. An object that has not changed gives an
identical line, so that a reader can tell by comparing bytes. The file is replaced whole: a reader sees the old one
or the new one.
"""

import contextlib
import hashlib
import json
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

#: Whoever changes it raises shared/layout.LAYOUT_VERSION, too: programs that share the memory while one replaces the
#: other read each other's file.
FORMAT: Final = 2
FILE_NAME: Final = "snapshot.jsonl"
_FRESH: Final = ".new"


class SnapshotError(Exception):
    """The file cannot be used; the text is one line that says why."""


@dataclass(frozen=True, slots=True)
class Stored:
    """A snapshot as it was read. `written_at` is UTC in ISO 8601, `lines` come without their line ends."""

    revision: int
    source: str
    written_at: str
    lines: list[bytes]


def render(kind: str, document: dict[str, Any], row: int | None) -> bytes:
    """Return the line of one object: keys in the order of the document, no blanks, ASCII.

    `row` is where the object's figures are in shared memory, None for kinds without figures.
    """
    parts = [kind, document] if row is None else [kind, document, row]
    return json.dumps(parts, separators=(",", ":")).encode("ascii")


def write(path: Path, revision: int, source: str, lines: Sequence[bytes]) -> None:
    """Replace the file in one step; on failure the old one stays. Raises OSError (a full disk, say)."""
    body = b"\n".join([*lines, b""]) if lines else b""
    header = {
        "format": FORMAT,
        "revision": revision,
        "source": source,
        "written_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "objects": len(lines),
        "sha256": hashlib.sha256(body).hexdigest(),
    }
    # Two may write for a moment: the sync of a master that was killed, and that of the next one.
    fresh = path.with_name(f"{path.name}.{os.getpid()}{_FRESH}")
    try:
        # Documents hold secrets of tokens: nobody else reads them.
        with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "wb") as file:
            file.write(json.dumps(header, separators=(",", ":")).encode("ascii") + b"\n")
            file.write(body)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
    except OSError:
        fresh.unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


def tidy(path: Path) -> None:
    """Delete what was left by a process that was killed while it wrote."""
    for left in path.parent.glob(f"{path.name}.*{_FRESH}"):
        with contextlib.suppress(OSError):
            left.unlink()


def read(path: Path) -> Stored:
    """Read and check the whole file. Raises SnapshotError."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise SnapshotError(f"{path}: there is no snapshot yet") from None
    except OSError as error:
        raise SnapshotError(f"{path}: cannot be read: {error.strerror}") from None
    first, _, body = content.partition(b"\n")
    header = _header(path, first)
    if hashlib.sha256(body).hexdigest() != header["sha256"]:
        raise SnapshotError(f"{path}: truncated or damaged (its hash does not fit)")
    lines = body.splitlines()
    if len(lines) != header["objects"]:
        raise SnapshotError(f"{path}: {len(lines)} objects instead of {header['objects']}")
    return Stored(header["revision"], header["source"], header["written_at"], lines)


def _header(path: Path, line: bytes) -> dict[str, Any]:
    try:
        header = json.loads(line)
        version = header["format"]
    except (ValueError, TypeError, KeyError):
        raise SnapshotError(f"{path}: not a snapshot file, or cut off in its first line") from None
    if version != FORMAT:
        raise SnapshotError(f"{path}: written by another version (format {version}, this one reads {FORMAT})")
    shape = {"revision": int, "source": str, "written_at": str, "objects": int, "sha256": str}
    if not all(isinstance(header.get(key), kind) for key, kind in shape.items()):
        raise SnapshotError(f"{path}: its first line lacks a field")
    return dict(header)


def _sync_folder(folder: Path) -> None:
    """Make the new name itself survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
