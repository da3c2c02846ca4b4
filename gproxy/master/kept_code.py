"""The program's own code as it was at the start, kept in memory for the children.

Roles are imported in the child, after the fork: days later, when a worker is replaced or the settings are reloaded.
By then the files may be those of another version, or half of them, and parts of two versions in one process are a
program that nobody has tested. So children run the code that the master has; a new version comes with a new master.
"""

import contextlib
import importlib.machinery
import importlib.util
import py_compile
import struct
import sys
from collections.abc import Mapping, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any

import gproxy


class KeptCode(MetaPathFinder):
    """Finds the modules below `folder`, the package `name`, as they were when this was made."""

    def __init__(self, name: str, folder: Path) -> None:
        self._paths: dict[str, Path] = {}
        self._files: dict[str, bytes] = {}
        self._stats: dict[str, Mapping[str, Any]] = {}
        for path in folder.rglob("*.py"):
            parts = (name, *path.relative_to(folder).with_suffix("").parts)
            self._keep(".".join(parts[:-1] if parts[-1] == "__init__" else parts), path)

    def _keep(self, name: str, path: Path) -> None:
        loader = importlib.machinery.SourceFileLoader(name, str(path))
        self._paths[name] = path
        self._files[str(path)] = loader.get_data(str(path))
        self._stats[str(path)] = loader.path_stats(str(path))
        compiled = importlib.util.cache_from_source(str(path))
        with contextlib.suppress(OSError):
            if not _is_compiled_from(compiled, self._stats[str(path)]):
                py_compile.compile(str(path))  # once here, not in every child
            self._files[compiled] = loader.get_data(compiled)

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return where to load a module from, None if it is not one of these."""
        found = self._paths.get(fullname)
        if found is None:
            return None
        places = [str(found.parent)] if found.name == "__init__.py" else None
        loader = _Loader(fullname, str(found), self._files, self._stats)
        return importlib.util.spec_from_file_location(fullname, found, loader=loader, submodule_search_locations=places)


class _Loader(importlib.machinery.SourceFileLoader):
    """Loads a module from the files that were kept."""

    def __init__(
        self, name: str, path: str, files: Mapping[str, bytes], stats: Mapping[str, Mapping[str, Any]]
    ) -> None:
        super().__init__(name, path)
        self._files = files
        self._stats = stats

    def get_data(self, path: str) -> bytes:
        """Return a file as it was; raises FileNotFoundError for one that was not there."""
        try:
            return self._files[path]
        except KeyError:
            raise FileNotFoundError(path) from None

    def path_stats(self, path: str) -> Mapping[str, Any]:
        """Return what is compared with the compiled file."""
        return self._stats[path]

    def set_data(self, path: str, data: bytes, *, _mode: int = 0o666) -> None:  # type: ignore[override]
        """Write nothing: beside the files of another version it would be taken for theirs."""


def keep_our_code() -> None:
    """Let this process and its children import the program's own modules as they are now."""
    folder = Path(gproxy.__file__).parent
    if folder.is_dir():
        sys.meta_path.insert(0, KeptCode("gproxy", folder))


def _is_compiled_from(compiled: str, source: Mapping[str, Any]) -> bool:
    """Tell whether a compiled file is of a source with these stats (PEP 552: magic number, flags, time, size)."""
    try:
        with open(compiled, "rb") as file:
            magic, flags, stats = file.read(4), file.read(4), file.read(8)
    except FileNotFoundError:
        return False
    wanted = struct.pack("<II", int(source["mtime"]) & 0xFFFFFFFF, source["size"] & 0xFFFFFFFF)
    return magic == importlib.util.MAGIC_NUMBER and (flags != bytes(4) or stats == wanted)
